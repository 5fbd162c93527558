"""How much lies below upper bounds in several dimensions: weighted points, exactly, and without looking at pairs.

For many points `archdsl.space.arrays` does the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import prod

Point = Sequence[int]


def below(points: Sequence[tuple[Point, int]], bounds: Sequence[Point]) -> list[int]:
    """For each bound the weight of the points that exceed it nowhere.

    One dimension is sorted, the others are kept in a Fenwick tree each, one inside the other (Fenwick 1994,
    doi:10.1002/spe.4380240306): n points and m bounds cost (n + m) log^(d-1) n steps.

    >>> below([((1, 5), 10), ((2, 2), 1)], [(1, 9), (2, 4), (2, 5)])
    [10, 1, 11]
    """
    if not bounds:
        return []
    dimensions = len(bounds[0])
    if not dimensions:
        return [sum(weight for _, weight in points)] * len(bounds)
    if dimensions == 1:
        ordered = sorted((point[0], weight) for point, weight in points)
        keys = [key for key, _ in ordered]
        sums = [0, *accumulate(weight for _, weight in ordered)]
        return [sums[bisect_right(keys, bound[0])] for bound in bounds]
    return _swept(points, bounds)


def steps(points: Sequence[tuple[Point, int]], bounds: Sequence[Point]) -> int:
    """About how many steps `below` takes."""
    dimensions = len(bounds[0]) if bounds else 0
    widths = [len({point[d] for point, _ in points}).bit_length() for d in range(1, dimensions)]
    return (len(points) + len(bounds)) * prod(widths)


def _swept(points: Sequence[tuple[Point, int]], bounds: Sequence[Point]) -> list[int]:
    """Points are entered by growing first coordinate, and each bound is answered when all up to it are in."""
    dimensions = len(bounds[0])
    axes = [sorted({point[d] for point, _ in points}) for d in range(1, dimensions)]
    widths = [len(axis) + 1 for axis in axes]
    strides = [prod(widths[d + 1 :]) for d in range(len(widths))]
    tree: dict[int, int] = {}
    arriving = iter(sorted(((point, weight) for point, weight in points), key=lambda p: p[0][0]))
    waiting = next(arriving, None)
    answers = [0] * len(bounds)
    for number in sorted(range(len(bounds)), key=lambda b: bounds[b][0]):
        bound = bounds[number]
        while waiting is not None and waiting[0][0] <= bound[0]:
            places = [0]
            for d, axis in enumerate(axes):
                up = _up(bisect_right(axis, waiting[0][d + 1]), widths[d])
                places = [place + i * strides[d] for place in places for i in up]
            for place in places:
                tree[place] = tree.get(place, 0) + waiting[1]
            waiting = next(arriving, None)
        places = [0]
        for d, axis in enumerate(axes):
            down = _down(bisect_right(axis, bound[d + 1]))
            places = [place + i * strides[d] for place in places for i in down]
        answers[number] = sum(tree.get(place, 0) for place in places)
    return answers


def _up(index: int, width: int) -> list[int]:
    """The cells of a Fenwick tree that a point at `index` (from 1) is part of."""
    found = []
    while index < width:
        found.append(index)
        index += index & -index
    return found


def _down(index: int) -> list[int]:
    """The cells that together hold the points up to `index`."""
    found = []
    while index:
        found.append(index)
        index -= index & -index
    return found
