"""Reads the records of trainings: by network and share of the data, with the analyses of several seeds as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archdsl.analyses import ANALYSES
from archdsl.analyses.measuring.parts import joined
from archdsl.base.errors import DataError


def pooled(analysis: str, results: Sequence[Any]) -> Any:
    """Results of an analysis, one per seed, as one over all their batches, which plots as any other; None for none.

    Networks must have the same blocks.
    """
    if len(results) < 2:
        return results[0] if results else None
    first, whole = results[0], joined(results)  # arrays, behind each other along their first axis: mostly the batches
    if analysis == "fourier":  # curves are logarithms already: their mean is that of the amplitudes' geometric means
        same = zip(*(result.units for result in results), strict=True)
        return replace(whole, units=tuple(_mean_curve(units) for units in same))
    if analysis == "noise":
        correct = np.concatenate([result.correct for result in results], 1)
        return replace(whole, frequency=first.frequency, correct=correct)
    if analysis == "landscape":  # every seed has directions of its own; the mean is over networks and directions
        by_batch = np.concatenate([result.by_batch for result in results], 2)
        penalty = np.mean([result.penalty for result in results], 0)
        return replace(whole, steps=first.steps, by_batch=by_batch, penalty=penalty)
    return whole


def _mean_curve(units: Sequence[Any]) -> Any:
    before = None if units[0].before is None else np.mean([unit.before for unit in units], 0)
    return replace(units[0], after=np.mean([unit.after for unit in units], 0), before=before)


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
