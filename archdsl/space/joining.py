"""The two halves of paths put together: for each sum before the middle, how much of what comes after it fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from archdsl.space.dominance import below, steps
from archdsl.space.formulas import Box, Boxes, Formula, TooManyBoxes, boxes, truth
from archdsl.space.pairs import completed

MAX_BOXES = 200
SMALL = 5_000  # steps up to which NumPy is not worth loading
PAIRS_PER_STEP = 40  # how many pairs NumPy compares in the time of one step
LARGEST = 2**61  # sums from here on are not for NumPy

Sums = Sequence[Sequence[int]]


class Halves:
    """How a formula is answered for a sum in two parts.

    Args:
        formula: over the forms, those of both parts added up.
        work: is told of the steps that are to be made, and may refuse them.
    """

    def __init__(self, formula: Formula, work: Callable[[int], None]) -> None:
        self.formula, self._work = formula, work
        self._boxes: Boxes | None
        try:
            self._boxes = boxes(formula, MAX_BOXES)
        except TooManyBoxes:
            self._boxes = None

    def joined(self, before: Sums, after: Sequence[tuple[Sequence[int], int]]) -> list[int]:
        """For each sum before the middle in how many ways it goes on to satisfy the formula.

        Args:
            before: of each form what was added so far.
            after: of each form what may still be added, and in how many ways.
        """
        if not after:
            return [0] * len(before)
        pairs = len(before) * len(after) // PAIRS_PER_STEP
        asked = (_Question.of(box, weight, before, after) for box, weight in (self._boxes or {}).items())
        questions = [question for question in asked if question is not None]
        effort = sum(steps(question.points, question.bounds) for question in questions)
        if self._boxes is None or SMALL < pairs < effort:
            self._work(pairs)
            if _is_small(before, [sums for sums, _ in after]):
                return completed(self.formula, before, [sums for sums, _ in after], [ways for _, ways in after])
        if self._boxes is None:
            return [sum(ways for sums, ways in after if self._holds(one, sums)) for one in before]
        self._work(effort)
        totals = [0] * len(before)
        for question in questions:
            for asker, inside in zip(question.askers, below(question.points, question.bounds), strict=True):
                totals[asker] += question.weight * inside
        return totals

    def _holds(self, before: Sequence[int], after: Sequence[int]) -> bool:
        total = [a + b for a, b in zip(before, after, strict=True)]
        return truth(self.formula, total, total) is True


def _is_small(*many: Sums) -> bool:
    return all(value < LARGEST for sums in many for row in sums for value in row)


class _Question(NamedTuple):
    """How much of what can still be added lies in a box, for those sums to which anything can be added in it.

    Attributes:
        askers: their numbers.
        bounds: for each of them what may be added at most, in the dimensions in which that says anything.
        points: what can be added, in the same dimensions, and in how many ways.
        weight: of the box.
    """

    askers: list[int]
    bounds: list[list[int]]
    points: list[tuple[list[int], int]]
    weight: int

    @classmethod
    def of(cls, box: Box, weight: int, before: Sums, after: Sequence[tuple[Sequence[int], int]]) -> _Question | None:
        """None where nothing lies in the box."""
        least = {form: min(p[form] for p, _ in after) for form, _ in box}
        askers = list(range(len(before)))
        for form, bound in box:
            room = bound - least[form]
            askers = [i for i in askers if before[i][form] <= room]
        if not askers:
            return None
        points = list(after)
        for form, bound in box:
            room = bound - min(before[i][form] for i in askers)
            points = [point for point in points if point[0][form] <= room]
        if not points:
            return None
        most = {form: max(before[i][form] for i in askers) + max(p[form] for p, _ in points) for form, _ in box}
        values = {form: len({p[form] for p, _ in points}) for form, _ in box}
        # The dimension of most values is the one that is sorted.
        cut = sorted(((form, bound) for form, bound in box if most[form] > bound), key=lambda c: -values[c[0]])
        bounds = [[bound - before[i][form] for form, bound in cut] for i in askers]
        return cls(askers, bounds, [([p[form] for form, _ in cut], ways) for p, ways in points], weight)
