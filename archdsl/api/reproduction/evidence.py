"""Reads the numbers that claims are about from the records of trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archdsl.analyses import ANALYSES, Result
from archdsl.analyses.noise import SPLIT
from archdsl.analyses.results.fourier import UnitCurve
from archdsl.analyses.variance import UnitVariance
from archdsl.base.errors import DataError

Number = Callable[["Record"], float | None]


@dataclass(frozen=True)
class Record:
    """One training's record, with its analyses as results."""

    content: dict[str, Any]

    @property
    def seed(self) -> int:
        """Of the training."""
        return int(self.content["seed"])

    def result(self, name: str) -> Any:
        """The result of an analysis (`hessian`, or `hessian_early`), None where it was not measured.

        Raises:
            DataError: it is no such result.
        """
        stored = self.content["analyses"].get(name)
        kind: type[Result] = ANALYSES[name.removesuffix("_early")].result
        return None if stored is None else kind.from_json(stored)


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

    def results(self, network: str, analysis: str, share: float = 1.0) -> list[Any]:
        """An analysis's results, by seed."""
        found = [record.result(analysis) for record in self.of(network, share)]
        return [result for result in found if result is not None]


# ---------------------------------------------------------------- numbers of one training


def score(analysis: str, name: str) -> Number:
    """A score of an analysis."""

    def read(record: Record) -> float | None:
        result = record.result(analysis)
        value: float | None = None if result is None else result.scores().get(name)
        return value

    return read


def quality(split: str, name: str) -> Number:
    """`accuracy` or `nll` on a split."""
    return lambda record: float(record.content[split][name])


def kept_at_high_frequencies(record: Record) -> float | None:
    """Accuracy with noise above 0.5 pi against accuracy without, mean over the bands."""
    result = record.result("noise")
    if result is None or not result.clean_accuracy:
        return None
    high = result.frequency > SPLIT + 1e-9
    return float(result.accuracy[high].mean() / result.clean_accuracy) if high.any() else None


def end_against_middle(record: Record) -> float | None:
    """Accuracy lost without the MSA block at a stage's end, minus that lost without the Conv block before it."""
    result = record.result("lesion")
    if result is None:
        return None
    gaps = [
        result.lost(last) - result.lost(before)
        for before, last in zip(result.units, result.units[1:], strict=False)
        if last.kind == "msa" and before.kind == "conv" and last.stage == before.stage
    ]
    return float(np.mean(gaps)) if gaps else None


# ---------------------------------------------------------------- changes of single blocks


def amplitude(record: Record, kind: str) -> list[float]:
    """Change of relative log amplitude at the highest frequency over each block of a kind."""
    result = record.result("fourier")
    units: Sequence[UnitCurve] = () if result is None else result.units
    known = [(unit, unit.before) for unit in units if unit.kind == kind and unit.before is not None]
    return [float(unit.relative[-1] - (before[-1] - before[0])) for unit, before in known]


def spread(record: Record, kind: str) -> list[float]:
    """Logarithm of feature-map variance out over in over each block of a kind."""
    result = record.result("variance")
    units: Sequence[UnitVariance] = () if result is None else result.units
    changes = [unit.change for unit in units if unit.kind == kind]
    return [float(np.average(c, weights=result.images)) for c in changes if c is not None]
