"""What an analysis returns: frozen arrays and numbers that go to JSON and back, with scores and their errors."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from archdsl.base.errors import DataError
from archdsl.base.statistics import jackknife, mean_error
from archdsl.network.units import Unit

Floats = NDArray[np.float64]
Statistic = Callable[[NDArray[np.int64]], float | None]


class Result:
    """Base of the results; subclasses are frozen dataclasses of str, int, float, bool, arrays, and tuples of these."""

    def statistics(self) -> dict[str, Statistic]:
        """Score names to how they follow from the batches of some indices; None where they cannot."""
        raise NotImplementedError

    @property
    def draws(self) -> int:
        """Over how many batches (or images) the standard errors are taken."""
        raise NotImplementedError

    def scores(self) -> dict[str, float]:
        """Score names to values; a score that does not exist for this network (no attention, say) is left out."""
        return _known({name: statistic(np.arange(self.draws)) for name, statistic in self.statistics().items()})

    def standard_errors(self) -> dict[str, float]:
        """Standard error over the batches for the scores that have one; it takes two batches to tell."""
        return _known({name: jackknife(statistic, self.draws) for name, statistic in self.statistics().items()})

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, for `json.dumps`."""
        return typing.cast(dict[str, Any], _encode(self))

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """The result that `to_json` was called on.

        Raises:
            DataError: the document is not one of this class.
        """
        try:
            return typing.cast(Self, _decode(cls, document))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"not a stored {cls.__name__}: {error!r}", "measure it again") from error


class BatchMeans(Result):
    """A result whose scores are means over the images of a value per batch."""

    images: Floats  # (B,) per batch

    def scores_by_batch(self) -> dict[str, Floats]:
        """Score names to the value of each batch, (B,)."""
        raise NotImplementedError

    @property
    def draws(self) -> int:
        """Batches."""
        return len(self.images)

    def scores(self) -> dict[str, float]:
        """Their means over all images, for the scores there are."""
        return {name: float(np.average(values, weights=self.images)) for name, values in self.scores_by_batch().items()}

    def standard_errors(self) -> dict[str, float]:
        """Of each, over the batches."""
        return _known({name: mean_error(values, self.images) for name, values in self.scores_by_batch().items()})


class RightAnswers(Result):
    """A result that counts right answers per batch, on the images as they are and on changed ones."""

    correct: Floats  # (..., B) on images that were changed in some way, per batch
    clean: Floats  # (B,) on the images as they are
    images: Floats  # (B,) per batch

    @property
    def accuracy(self) -> Floats:
        """(...) on images that were changed."""
        accuracy: Floats = self.correct.sum(-1) / self.images.sum()
        return accuracy

    @property
    def clean_accuracy(self) -> float:
        """On the images as they are."""
        return float(self.clean.sum() / self.images.sum())

    @property
    def draws(self) -> int:
        """Batches."""
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Place:
    """Which unit a result is of: path, label, kind, stage and grid are the unit's."""

    path: str
    label: str
    kind: Literal["conv", "msa", "mlp"]
    stage: int
    grid: tuple[int, int]


def place(unit: Unit) -> dict[str, Any]:
    """The fields of `Place`, as a unit has them."""
    return {"path": unit.path, "label": unit.label, "kind": unit.kind, "stage": unit.stage, "grid": unit.grid}


def _known(found: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None}


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_encode(entry) for entry in value]
    return value


def _decode(kind: Any, value: Any) -> Any:
    """Build what the annotation `kind` says from JSON."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):  # X | None is the only union in use
        return None if value is None else _decode(arguments[0], value)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return tuple(_decode(arguments[0], entry) for entry in value)
        return tuple(_decode(argument, entry) for argument, entry in zip(arguments, value, strict=True))
    if origin in (np.ndarray, typing.get_origin(Floats)):  # from Python 3.12 on, NumPy's NDArray is an alias of its own
        return np.array(value, dtype=np.int64 if "int" in str(arguments[-1]) else np.float64)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = [  # one with a default may have come later than a stored result
            field for field in dataclasses.fields(kind) if field.name in value or field.default is dataclasses.MISSING
        ]
        return typing.cast(Any, kind)(**{field.name: _decode(hints[field.name], value[field.name]) for field in fields})
    if origin is typing.Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is not one of {arguments}")
        return value
    return kind(value)
