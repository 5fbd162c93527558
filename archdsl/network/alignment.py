"""Aligns two sequences: which item of the one stands for which of the other, so that as little as possible changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

ALONE = 2  # what an item costs that only one of the sequences has
MOST_CELLS = 250_000  # pairs that are weighed; longer sequences are paired by position

Pair = tuple[int | None, int | None]


def align(n: int, m: int, cost: Callable[[int, int], int]) -> Iterator[Pair]:
    """Pairs of indices in order; None where an item has no partner.

    Args:
        n, m: lengths of the sequences.
        cost: of pairing item i with item j: 0 for equal items, below 4 for pairs that are better than two left alone.

    >>> list(align(3, 2, lambda i, j: 0 if "abc"[i] == "ac"[j] else 3))
    [(0, 0), (1, None), (2, 1)]
    """
    # Equal ends are taken off first: most networks that are compared differ in a few places.
    head = 0
    while head < min(n, m) and not cost(head, head):
        head += 1
    tail = 0
    while tail < min(n, m) - head and not cost(n - 1 - tail, m - 1 - tail):
        tail += 1
    rows, columns = n - head - tail, m - head - tail
    yield from ((i, i) for i in range(head))
    if rows * columns <= MOST_CELLS:
        between = _cheapest(rows, columns, lambda i, j: cost(head + i, head + j))
    else:
        between = _by_position(rows, columns)
    for i, j in between:
        yield None if i is None else head + i, None if j is None else head + j
    yield from ((n - i, m - i) for i in range(tail, 0, -1))


def _cheapest(n: int, m: int, cost: Callable[[int, int], int]) -> Iterator[Pair]:
    """The alignment that costs least, by dynamic programming (Needleman & Wunsch 1970)."""
    table = [[ALONE * (i + j) for j in range(m + 1)] if not i else [ALONE * i] + [0] * m for i in range(n + 1)]
    for i in range(1, n + 1):
        above, row = table[i - 1], table[i]
        for j in range(1, m + 1):
            row[j] = min(above[j - 1] + cost(i - 1, j - 1), above[j] + ALONE, row[j - 1] + ALONE)
    found: list[Pair] = []
    i, j = n, m
    while i or j:
        if i and j and table[i][j] == table[i - 1][j - 1] + cost(i - 1, j - 1):
            i, j = i - 1, j - 1
            found.append((i, j))
        elif j and table[i][j] == table[i][j - 1] + ALONE:
            j -= 1
            found.append((None, j))
        else:
            i -= 1
            found.append((i, None))
    return reversed(found)


def _by_position(n: int, m: int) -> Iterator[Pair]:
    for i in range(max(n, m)):
        yield i if i < n else None, i if i < m else None
