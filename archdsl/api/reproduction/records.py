"""Reads the records of trainings: by network and share of the data, with the analyses of several seeds as one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from archdsl.analyses import ANALYSES
from archdsl.base.errors import DataError

_Pooling = Callable[[Sequence[Any]], Any]
_JOIN: Final[_Pooling] = np.concatenate  # the last axis but in arrays of batches is the only one
_MEAN: Final[_Pooling] = functools.partial(np.mean, axis=0)

# How the fields of an analysis's result become those of one over all seeds; a table stands for a tuple of blocks, which
# the networks have in common. Fields that are not named are the same for all seeds. Curves of `fourier` are logarithms,
# so their mean is that of the amplitudes' geometric means; landscapes have directions of their own for every seed.
_POOLING: Final[dict[str, dict[str, Any]]] = {
    "hessian": dict.fromkeys(
        ("eigenvalues", "residuals", "smallest", "largest", "products", "asymmetry", "loss"), _JOIN
    ),
    "fourier": {
        "units": {"after": _MEAN, "before": _MEAN},
        "images": _JOIN, "high_freq": _JOIN, "smoothing_contrast": _JOIN,
    },
    "variance": {"units": {"after": _JOIN, "before": _JOIN}, "images": _JOIN},
    "lesion": {"units": {"correct": _JOIN}, "clean": _JOIN, "images": _JOIN},
    "noise": {"correct": functools.partial(np.concatenate, axis=1), "clean": _JOIN, "images": _JOIN},
    "landscape": {"by_batch": functools.partial(np.concatenate, axis=2), "penalty": _MEAN, "images": _JOIN},
}  # fmt: skip


def pooled(analysis: str, results: Sequence[Any]) -> Any:
    """Results of an analysis, one per seed, as one over all their batches, which plots as any other; None for none."""
    return _pooled(_POOLING[analysis], results) if results else None


def _pooled(fields: Mapping[str, Any], results: Sequence[Any]) -> Any:
    found: dict[str, Any] = {}
    for name, how in fields.items():
        values = [getattr(result, name) for result in results]
        if isinstance(how, dict):
            found[name] = tuple(_pooled(how, same) for same in zip(*values, strict=True))
        elif values[0] is not None:
            found[name] = how(values)
    return replace(results[0], **found)


class Record:
    """One training's record, with its analyses as results.

    Args:
        content: as it was written.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.seed: int = content["seed"]
        self._results: dict[str, Any] = {}

    def result(self, name: str) -> Any:
        """The result of an analysis (`hessian`, or `hessian_early`), None where it was not measured.

        Raises:
            DataError: it is no such result.
        """
        stored = self.content["analyses"].get(name)
        if name not in self._results:
            kind = ANALYSES[name.removesuffix("_early")].result
            self._results[name] = None if stored is None else kind.from_json(stored)
        return self._results[name]


class Records:
    """All trainings, by network and share of the data.

    Args:
        contents: the records as they were written.

    Raises:
        DataError: they are no records.
    """

    def __init__(self, contents: Iterable[dict[str, Any]]) -> None:
        self._by_training: dict[tuple[str, float], dict[int, Record]] = {}
        try:
            for content in contents:
                key = content["network"], float(content["share"])
                self._by_training.setdefault(key, {})[content["seed"]] = Record(content)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a record of a training: {error!r}", "run archdsl reproduce again") from None

    def of(self, network: str, share: float = 1.0) -> list[Record]:
        """A network's records, by seed."""
        found = self._by_training.get((network, share), {})
        return [found[seed] for seed in sorted(found)]

    def shares(self, network: str) -> list[float]:
        """The shares of the data on which it was trained, the largest first."""
        return sorted((share for name, share in self._by_training if name == network), reverse=True)

    def pooled(self, network: str, analysis: str, share: float = 1.0) -> Any:
        """An analysis's results of all seeds as one; None where it was not measured."""
        found = [record.result(analysis) for record in self.of(network, share)]
        return pooled(analysis.removesuffix("_early"), [result for result in found if result is not None])
