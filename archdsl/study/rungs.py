"""Successive halving on the curves: which of the networks that wait at a rung is trained on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.study.history import CURVES, Objectives, dominates

KEPT = 2  # one network of so many goes on from a rung
SHARES = (0.25, 0.5)  # of a whole training, after which networks wait
COSTS = ("params", "macs", "latency_ms")  # known of a network however long it was trained


@dataclass(frozen=True)
class Rungs:
    """Asynchronous successive halving that promotes (arXiv 1810.05934).

    Every network is trained up to the first rung and waits there. Whenever a place is free, the best waiting network
    of the better half of all that came as far is trained on, from its checkpoint, to the next rung.

    Attributes:
        epochs: of a whole training.
        objectives: (score, direction) pairs.
        halving: False trains every network to the end at once.
        shares: of a whole training, after which networks wait, rounded up to epochs.
        kept: one network of so many goes on from a rung.

    On the trained table of the shipped space (256 placements, three epochs, mean of three seeds) the rank correlation
    of one seed's accuracy with the final one is 0.40 after the first epoch, 0.54 after the second, 0.73 at the end.
    Other rungs, other shares or the NLL in place of accuracy found no better networks there with the same epochs,
    within the noise; those that keep fewer lost more of the best (`benchmarks/halving.py`).
    """

    epochs: int
    objectives: Objectives = (("accuracy", "maximize"),)
    halving: bool = True
    shares: tuple[float, ...] = SHARES
    kept: int = KEPT

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs after which networks wait."""
        if not self.halving:
            return ()
        return tuple(sorted({math.ceil(share * self.epochs) for share in self.shares} - {self.epochs, 0}))

    def next(self, epochs: int) -> int:
        """How far a network that was trained for so many epochs is trained next."""
        return next((rung for rung in self.rungs if rung > epochs), self.epochs)

    def promotable(self, trials: Iterable[dict[str, Any]], busy: Collection[int] = ()) -> dict[str, Any] | None:
        """The waiting network to train on, of the highest rung that has one; None where none is good enough.

        Args:
            trials: records of all networks.
            busy: numbers of those that are being trained on already.
        """
        trials = list(trials)
        for rung in reversed(self.rungs):
            there = [trial for trial in trials if trial["epochs"] >= rung and trial["state"] != "failed"]
            points = [self._point(trial, rung) for trial in there]
            ranked = sorted(zip(there, points, strict=True), key=lambda pair: (_rank(pair[1], points), pair[1]))
            for trial, _ in ranked[: len(there) // self.kept]:
                if trial["state"] == "stopped" and trial["epochs"] == rung and trial["number"] not in busy:
                    return trial
        return None

    def _point(self, trial: dict[str, Any], rung: int) -> list[float]:
        """What is known of a network at a rung, lower is better: its curves there and its costs; else accuracy."""
        known = []
        for name, direction in self.objectives:
            sign = -1.0 if direction == "maximize" else 1.0
            if name in CURVES:
                known.append(sign * trial[CURVES[name]][rung - 1])
            elif name in COSTS and name in trial["scores"]:
                known.append(sign * trial["scores"][name])
        if not any(name in CURVES for name, _ in self.objectives):
            known.insert(0, -trial["curve"][rung - 1])
        return known


def _rank(point: Sequence[float], points: Sequence[Sequence[float]]) -> int:
    """How many points dominate this one; where points are single numbers, their order says all of it."""
    if len(point) == 1:
        return 0
    return sum(dominates(other, point) for other in points)
