"""Reads the numbers that claims compare off the record of a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from archdsl.analyses.noise import SPLIT
from archdsl.api.reproduction.records import Record
from archdsl.base.colours import KIND_NAMES

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


def share_of_blocks(
    says: str, kind: str, analysis: str, change: Callable[[Any, Any], float | None], sign: int
) -> Number:
    """The share of a network's blocks of a kind whose change, read off (result, block), has a sign."""

    def changes(record: Record) -> list[float]:
        result = record.result(analysis)
        blocks = [] if result is None else [block for block in result.units if block.kind == kind]
        return [sign * value for value in (change(result, block) for block in blocks) if value is not None]

    def read(record: Record) -> float | None:
        found = changes(record)
        return sum(value > 0 for value in found) / len(found) if found else None

    return Number(says, "blocks", read, changes, f"{KIND_NAMES[kind]} blocks of {{}}")


def amplitude(kind: str, sign: int) -> Number:
    """The share of blocks that change the relative log amplitude at the highest frequency."""

    def change(_result: Any, block: Any) -> float | None:
        before = block.before
        return None if before is None else float(block.relative[-1] - (before[-1] - before[0]))

    says = f"blocks that {_verb(sign)} the relative log amplitude at the highest frequency"
    return share_of_blocks(says, kind, "fourier", change, sign)


def spread(kind: str, sign: int) -> Number:
    """The share of blocks that change the variance of the feature map, by the mean of its logarithm over the images."""

    def change(result: Any, block: Any) -> float | None:
        return None if block.change is None else float(np.average(block.change, weights=result.images))

    return share_of_blocks(f"blocks that {_verb(sign)} the variance of the feature map", kind, "variance", change, sign)


def _verb(sign: int) -> str:
    return "raise" if sign > 0 else "lower"


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
