"""Reads the records of trainings: by network and share, analyses of several seeds as one, and the numbers in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from archdsl.analyses import ANALYSES
from archdsl.analyses.measuring.parts import joined
from archdsl.analyses.noise import SPLIT
from archdsl.base.colours import KIND_NAMES
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


# ---------------------------------------------------------------- numbers of one training

Unit = Literal["percent", "ln", "nats", "blocks"]


@dataclass(frozen=True)
class Number:
    """A number of a training.

    Attributes:
        says: what it is.
        unit: of it; `blocks` for the share of a network's blocks that change something the way the paper says.
        read: it off a record; None where it was not measured.
        changes: of the blocks whose share it is, positive where they do so.
        of: how its network is named beside it.
    """

    says: str
    unit: Unit
    read: Callable[[Record], float | None]
    changes: Callable[[Record], list[float]] | None = None
    of: str = "{}"

    def by_seed(self, records: Iterable[Record]) -> dict[int, float]:
        """It for every seed that has one."""
        found = {record.seed: self.read(record) for record in records}
        return {seed: value for seed, value in found.items() if value is not None and math.isfinite(value)}


def score(says: str, unit: Unit, analysis: str, name: str, sign: int = 1) -> Number:
    """A score of an analysis, times a sign."""

    def read(record: Record) -> float | None:
        result = record.result(analysis)
        value = None if result is None else result.scores().get(name)
        return None if value is None else sign * value

    return Number(says, unit, read)


def quality(says: str, unit: Unit, split: str, name: str) -> Number:
    """`accuracy` or `nll` on a split."""
    return Number(says, unit, lambda record: float(record.content[split][name]))


def blocks(says: str, kind: str, changes: Callable[[Record, str], list[float]], sign: int) -> Number:
    """The share of a network's blocks of a kind whose change has a sign; `{}` of what it says is `raise` or `lower`."""

    def signed(record: Record) -> list[float]:
        return [sign * change for change in changes(record, kind)]

    def read(record: Record) -> float | None:
        found = signed(record)
        return sum(change > 0 for change in found) / len(found) if found else None

    verb = "raise" if sign > 0 else "lower"
    return Number(says.format(verb), "blocks", read, signed, f"{KIND_NAMES[kind]} blocks of {{}}")


def amplitude(record: Record, kind: str) -> list[float]:
    """Change of relative log amplitude at the highest frequency over each block of a kind."""
    found = [(block.relative, block.before) for block in _blocks(record.result("fourier"), kind)]
    return [float(after[-1] - (before[-1] - before[0])) for after, before in found if before is not None]


def spread(record: Record, kind: str) -> list[float]:
    """Logarithm of feature-map variance out over in over each block of a kind."""
    result = record.result("variance")
    changes = [block.change for block in _blocks(result, kind)]
    return [float(np.average(change, weights=result.images)) for change in changes if change is not None]


def _blocks(result: Any, kind: str) -> list[Any]:
    return [] if result is None else [block for block in result.units if block.kind == kind]


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
