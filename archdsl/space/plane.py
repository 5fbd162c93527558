"""How much lies below bounds in two dimensions, for many points: NumPy, exactly."""

from __future__ import annotations

from collections.abc import Sequence

LIMB = 40  # bits of a weight that are summed in one integer of 64, so that millions of them add up exactly
LARGEST = 2**62


def below_in_plane(points: Sequence[tuple[Sequence[int], int]], bounds: Sequence[Sequence[int]]) -> list[int]:
    """For each bound the weight of the points that exceed it in neither coordinate.

    The points up to a bound's first coordinate are a union of blocks of 1, 2, 4, … neighbours in that order, one for
    each bit of their number; in each block, sorted by the second coordinate, sums of weights answer the rest.

    >>> below_in_plane([((1, 5), 10), ((2, 2), 1)], [(1, 9), (2, 4), (2, 5)])
    [10, 1, 11]
    """
    import numpy as np  # only where there is much to do: `archdsl check` answers before NumPy is loaded

    x, y = (np.array([point[d] for point, _ in points], dtype=np.int64) for d in (0, 1))
    right, top = (np.array([max(-LARGEST, min(LARGEST, b[d])) for b in bounds], dtype=np.int64) for d in (0, 1))
    order = np.argsort(x, kind="stable")
    first = np.searchsorted(x[order], right, side="right")  # how many points lie to the left of each bound
    heights = np.unique(y)
    height = np.searchsorted(heights, y[order])
    limit = np.searchsorted(heights, top, side="right")
    limbs = range(0, max(weight.bit_length() for _, weight in points) or 1, LIMB)
    weights = np.array([[(points[i][1] >> limb) % 2**LIMB for limb in limbs] for i in order.tolist()], dtype=np.int64)
    sums = np.zeros((len(bounds), len(limbs)), dtype=np.int64)
    place = np.arange(len(points))
    for level in range(len(points).bit_length()):
        asking = np.flatnonzero((first >> level) & 1)
        key = (place >> level) * (len(heights) + 1) + height
        sorted_ = np.argsort(key, kind="stable")
        so_far = np.concatenate([np.zeros((1, len(limbs)), dtype=np.int64), np.cumsum(weights[sorted_], axis=0)])
        block = (first[asking] >> (level + 1)) * 2
        end = np.searchsorted(key[sorted_], block * (len(heights) + 1) + limit[asking], side="left")
        sums[asking] += so_far[end] - so_far[block << level]
    return [sum(value << limb for value, limb in zip(row, limbs, strict=True)) for row in sums.tolist()]
