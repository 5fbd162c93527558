"""Counts, for each of many sums, the ways of many others with which it satisfies a formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from archdsl.base.effort import spend
from archdsl.space.formulas import Atom, Box, Boxes, Formula, Junction, Not, TooManyBoxes, boxes, truth

if TYPE_CHECKING:  # it is loaded where there is much to do only: `archdsl check` answers before
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

SMALL = 5_000  # pairs up to which NumPy is not worth loading
LARGEST = 2**61  # numbers from here on are not for 64 bits
LIMB = 24  # bits of a number of ways that are summed as one number, so that millions of them add up exactly
CHUNK = 1_000_000  # pairs looked at together
PAIRS_PER_STEP = 40  # how many pairs NumPy compares in the time of one step of `effort`
MAX_BOXES, MAX_LAYERS = 200, 64

Columns: TypeAlias = Sequence[Sequence[int]]  # of each form the values, as many as there are sums


def completed(
    formula: Formula, before: Columns, after: Columns, ways: Sequence[int], work: Callable[[int], None]
) -> list[int]:
    """For each sum the ways of those others with which it satisfies the formula.

    Args:
        formula: over the forms, those of a sum before and one after added up; no constant.
        before: sums, for each form a column of their values, at least 0.
        after: the others.
        ways: how often each of the others counts; of any size.
        work: is told of the steps that are to be made, and may refuse them.
    """
    if len(before[0]) * len(ways) <= SMALL:
        spend(2 * len(before[0]) * len(ways))
        others = list(zip(*after, ways, strict=True))
        return [sum(other[-1] for other in others if _holds(formula, one, other)) for one in zip(*before, strict=True)]
    import numpy as np

    small = all(max(column) < LARGEST for column in (*before, *after))
    left, right = (np.array(columns, dtype=np.int64 if small else object) for columns in (before, after))
    limbs = range(0, max(1, max(ways).bit_length()), LIMB)
    weights = np.array([[(way >> limb) % 2**LIMB for way in ways] for limb in limbs], dtype=np.int64)
    pairs = left.shape[1] * right.shape[1] // PAIRS_PER_STEP
    questions = _questions(formula, left, right, pairs) if small else None
    found = np.zeros((len(limbs), left.shape[1]), dtype=np.int64)
    if questions is None:
        work(pairs)
        rows = max(1, CHUNK // right.shape[1])
        for start in range(0, left.shape[1], rows):
            fits = _fits(formula, left[:, start : start + rows], right)
            found[:, start : start + rows] = (fits.astype(np.float64) @ weights.T.astype(np.float64)).T
    else:
        work(sum(question.steps or 0 for question in questions))
        for q in questions:
            found[:, q.askers] += q.weight * _below(q.points, weights[:, q.inside], q.bounds)
    return [sum(value << limb for value, limb in zip(row, limbs, strict=True)) for row in found.T.tolist()]


def _holds(formula: Formula, one: Sequence[int], other: Sequence[int]) -> bool:
    total = [a + b for a, b in zip(one, other, strict=False)]
    return truth(formula, total, total) is True


def _fits(formula: Formula, left: Array, right: Array) -> Array:
    """Whether each of the left satisfies the formula with each of the right."""
    import numpy as np

    match formula:
        case Atom(form=form, bound=bound):
            limit = bound if left.dtype == object else min(max(bound, -LARGEST), LARGEST * 2)
            found: Array = right[None, form] <= (limit - left[form])[:, None]
            return found
        case Not(part=part):
            return np.logical_not(_fits(part, left, right))
        case Junction(every=every, parts=parts):
            join = np.logical_and if every else np.logical_or
            total = _fits(parts[0], left, right)
            for part in parts[1:]:
                join(total, _fits(part, left, right), out=total)
            return total
    return np.full((left.shape[1], right.shape[1]), bool(formula))


# ---- how much lies below upper bounds ----------------------------------------------------------------------


class _Question(NamedTuple):
    """How much of what can still be added lies in a box, for those sums to which anything can be added in it.

    Attributes:
        weight: of the box.
        askers: their numbers.
        inside: numbers of what can be added.
        bounds: (d, askers): what may be added at most, in the dimensions in which that says anything.
        points: (d, inside): what can be added; the dimension of fewest values is the last.
    """

    weight: int
    askers: Array
    inside: Array
    bounds: Array
    points: Array

    @property
    def steps(self) -> int | None:
        """About how many steps the answer takes; None where that is too long."""
        return _steps(self.points, self.bounds)


def _questions(formula: Formula, before: Array, after: Array, most: int) -> list[_Question] | None:
    """What a formula asks, box by box; None where answering takes longer than to look at all pairs."""
    found: Boxes
    try:
        found = boxes(formula, MAX_BOXES)
    except TooManyBoxes:
        return None
    asked = [q for box, weight in found.items() if (q := _question(box, weight, before, after)) is not None]
    steps = [question.steps for question in asked]
    total = sum(step for step in steps if step is not None)
    return None if None in steps or SMALL < most < total else asked


def _question(box: Box, weight: int, before: Array, after: Array) -> _Question | None:
    """What a box asks; None where nothing lies in it."""
    import numpy as np

    forms = [form for form, _ in box]
    most = np.array([max(-2 * LARGEST, min(2 * LARGEST, bound)) for _, bound in box], dtype=np.int64)[:, None]
    askers = np.flatnonzero((before[forms] <= most - after[forms].min(axis=1, keepdims=True)).all(axis=0))
    if not len(askers):
        return None
    asking = before[forms][:, askers]
    inside = np.flatnonzero((after[forms] <= most - asking.min(axis=1, keepdims=True)).all(axis=0))
    if not len(inside):
        return None
    points = after[forms][:, inside]
    telling = np.flatnonzero(asking.max(axis=1) + points.max(axis=1) > most[:, 0])
    ordered = sorted(telling.tolist(), key=lambda row: -len(np.unique(points[row])))
    return _Question(weight, askers, inside, (most - asking)[ordered], points[ordered])


def _steps(points: Array, bounds: Array) -> int | None:
    import numpy as np

    if len(points) <= 2:
        return 2 * (int(points.shape[1]) + int(bounds.shape[1]))
    layers, inner = min(len(np.unique(points[-1])), len(np.unique(bounds[-1]))), _steps(points[:-1], bounds[:-1])
    return None if layers > MAX_LAYERS or inner is None else layers * inner


def _below(points: Array, weights: Array, bounds: Array) -> Array:
    """For each bound the weight of the points that exceed it nowhere, limb by limb: (limbs, m).

    Args:
        points: (d, n).
        weights: (limbs, n).
        bounds: (d, m).
    """
    import numpy as np

    if not len(points):
        return np.repeat(weights.sum(axis=1, keepdims=True), bounds.shape[1], axis=1)
    if len(points) == 1:
        order = np.argsort(points[0], kind="stable")
        return _so_far(weights[:, order])[:, np.searchsorted(points[0, order], bounds[0], side="right")]
    if len(points) == 2:
        return _below_in_plane(points, weights, bounds)
    # Bounds that reach as far in the last dimension are answered together, from the points up to there.
    values = np.unique(points[-1])
    reach = np.searchsorted(values, bounds[-1], side="right")
    found = np.zeros((len(weights), bounds.shape[1]), dtype=np.int64)
    for layer in np.unique(reach).tolist():
        if layer:
            asking, inside = np.flatnonzero(reach == layer), np.flatnonzero(points[-1] <= values[layer - 1])
            found[:, asking] = _below(points[:-1, inside], weights[:, inside], bounds[:-1, asking])
    return found


def _below_in_plane(points: Array, weights: Array, bounds: Array) -> Array:
    """A wavelet matrix (Claude and Navarro 2012, doi:10.1007/978-3-642-34109-0_18) with sums of weights.

    The points stand in the order of their first coordinate, so that those up to a bound are the first so many. They
    are split by the highest bit of the rank of their second coordinate: where the bound's bit is 1 all points of a 0
    lie below and are counted, and those of a 1 are looked at further; else those of a 0 are.
    """
    import numpy as np

    order = np.argsort(points[0], kind="stable")
    heights = np.unique(points[1])
    height, weights = np.searchsorted(heights, points[1, order]), weights[:, order]
    limit = np.searchsorted(heights, bounds[1], side="right")
    stop = np.searchsorted(points[0, order], bounds[0], side="right")
    start = np.zeros_like(stop)
    found = np.zeros((len(weights), len(stop)), dtype=np.int64)
    for bit in range(len(heights).bit_length() - 1, -1, -1):
        is_one = ((height >> bit) & 1).astype(bool)
        ones = _so_far(is_one[None].astype(np.int64))[0]
        zeros = len(height) - int(ones[-1])
        sums = _so_far(np.where(is_one, 0, weights))
        counts = ((limit >> bit) & 1).astype(bool)
        found[:, counts] += sums[:, stop[counts]] - sums[:, start[counts]]
        start = np.where(counts, zeros + ones[start], start - ones[start])
        stop = np.where(counts, zeros + ones[stop], stop - ones[stop])
        split = np.concatenate([np.flatnonzero(~is_one), np.flatnonzero(is_one)])
        height, weights = height[split], weights[:, split]
    return found


def _so_far(rows: Array) -> Array:
    """Sums of the first 0, 1, 2, … of each row."""
    import numpy as np

    sums = np.zeros((len(rows), rows.shape[1] + 1), dtype=np.int64)
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    return sums
