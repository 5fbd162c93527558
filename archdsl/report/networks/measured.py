"""Holds what was measured of a network over one training or several, and estimates its scores with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from archdsl.base.statistics import (
    Interval,
    Spread,
    difference,
    estimated,
    estimated_difference,
    mean,
    mean_interval,
)

if TYPE_CHECKING:
    from archdsl.analyses import Result

Basis = Literal["seeds", "batches", ""]


@dataclass(frozen=True)
class Estimate:
    """A score of one network, with a 95% interval.

    Attributes:
        interval: its value and ends; NaN ends where the spread is not known.
        basis: what the interval is over: trainings from several seeds, or the images of a single one.
        spread: standard error, and over how many seeds, batches or images.
        values: per seed.
    """

    interval: Interval
    basis: Basis
    spread: Spread
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The estimate itself."""
        return self.interval.value


@dataclass(frozen=True, eq=False)
class Run:
    """One training of a network, measured.

    Attributes:
        seed: of the training; None where nobody said.
        results: analyses by name.
        test: metrics on the test split, if it was looked at.
        test_spread: their standard errors, where known.
        checkpoint: where its weights lie, as it was named.
    """

    seed: int | None
    results: Mapping[str, Result]
    test: Mapping[str, float] = field(default_factory=dict)
    test_spread: Mapping[str, Spread] = field(default_factory=dict)
    checkpoint: str = ""

    def scores(self) -> dict[str, float]:
        """All scores; those of the test split are called `test_…`."""
        found = {name: value for result in self.results.values() for name, value in result.scores().items()}
        return found | {f"test_{name}": value for name, value in self.test.items()}

    def spreads(self) -> dict[str, Spread]:
        """Their standard errors over images or batches, where known."""
        found = {name: spread for result in self.results.values() for name, spread in spreads(result).items()}
        return found | {f"test_{name}": spread for name, spread in self.test_spread.items()}


def spreads(result: Result) -> dict[str, Spread]:
    """The standard errors of a result's scores, with its number of draws."""
    return {name: Spread(error, result.draws) for name, error in result.standard_errors().items()}


@dataclass(frozen=True, eq=False)
class Measured:
    """A network and its trainings.

    Attributes:
        name: as readers see it.
        params: trainable parameters.
        macs: of one image; None where nobody counted.
        layout: block labels of each stage.
        kinds: label to what it does ("conv", "msa", "mlp").
        hash: of its spec, or "".
        runs: one per seed, the first of which the figures show.
        recipe: how it was trained, as text; "" where that is not known.
    """

    name: str
    params: int
    macs: int | None
    layout: tuple[tuple[str, ...], ...]
    kinds: Mapping[str, str]
    hash: str
    runs: tuple[Run, ...]
    recipe: str = ""

    @property
    def results(self) -> Mapping[str, Result]:
        """Of the first run."""
        return self.runs[0].results

    def estimate(self, score: str) -> Estimate | None:
        """A score over the seeds, or over the images of a single training; None where it does not exist."""
        runs = [run for run in self.runs if score in run.scores()]
        if not runs:
            return None
        values = tuple(run.scores()[score] for run in runs)
        if len(values) > 1:
            error = mean(values).sd / len(values) ** 0.5
            return Estimate(mean_interval(values), "seeds", Spread(error, len(values)), values)
        spread = runs[0].spreads().get(score, Spread())
        return Estimate(estimated(values[0], spread), "batches" if math.isfinite(spread.error) else "", spread, values)

    def against(self, other: Measured, score: str) -> Interval | None:
        """This network's score minus the other's, with an interval; None where either has none."""
        mine, theirs = self.estimate(score), other.estimate(score)
        if mine is None or theirs is None:
            return None
        if len(mine.values) > 1 and len(theirs.values) > 1:
            return difference(mine.values, theirs.values)
        # On the same images errors go together, so that this interval is rather too wide than too narrow.
        return estimated_difference(mine.value, mine.spread, theirs.value, theirs.spread)
