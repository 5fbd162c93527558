"""Counts, for each of many sums, the ways of many others with which it satisfies a formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from archdsl.base.effort import spend
from archdsl.space.formulas import Atom, Formula, Junction, Not, truth

if TYPE_CHECKING:  # it is loaded where there is much to do only: `archdsl check` answers before
    from numpy.typing import NDArray

    Bounds = tuple[NDArray[Any], NDArray[Any]]

SMALL = 5_000  # pairs up to which NumPy is not worth loading
LARGEST = 2**61  # numbers from here on are not for 64 bits
LIMB = 24  # bits of a number of ways that go into one float, so that a million of them add up exactly
BLOCK = 32  # sums near each other that are looked at together
PAIRS_PER_STEP = 40  # how many pairs NumPy compares in the time of one step of `effort`

Columns: TypeAlias = Sequence[Sequence[int]]  # of each form the values, as many as there are sums


def completed(
    formula: Formula, before: Columns, after: Columns, ways: Sequence[int], work: Callable[[int], None]
) -> list[int]:
    """For each sum the ways of those others with which it satisfies the formula.

    Args:
        formula: over the forms, those of a sum before and one after added up.
        before: sums, for each form a column of their values, at least 0.
        after: the others.
        ways: how often each of the others counts; of any size.
        work: is told of the steps that are to be made, and may refuse them.
    """
    if len(before[0]) * len(ways) > SMALL:
        return Halves(formula, after, ways).completed(before, work)
    spend(2 * len(before[0]) * len(ways))
    others = list(zip(*after, ways, strict=True))
    return [sum(other[-1] for other in others if _holds(formula, one, other)) for one in zip(*before, strict=True)]


def _holds(formula: Formula, one: Sequence[int], other: Sequence[int]) -> bool:
    total = [a + b for a, b in zip(one, other, strict=False)]
    return truth(formula, total, total) is True


class Halves:
    """Sums that complete others, in blocks of some that are near each other: most blocks are decided as a whole.

    Args:
        formula: over the forms, not a constant.
        after: the sums.
        ways: how often each of them counts.
    """

    def __init__(self, formula: Formula, after: Columns, ways: Sequence[int]) -> None:
        import numpy as np

        self._formula = formula
        self._limbs = range(0, max(1, max(way.bit_length() for way in ways)), LIMB)
        self._right = _Blocks(after)
        weights = np.array([[float((way >> limb) % 2**LIMB) for limb in self._limbs] for way in ways])
        self._weights = weights[self._right.order]
        self._totals = np.add.reduceat(self._weights, self._right.starts, axis=0)

    def completed(self, before: Columns, work: Callable[[int], None]) -> list[int]:
        """For each of `before` the ways with which it satisfies the formula."""
        import numpy as np

        left, right = _Blocks(before), self._right
        found = np.zeros((len(before[0]), len(self._limbs)))
        for number, start in enumerate(left.starts.tolist()):
            rows = slice(start, start + BLOCK)
            here = left.low[number : number + 1], left.high[number : number + 1]
            surely, possibly = (one[0] for one in _decided(self._formula, here, (right.low, right.high)))
            found[rows] += surely.astype(np.float64) @ self._totals
            inside = np.flatnonzero((possibly & ~surely)[right.block])
            work((len(right.low) + len(inside) * min(BLOCK, len(before[0]))) // PAIRS_PER_STEP)
            if len(inside):
                exact = left.values[rows], right.values[inside]
                fits, _ = _decided(self._formula, (exact[0], exact[0]), (exact[1], exact[1]))
                found[rows] += fits.astype(np.float64) @ self._weights[inside]
        answers = [0] * len(before[0])
        for place, row in zip(left.order.tolist(), found.tolist(), strict=True):
            answers[place] = sum(int(value) << limb for value, limb in zip(row, self._limbs, strict=True))
        return answers


class _Blocks:
    """Sums in an order in which those near each other stand together.

    Attributes:
        values: (n, forms).
        order: where each of them was.
        starts: of the blocks; block: the number of each sum's block.
        low, high: (blocks, forms), the least and the most of each block.
    """

    def __init__(self, columns: Columns) -> None:
        import numpy as np

        small = all(max(column) < LARGEST for column in columns)
        values = np.array(columns, dtype=np.int64 if small else object).T
        # In stripes of the first form, and in each of them by the last.
        places = np.arange(len(values))
        stripe, by_last = np.empty_like(places), np.empty_like(places)
        stripe[np.argsort(values[:, 0], kind="stable")] = places // max(BLOCK, int((len(values) * BLOCK) ** 0.5))
        by_last[np.argsort(values[:, -1], kind="stable")] = places
        self.order = np.lexsort((by_last, stripe))
        self.values = values[self.order]
        self.starts, self.block = places[::BLOCK], places // BLOCK
        self.low = np.minimum.reduceat(self.values, self.starts, axis=0)
        self.high = np.maximum.reduceat(self.values, self.starts, axis=0)


def _decided(formula: Formula, left: Bounds, right: Bounds) -> tuple[NDArray[Any], NDArray[Any]]:
    """Whether each of the left satisfies the formula with each of the right, surely and possibly: (left, right) each.

    Args:
        left, right: the least and the most of each, (n, forms); where these are the same, sure is what is possible.
    """
    import numpy as np

    match formula:
        case Atom(form=form, bound=bound):
            limit = min(max(bound, -LARGEST), 4 * LARGEST - 1) if left[1].dtype == right[1].dtype == np.int64 else bound
            surely: NDArray[Any] = right[1][None, :, form] <= (limit - left[1][:, form])[:, None]
            if left[0] is left[1] and right[0] is right[1]:
                return surely, surely
            return surely, right[0][None, :, form] <= (limit - left[0][:, form])[:, None]
        case Not(part=part):
            surely, possibly = _decided(part, left, right)
            return np.logical_not(possibly), np.logical_not(surely)
        case Junction(every=every, parts=parts):
            join = np.logical_and if every else np.logical_or
            surely, possibly = _decided(parts[0], left, right)
            for part in parts[1:]:
                more = _decided(part, left, right)
                surely, possibly = join(surely, more[0]), join(possibly, more[1])
            return surely, possibly
    return (np.full((len(left[0]), len(right[0])), bool(formula)),) * 2
