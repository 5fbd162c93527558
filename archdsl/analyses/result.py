"""What an analysis returns: frozen arrays and numbers that go to JSON and come back, with scores and their errors."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from archdsl.base.errors import DataError

Floats = NDArray[np.float64]


class Result:
    """Base of the results; subclasses are frozen dataclasses of str, int, float, bool, arrays, and tuples of these."""

    def scores(self) -> dict[str, float]:
        """Score names to values; a score that does not exist for this network (no attention, say) is left out."""
        raise NotImplementedError

    def standard_errors(self) -> dict[str, float]:
        """Standard error over the batches for the scores that have one; it takes two batches to tell."""
        raise NotImplementedError

    @property
    def draws(self) -> int:
        """Over how many batches (or images) the standard errors are taken."""
        raise NotImplementedError

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


class MeansByKind(Result):
    """A result whose scores are means over the units of a kind, one per kind there is."""

    images: Floats  # (B,) per batch

    def by_batch(self) -> dict[str, Floats]:
        """Score names to the mean over the units of each batch, (B,)."""
        raise NotImplementedError

    @property
    def draws(self) -> int:
        """Batches."""
        return len(self.images)

    def scores(self) -> dict[str, float]:
        """Their means over all images, for the kinds there are."""
        return {name: float(np.average(values, weights=self.images)) for name, values in self.by_batch().items()}

    def standard_errors(self) -> dict[str, float]:
        """Of each, over the batches."""
        found = {name: mean_error(values, self.images) for name, values in self.by_batch().items()}
        return {name: value for name, value in found.items() if value is not None}


class RightAnswers(Result):
    """A result that counts right answers per batch, on the images as they are and on changed ones."""

    correct: Floats  # (..., B) on images that were changed in some way, per batch
    clean: Floats  # (B,) on the images as they are
    images: Floats  # (B,) per batch

    def ratios(self) -> dict[str, Callable[[np.ndarray], float | None]]:
        """Score names to how they follow from the batches of some indices; None where they cannot."""
        raise NotImplementedError

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

    def scores(self) -> dict[str, float]:
        """Of all batches, those that there are."""
        found = {name: ratio(np.arange(self.draws)) for name, ratio in self.ratios().items()}
        return {name: value for name, value in found.items() if value is not None}

    def standard_errors(self) -> dict[str, float]:
        """Of each, over the batches, by the jackknife."""
        found = {name: jackknife(ratio, self.draws) for name, ratio in self.ratios().items()}
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


def jackknife(statistic: Callable[[NDArray[np.int64]], float | None], count: int) -> float | None:
    """Standard error of a statistic of `count` batches, by leaving out one at a time; None where it is undefined.

    For a mean this is the usual standard error; for ratios and logarithms of means it needs no formula of its own
    (Efron & Stein 1981).

    >>> values = np.array([1.0, 2.0, 4.0])
    >>> round(jackknife(lambda kept: values[kept].mean(), 3), 6), round(float(values.std(ddof=1)) / 3**0.5, 6)
    (0.881917, 0.881917)
    """
    if count < 2:
        return None
    everyone = np.arange(count)
    left_out = [statistic(np.delete(everyone, index)) for index in range(count)]
    known = [value for value in left_out if value is not None and math.isfinite(value)]
    if len(known) < count:
        return None
    spread = np.asarray(known) - np.mean(known)
    return float(np.sqrt((count - 1) / count * np.sum(spread**2)))


def mean_error(values: Floats, weights: Floats) -> float | None:
    """Standard error of a weighted mean of independent values; None for fewer than two.

    >>> mean_error(np.array([1.0, 3.0]), np.array([16.0, 16.0]))
    1.0
    """
    count = len(values)
    if count < 2:
        return None
    shares = weights / weights.sum()
    spread = values - np.sum(shares * values)
    return float(np.sqrt(np.sum((shares * spread) ** 2) * count / (count - 1)))
