"""How much lies below upper bounds, for many weighted points in several dimensions: NumPy, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from archdsl.space.formulas import Box

if TYPE_CHECKING:  # it is loaded where there is much to do only: `archdsl check` answers before
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

LIMB = 36  # bits of a weight that are summed in one integer of 64, so that millions of them add up exactly
LARGEST = 2**61  # coordinates from here on are not for NumPy
LAYERS = 64


class Question(NamedTuple):
    """How much of what can still be added lies in a box, for those sums to which anything can be added in it.

    Attributes:
        askers: their numbers.
        inside: numbers of what can be added.
        bounds: (d, askers): what may be added at most, in the dimensions in which that says anything.
        points: (d, inside): what can be added; the dimension of fewest values is the last.
    """

    askers: Integers
    inside: Integers
    bounds: Integers
    points: Integers

    @property
    def steps(self) -> int | None:
        """About how many steps the answer takes; None where that is too long."""
        return _steps(self.points, self.bounds)


def integers(columns: Sequence[Sequence[int]], length: int) -> Integers:
    """Columns of `length` numbers as an array (columns, length)."""
    import numpy as np

    return np.array(columns, dtype=np.int64).reshape(len(columns), length)


def question(box: Box, before: Integers, after: Integers) -> Question | None:
    """What a box asks; None where nothing lies in it.

    Args:
        box: upper bounds of sums, by form.
        before, after: (forms, n) the two parts that are added up.
    """
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
    return Question(askers, inside, (most - asking)[ordered], points[ordered])


def _steps(points: Integers, bounds: Integers) -> int | None:
    if len(points) <= 2:
        return 2 * (int(points.shape[1]) + int(bounds.shape[1]))
    layers, inner = _layers(points, bounds), _steps(points[:-1], bounds[:-1])
    return None if layers > LAYERS or inner is None else layers * inner


def _layers(points: Integers, bounds: Integers) -> int:
    import numpy as np

    return min(len(np.unique(points[-1])), len(np.unique(bounds[-1])))


# ---- exact weights ---------------------------------------------------------------------------------------


def limbs(weights: Sequence[int]) -> Integers:
    """Weights of any size, at least 0, as an array (limbs, n)."""
    import numpy as np

    mask, bits = (1 << LIMB) - 1, max(weights, default=0).bit_length()
    rows = [[(weight >> limb) & mask for weight in weights] for limb in range(0, max(1, bits), LIMB)]
    return np.array(rows, dtype=np.int64)


def add(total: Integers, at: Integers, factor: int, weights: Integers) -> None:
    """Add `factor` times the weights (limbs, n) to different places `at` of a total, which has two limbs more."""
    import numpy as np

    more = np.zeros((len(total), weights.shape[1]), dtype=np.int64)
    more[: len(weights)] = weights
    _carry(more)
    total[:, at] += factor * more
    _carry(total)


def _carry(total: Integers) -> None:
    for row in range(len(total) - 1):
        total[row + 1] += total[row] >> LIMB
        total[row] &= (1 << LIMB) - 1


def whole(total: Integers) -> list[int]:
    """The numbers that limbs stand for."""
    found: list[int] = total[-1].tolist()
    for row in total[-2::-1]:
        found = [(high << LIMB) + low for high, low in zip(found, row.tolist(), strict=True)]
    return found


# ---- dominance -------------------------------------------------------------------------------------------


def below(points: Integers, weights: Integers, bounds: Integers) -> Integers:
    """For each bound the weight of the points that exceed it nowhere.

    Args:
        points: (d, n).
        weights: (limbs, n).
        bounds: (d, m).

    Returns:
        (limbs, m), where limbs can be larger than `LIMB` bits.
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
            found[:, asking] = below(points[:-1, inside], weights[:, inside], bounds[:-1, asking])
    return found


def _below_in_plane(points: Integers, weights: Integers, bounds: Integers) -> Integers:
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


def _so_far(rows: Integers) -> Integers:
    """Sums of the first 0, 1, 2, … of each row."""
    import numpy as np

    sums = np.zeros((len(rows), rows.shape[1] + 1), dtype=np.int64)
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    return sums
