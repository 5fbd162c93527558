"""The two halves of paths put together: for each sum before the middle, how much of what comes after it fits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from archdsl.space import arrays
from archdsl.space.arrays import LARGEST
from archdsl.space.dominance import below, steps
from archdsl.space.formulas import Box, Boxes, Formula, TooManyBoxes, boxes, truth
from archdsl.space.pairs import completed

MAX_BOXES = 200
SMALL = 5_000  # steps up to which NumPy is not worth loading
MANY = 5_000  # sums before and after the middle, likewise
PAIRS_PER_STEP = 40  # how many pairs NumPy compares in the time of one step

Row: TypeAlias = Sequence[int]  # the sum of each form


class Sums:
    """Sums on one side of the middle.

    Args:
        columns: of each form the values.
        length: how many sums there are.
    """

    def __init__(self, columns: Sequence[Sequence[int]], length: int) -> None:
        self.columns, self.length = columns, length

    @functools.cached_property
    def rows(self) -> Sequence[Row]:
        """The sums, a value for each form."""
        return list(zip(*self.columns, strict=True)) if self.columns else [()] * self.length

    @functools.cached_property
    def is_small(self) -> bool:
        """Whether they are for NumPy."""
        return all(max(column, default=0) < LARGEST for column in self.columns)


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

    def joined(self, before: Sums, after: Sums, ways: Sequence[int]) -> list[int]:
        """For each sum before the middle in how many ways it goes on to satisfy the formula.

        Args:
            before: what was added so far.
            after: what may still be added.
            ways: in how many ways that is.
        """
        if not after.length:
            return [0] * before.length
        pairs = before.length * after.length // PAIRS_PER_STEP
        is_small = before.is_small and after.is_small
        if is_small and self._boxes is not None and before.length + after.length > MANY:
            found = self._by_arrays(self._boxes, before, after, ways, pairs)
            if found is not None:
                return found
        points = list(zip(after.rows, ways, strict=True))
        asked = (_Question.of(box, weight, before.rows, points) for box, weight in (self._boxes or {}).items())
        questions = [question for question in asked if question is not None]
        effort = sum(steps(question.points, question.bounds) for question in questions)
        if self._boxes is None or SMALL < pairs < effort:
            self._work(pairs)
            if is_small:
                return completed(self.formula, before.rows, after.rows, ways)
        if self._boxes is None:
            return [sum(number for sums, number in points if self._holds(one, sums)) for one in before.rows]
        self._work(effort)
        totals = [0] * before.length
        for question in questions:
            for asker, inside in zip(question.askers, below(question.points, question.bounds), strict=True):
                totals[asker] += question.weight * inside
        return totals

    def _by_arrays(
        self, boxes: Boxes, before: Sums, after: Sums, ways: Sequence[int], pairs: int
    ) -> list[int] | None:  # fmt: skip
        """The same for many sums; None where it takes longer than another way."""
        import numpy as np

        left, right = (arrays.integers(sums.columns, sums.length) for sums in (before, after))
        asked = ((arrays.question(box, left, right), weight) for box, weight in boxes.items())
        questions = [(question, weight) for question, weight in asked if question is not None]
        each = [question.steps for question, _ in questions]
        effort = sum(number for number in each if number is not None)
        if None in each or SMALL < pairs < effort:
            return None
        self._work(effort)
        weights = arrays.limbs(ways)
        total = np.zeros((len(weights) + 2, before.length), dtype=np.int64)
        for question, factor in questions:
            found = arrays.below(question.points, weights[:, question.inside], question.bounds)
            arrays.add(total, question.askers, factor, found)
        return arrays.whole(total)

    def _holds(self, before: Row, after: Row) -> bool:
        total = [a + b for a, b in zip(before, after, strict=True)]
        return truth(self.formula, total, total) is True


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
    def of(cls, box: Box, weight: int, before: Sequence[Row], after: Sequence[tuple[Row, int]]) -> _Question | None:
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
