"""Paths that satisfy a formula, from their counts: drawn evenly, or one after the other without a wrong turn."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from archdsl.base.effort import spend
from archdsl.space.counting import Counting, Segment, Sums
from archdsl.space.formulas import truth
from archdsl.space.graph import Edge

T = TypeVar("T")
Path = list[Edge]
PICKING = 5  # steps of `effort`


def draw_path(counting: Counting, rng: random.Random) -> Path:
    """A path, each with the same probability (an edge of several ways counting as often).

    What is chosen next is chosen in proportion to the number of ways that lead on from it.
    """
    path: Path = []
    node, sums = 0, next(iter(counting.forward[0][0]))
    for number in range(counting.middle):
        segment, following = counting.segments[number], counting.ahead(number + 1)
        steps = []
        for key, count in segment.ways[node].items():
            target, added = segment.split(key)
            settled = counting.settled(target, sums + added)
            ahead = following.get(target, {}).get(settled, 0) if settled is not None else 0
            steps.append(((key, target, settled), count * ahead))
        key, target, settled = _pick(steps, rng)
        path += _inside(counting, segment, node, key, rng)
        node, sums = target, settled or 0
    if counting.middle == len(counting.segments):
        return path
    rest = _pick(_completions(counting, node, sums).items(), rng)
    for number in range(counting.middle, len(counting.segments)):
        segment, after = counting.segments[number], counting.backward[number + 1]
        remaining = []
        for key, count in segment.ways[node].items():
            target, added = segment.split(key)
            remaining.append(((key, target, rest - added), count * after.get(target, {}).get(rest - added, 0)))
        key, target, left = _pick(remaining, rng)
        path += _inside(counting, segment, node, key, rng)
        node, rest = target, left
    return path


def _inside(counting: Counting, segment: Segment, node: int, key: int, rng: random.Random) -> Path:
    """A path through a segment that adds what `key` says."""
    path: Path = []
    while node in segment.inner:
        steps = []
        for edge, added in zip(counting.graph.edges[node], counting.packed[node], strict=True):
            steps.append(((edge, key - added), edge.ways * segment.ways[edge.target].get(key - added, 0)))
        edge, key = _pick(steps, rng)
        path.append(edge)
        node = edge.target
    return path


def _completions(counting: Counting, node: int, sums: int) -> Sums:
    """What can be added in the middle so that the formula holds, and in how many ways."""
    before = counting.unpacked(sums)
    found = {}
    completions = counting.backward[counting.middle].get(node, {})
    spend(2 * len(completions))
    for after, ways in completions.items():
        total = [a + b for a, b in zip(before, counting.unpacked(after), strict=True)]
        if truth(counting.formula, total, total):
            found[after] = ways
    return found


def _pick(weighted: Iterable[tuple[T, int]], rng: random.Random) -> T:
    choices = list(weighted)
    spend(PICKING + len(choices))
    ticket = rng.randrange(sum(weight for _, weight in choices))
    for choice, weight in choices:
        ticket -= weight
        if ticket < 0:
            return choice
    raise ValueError("nothing to choose from")


# ---- one after the other ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Here:
    """Where a listing stands: every path that goes on from here satisfies the formula in the end.

    Attributes:
        segment: its number.
        wanted: what may still be added until the segment's exit, the exit on top.
        added: what was added since its entry.
        sums: what was added before the segment; None behind the middle.
        rest: behind the middle, what may be added from the segment's entry on.
    """

    node: int
    segment: int
    wanted: frozenset[int]
    added: int
    sums: int | None
    rest: frozenset[int]


def list_paths(counting: Counting) -> Iterator[Path]:
    """All paths, in the order of the edges; between two of them no edge is tried in vain."""
    if not counting.total:
        return
    entered = _enter(counting, 0, 0, next(iter(counting.forward[0][0])), frozenset())
    stack: list[Iterator[tuple[Edge, _Here | None]]] = [_onward(counting, entered)]
    path: Path = []
    while stack:
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
            if path:
                path.pop()
            continue
        edge, here = step
        path.append(edge)
        if here is None:
            yield list(path)
            path.pop()
        else:
            stack.append(_onward(counting, here))


def _onward(counting: Counting, here: _Here) -> Iterator[tuple[Edge, _Here | None]]:
    """The edges to go on with, and where they lead; None at the end."""
    segment = counting.segments[here.segment]
    for edge, added in zip(counting.graph.edges[here.node], counting.packed[here.node], strict=True):
        ways = segment.ways[edge.target]
        spend(PICKING + len(here.wanted))
        wanted = frozenset(key - added for key in here.wanted if key - added in ways)
        if not wanted:
            continue
        total = here.added + added
        if edge.target in segment.inner:
            there = _Here(edge.target, here.segment, wanted, total, here.sums, here.rest)
        elif edge.target == counting.graph.end:
            yield edge, None
            continue
        else:
            there = _leave(counting, here, edge.target, total)
        yield edge, there


def _leave(counting: Counting, here: _Here, node: int, added: int) -> _Here:
    if here.sums is not None:
        return _enter(counting, here.segment + 1, node, counting.settled(node, here.sums + added), frozenset())
    after = counting.backward[here.segment + 1][node]
    spend(len(here.rest) / 8)
    rest = frozenset(sums - added for sums in here.rest if sums - added in after)
    return _enter(counting, here.segment + 1, node, None, rest)


def _enter(counting: Counting, number: int, node: int, sums: int | None, rest: frozenset[int]) -> _Here:
    """At the entry of a segment: what may be added in it."""
    segment = counting.segments[number]
    if sums is not None and number == counting.middle:
        rest, sums = frozenset(_completions(counting, node, sums)), None
    wanted = []
    following = counting.ahead(number + 1) if sums is not None else counting.backward[number + 1]
    for key in segment.ways[node]:
        target, added = segment.split(key)
        there = following.get(target, {})
        spend(PICKING)
        if sums is not None:
            settled = counting.settled(target, sums + added)
            fits = settled is not None and there.get(settled, 0) > 0
        else:
            spend(len(rest) / 8)
            fits = any(left - added in there for left in rest)
        if fits:
            wanted.append(key)
    return _Here(node, number, frozenset(wanted), 0, sums, rest)
