"""Keeps what a search has tried so far, in the order in which it ended; proposing and reporting ask it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

CURVES = {"accuracy": "curve", "nll": "curve_nll"}  # scores with a value after every epoch, and where a record has them

Objectives = Sequence[tuple[str, str]]


class History:
    """The records of a study.

    Args:
        objectives: (score, direction) pairs.

    Attributes:
        by_number: the trials, one record per network; a promoted network's record is the latest one.
        seen: the same records by what makes two networks the same (`record.key_of`).
        asked: proposals that ended on their own, duplicates and misfits among them; the seed of the next proposal.
        fruitless: of those, how many in a row brought nothing new.
        turned_away: members that a filter before training did not let through, as in `seen`.
    """

    def __init__(self, objectives: Objectives) -> None:
        self.objectives = tuple(objectives)
        self.by_number: dict[int, dict[str, Any]] = {}
        self.seen: dict[str, dict[str, Any]] = {}
        self.asked = 0
        self.fruitless = 0
        self.turned_away: set[str] = set()

    def take_in(self, entry: dict[str, Any]) -> None:
        """Add a record; its `kind` is trained, continued (a promoted network, trained on), duplicate or unfit."""
        self.asked += 1
        if entry["kind"] in ("duplicate", "unfit"):
            self.fruitless += 1
            if entry["kind"] == "unfit" and "key" in entry:
                self.turned_away.add(entry["key"])
            return
        self.fruitless = 0
        self.by_number[entry["number"]] = entry
        self.seen[entry["key"]] = entry

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The trials by number."""
        return [self.by_number[number] for number in sorted(self.by_number)]

    def values(self, entry: dict[str, Any]) -> list[float] | None:
        """What the sampler is told of a trial, one value per objective; None when it has none.

        A stopped network enters with its metric when stopped plus the median gain the finished ones made from there,
        the same share of their trainings; without it a sampler would either not learn of it or think it worse than it
        is. It is never the best.
        """
        if entry["state"] == "failed":
            return None
        values = []
        for name, _ in self.objectives:
            value = entry["scores"].get(name)
            if value is not None and entry["state"] == "stopped" and name in CURVES:
                value += self._gain(CURVES[name], entry)
            values.append(value)
        return None if any(value is None or value != value for value in values) else values

    def _gain(self, curve: str, entry: dict[str, Any]) -> float:
        """0 while none has finished that came past there: a training of one epoch has no middle."""
        gains = []
        for trial in self.by_number.values():
            if trial["state"] == "complete":
                there = -(-entry["epochs"] * trial["epochs"] // whole(entry))  # rounded up, as rungs are
                if 0 < there < trial["epochs"]:
                    gains.append(trial[curve][-1] - trial[curve][there - 1])
        return statistics.median(gains) if gains else 0.0

    def best(self) -> dict[str, Any] | None:
        """The best trial by the first objective, of those on the Pareto front; None before any is complete."""
        front = [self.by_number[number] for number in self.front()]
        name, direction = self.objectives[0]
        if not front:
            return None
        return (max if direction == "maximize" else min)(front, key=lambda trial: trial["scores"][name])

    def front(self) -> list[int]:
        """Numbers of the trials no other trial beats in every objective; one of them when there is one objective."""
        names = [(name, -1.0 if direction == "maximize" else 1.0) for name, direction in self.objectives]
        points = [
            (trial["number"], [sign * trial["scores"][name] for name, sign in names])
            for trial in self.trials
            if trial["state"] == "complete" and all(name in trial["scores"] for name, _ in names)
        ]
        if len(names) == 1:
            return [min(points, key=lambda p: p[1])[0]] if points else []
        return [n for n, p in points if not any(dominates(q, p) for _, q in points)]


def whole(entry: dict[str, Any]) -> int:
    """The epochs of a candidate's whole training, by its own recipe."""
    epochs: int = entry["recipe"]["epochs"]
    return epochs


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether point a is nowhere above b and somewhere below.

    >>> dominates([1, 2], [1, 3]), dominates([1, 2], [0, 3]), dominates([1, 2], [1, 2])
    (True, False, False)
    """
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b
