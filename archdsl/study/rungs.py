"""Halves successively: decides which of the networks that wait at a rung is trained on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.study.history import CURVES, Objectives, dominates, whole

YARDSTICKS = 3  # the first networks, baselines where there are any, are trained to the end whatever they look like
KEPT = 2  # one network of so many goes on from a rung
SHARES = (0.25, 0.5)  # of a whole training, after which networks wait
COSTS = ("params", "macs", "latency_ms")  # known of a network however long it was trained


@dataclass(frozen=True)
class Rungs:
    """Asynchronous successive halving that promotes (arXiv 1810.05934).

    Every network is trained up to the first rung and waits there. Whenever a place is free, the best waiting network
    of the better half of all that came as far is trained on, from its checkpoint, to the next rung.

    Rungs are shares of a candidate's own training, since a space may leave the epochs open. At a rung those are
    compared that came to the same share of theirs, where their learning rates have fallen as far: after equal numbers
    of epochs a short training would be at its end and a long one at its beginning.

    Attributes:
        objectives: (score, direction) pairs.
        halving: False trains every network to the end at once.
        shares: of a whole training, after which networks wait, rounded up to epochs.
        kept: one network of so many goes on from a rung.

    On the trained table of the shipped space (256 placements, three epochs, mean of three seeds) the rank correlation
    of one seed's accuracy with the final one is 0.40 after the first epoch, 0.54 after the second, 0.73 at the end.
    Other rungs, other shares or the NLL in place of accuracy found no better networks there with the same epochs,
    within the noise; those that keep fewer lost more of the best (`benchmarks/halving.py`).
    """

    objectives: Objectives = (("accuracy", "maximize"),)
    halving: bool = True
    shares: tuple[float, ...] = SHARES
    kept: int = KEPT

    def rungs(self, epochs: int) -> dict[float, int]:
        """The epochs after which a candidate waits that is trained for so many, by share; none where there are too few.

        Of shares that come to the same epoch the largest counts.
        """
        if not self.halving:
            return {}
        shares = {math.ceil(share * epochs): share for share in sorted(self.shares)}
        return {share: epoch for epoch, share in shares.items() if 0 < epoch < epochs}

    def next(self, done: int, epochs: int) -> int:
        """How far a candidate of so many epochs is trained next, of which so many are done."""
        return next((rung for rung in self.rungs(epochs).values() if rung > done), epochs)

    def promotable(self, trials: Iterable[dict[str, Any]], busy: Collection[int] = ()) -> dict[str, Any] | None:
        """The waiting network to train on, of the largest share at which one waits; None where none is good enough.

        Args:
            trials: records of all networks.
            busy: numbers of those that are being trained on already.
        """
        running = [(trial, self.rungs(whole(trial))) for trial in trials if trial["state"] != "failed"]
        for share in sorted(self.shares, reverse=True):
            there = [(trial, rungs[share]) for trial, rungs in running if share in rungs]
            there = [(trial, rung) for trial, rung in there if trial["epochs"] >= rung]
            points = [self._point(trial, rung) for trial, rung in there]
            ranked = sorted(zip(there, points, strict=True), key=lambda pair: (_rank(pair[1], points), pair[1]))
            for (trial, rung), _ in ranked[: len(there) // self.kept]:
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
