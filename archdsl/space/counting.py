"""Counts the paths of a graph whose sums satisfy a formula, and draws and lists them.

The graph is cut into segments, in each of which the paths between two cuts are counted by what they add to the sums.
Then a table of sums is carried from the start as far, and one from the end as far, as is cheapest, and the two are
joined in the middle (Horowitz and Sahni 1974, doi:10.1145/321812.321823).
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias, TypeVar

from archdsl.base.effort import TooLarge, spend
from archdsl.space.formulas import Formula, truth
from archdsl.space.graph import Edge, Graph
from archdsl.space.joining import completed
from archdsl.space.sums import Form, Sums

T = TypeVar("T")
MAX_STEPS = 1_500_000
# Ways through a segment, counting those of equal sums once, up to which it is made longer: where all paths meet in one
# node, and elsewhere.
FEW, MANY = 60, 2_000
# Steps of `effort`: a step that joins sums, one that moves them on, one that only adds within a segment, and one that
# chooses a way.
STEP, MOVING, ADDING, CHOOSING = 2, 0.7, 0.3, 2
SETTLING = 3  # steps that it takes to see whether a sum is decided
REMEMBERED = 400_000  # ways on from a node and a sum that are kept for drawing and listing

Table: TypeAlias = dict[int, int]  # how many ways there are to each packed sum
Tables: TypeAlias = dict[int, Table]  # by node
Path: TypeAlias = list[Edge]


class Segment:
    """Between two cuts.

    Attributes:
        entries: the nodes behind the first cut to which edges lead from before it.
        ways: for each node in it, how many paths lead to an exit by what they add; the exit is packed on top.
    """

    entries: Sequence[int] = ()

    def __init__(self, exits: Iterable[int], bits: int) -> None:
        self._exits, self._bits = tuple(exits), bits
        self.ways: Tables = {node: {number << bits: 1} for number, node in enumerate(exits)}

    def split(self, key: int) -> tuple[int, int]:
        """The exit and what is added on the way to it."""
        return self._exits[key >> self._bits], key & ((1 << self._bits) - 1)

    def leads_on(self, node: int) -> bool:
        """Whether a node lies before the exits."""
        return node not in self._exits


class Counting:
    """The paths of a graph that satisfy a formula.

    Args:
        graph: the paths.
        forms: what the formula speaks of, as weights of the costs on the edges.
        formula: the condition; None where `accepts` decides on the sums of whole paths, one by one.

    Attributes:
        total: how many paths satisfy the formula.

    Raises:
        TooLarge: there are too many different sums.
    """

    def __init__(
        self, graph: Graph, forms: Sequence[Form], formula: Formula | None,
        accepts: Callable[[list[int]], bool] | None = None,
    ) -> None:  # fmt: skip
        self._graph, self._accepts = graph, accepts if formula is None else None
        self._steps_left = MAX_STEPS
        self._sums = Sums(graph, forms, True if formula is None else formula)
        self._known: dict[tuple[int, int, int], int] = {}
        self._choices: dict[tuple[int, int, int], tuple[list[int], list[int]]] = {}
        self._segments = self._cut()
        self._forward, self._back = self._meet()
        self._middle = len(self._forward) - 1
        self._ahead: list[Tables] = [self._joined()]
        self.total = sum(
            ways * self._ahead[0][node][sums]
            for node, found in self._forward[-1].items()
            for sums, ways in found.items()
        )

    def _work(self, steps: int, each: float = STEP) -> None:
        spend(each * steps)
        self._steps_left -= steps
        if self._steps_left < 0:
            raise TooLarge

    def _settled(self, node: int, sums: int) -> int | None:
        return sums if self._accepts is not None else self._sums.settled(node, sums)

    # ---- tables ----

    def _cut(self) -> list[Segment]:
        """Segments from the end to the start, each as long as there are few ways through it.

        A path crosses a cut at the first node behind it, however far the edge leads.
        """
        edges, level = self._graph.edges, self._graph.level
        before = [self._graph.end] * len(edges)  # the first node that leads to each
        for node in range(self._graph.end, -1, -1):
            for edge in edges[node]:
                before[edge.target] = node
        found: list[Segment] = []
        segment, crossed = Segment([self._graph.end], self._sums.bits), [self._graph.end]
        for node in range(self._graph.end - 1, -1, -1):
            ways: Table = {}
            for edge, added in zip(edges[node], self._sums.added[node], strict=True):
                self._work(len(segment.ways[edge.target]), ADDING)
                for sums, count in segment.ways[edge.target].items():
                    ways[sums + added] = ways.get(sums + added, 0) + count * edge.ways
            segment.ways[node] = ways
            crossed.append(node)
            if node and level[node] == level[node - 1]:
                continue
            crossed = [other for other in crossed if before[other] < node or not other]
            few = FEW if len(crossed) == 1 else MANY
            if not node or sum(len(segment.ways[other]) for other in crossed) > few:
                segment.entries = tuple(crossed)
                found.append(segment)
                segment = Segment(crossed, self._sums.bits)
        return found[::-1]

    def _meet(self) -> tuple[list[Tables], dict[int, Tables]]:
        """How many ways lead to each sum before each cut up to the middle, and on from each one behind it."""
        first, last = 0, len(self._segments)
        start = self._settled(0, 0)
        forward: list[Tables] = [{0: {start: 1}} if start is not None else {}]
        back: dict[int, Tables] = {last: {self._graph.end: {0: 1}}}
        while first < last:
            here, before = self._segments[first], self._segments[last - 1]
            ahead = sum(len(sums) * len(here.ways[node]) for node, sums in forward[first].items())
            keys = [(n, *before.split(key), count) for n in before.entries for key, count in before.ways[n].items()]
            behind = sum(len(back[last][target]) for _, target, _, _ in keys)
            if ahead * SETTLING <= behind or self._accepts is not None:
                self._work(ahead * (1 + SETTLING), MOVING)
                forward.append(self._followed(here, forward[first]))
                first += 1
            else:
                self._work(behind, MOVING)
                tables: Tables = {}
                for node, target, added, count in keys:
                    table = tables.setdefault(node, {})
                    for sums, ways in back[last][target].items():
                        table[sums + added] = table.get(sums + added, 0) + ways * count
                last -= 1
                back[last] = tables
        return forward, back

    def _followed(self, segment: Segment, before: Tables) -> Tables:
        """The sums behind a segment, from those before it."""
        raw: Tables = {}
        for node, found in before.items():
            for key, count in segment.ways[node].items():
                target, added = segment.split(key)
                there = raw.setdefault(target, {})
                for sums, ways in found.items():
                    there[sums + added] = there.get(sums + added, 0) + ways * count
        reached: Tables = {}
        for node, found in raw.items():
            for sums, ways in found.items():
                settled = self._settled(node, sums)
                if settled is not None:
                    there = reached.setdefault(node, {})
                    there[settled] = there.get(settled, 0) + ways
        return reached

    def _joined(self) -> Tables:
        """For each sum in the middle how many ways lead on to the end."""
        return {
            node: dict(zip(sums, self._completed(self._middle, node, list(sums)), strict=True))
            for node, sums in self._forward[-1].items()
        }

    def _completed(self, number: int, node: int, many: list[int]) -> list[int]:
        """How many ways lead on from a node before a segment behind the middle, for many sums."""
        if self._accepts is not None:
            rows = zip(*self._sums.columns(many), strict=True)
            return [int(self._accepts([a + b for a, b in zip(row, self._sums.least, strict=True)])) for row in rows]
        after = self._back[number].get(node, {})
        if not after or not self._sums.least:  # no sums, and so nothing to compare
            return [sum(after.values()) if truth(self._sums.formula, (), ()) else 0] * len(many)
        before = self._sums.columns(many)
        return completed(self._sums.formula, before, self._sums.columns(after), list(after.values()), self._work)

    # ---- ways on ----

    def _ways_on(self, number: int, node: int, sums: int) -> int:
        """How many ways lead on to the end from a node before a segment, so much having been added."""
        settled = self._settled(node, sums)
        if settled is None:
            return 0
        if number <= self._middle:
            return self._before_middle(number)[node][settled]
        key = number, node, settled
        if key not in self._known:
            if len(self._known) > REMEMBERED:
                self._known.clear()
            self._known[key] = self._completed(number, node, [settled])[0]
        return self._known[key]

    def _before_middle(self, number: int) -> Tables:
        """How many ways lead on to the end from each sum before a segment."""
        while len(self._ahead) <= self._middle - number:
            here = self._middle - len(self._ahead)
            tables: Tables = {}
            for node, found in self._forward[here].items():
                keys = [(*self._segments[here].split(key), n) for key, n in self._segments[here].ways[node].items()]
                tables[node] = {
                    sums: sum(n * self._ways_on(here + 1, target, sums + added) for target, added, n in keys)
                    for sums in found
                }
            self._ahead.append(tables)
        return self._ahead[self._middle - number]

    def _through(self, number: int, node: int, sums: int) -> tuple[list[int], list[int]]:
        """What may be added in a segment so that the formula can hold, and in how many ways it then does, summed up."""
        place = number, node, sums
        if place not in self._choices:
            if len(self._choices) > REMEMBERED // 100:
                self._choices.clear()
            segment, keys, weights = self._segments[number], [], []
            for key, count in segment.ways[node].items():
                target, added = segment.split(key)
                if ways := self._ways_on(number + 1, target, sums + added):
                    keys.append(key)
                    weights.append(count * ways)
            spend(CHOOSING * len(segment.ways[node]))
            self._choices[place] = keys, list(accumulate(weights))
        return self._choices[place]

    def draw(self, rng: random.Random) -> Path:
        """A path, each with the same probability (an edge of several ways counting as often).

        What is chosen next is chosen in proportion to the number of ways that lead on from it.
        """
        path: Path = []
        node, sums = 0, self._settled(0, 0)
        for number, segment in enumerate(self._segments):
            if sums is None:
                raise ValueError("there is nothing to draw")
            key = _picked(*self._through(number, node, sums), rng)
            target, added = segment.split(key)
            while segment.leads_on(node):
                edges = list(zip(self._graph.edges[node], self._sums.added[node], strict=True))
                weights = accumulate(edge.ways * segment.ways[edge.target].get(key - more, 0) for edge, more in edges)
                edge, more = _picked(edges, list(weights), rng)
                path.append(edge)
                node, key = edge.target, key - more
            sums = self._settled(target, sums + added)
        return path

    def paths(self) -> Iterator[Path]:
        """All paths, in the order of the edges; between two of them no edge is tried in vain."""
        start = self._settled(0, 0)
        if not self.total or start is None:
            return
        stack = [self._enter(0, 0, start)]
        path: Path = []
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                if path:
                    path.pop()
                continue
            edge, following = step
            path.append(edge)
            if following is None:
                yield list(path)
                path.pop()
            else:
                stack.append(following)

    def _enter(self, number: int, node: int, sums: int) -> Iterator[_Step]:
        """The steps from the entry of a segment, or from that of the one in which the node lies."""
        while not self._segments[number].leads_on(node):
            number += 1
        return self._onward(number, node, sums, 0, frozenset(self._through(number, node, sums)[0]))

    def _onward(self, number: int, node: int, sums: int, added: int, wanted: frozenset[int]) -> Iterator[_Step]:
        """The edges to go on with, and the steps behind them; None at the end.

        Args:
            number: of the segment.
            sums: what was added before it; added: what was added since.
            wanted: what may still be added in it, the exit on top.
        """
        segment = self._segments[number]
        for edge, more in zip(self._graph.edges[node], self._sums.added[node], strict=True):
            there = segment.ways[edge.target]
            spend(CHOOSING + len(wanted))
            left = frozenset(key - more for key in wanted if key - more in there)
            if not left:
                continue
            if edge.target == self._graph.end:
                yield edge, None
            elif segment.leads_on(edge.target):
                yield edge, self._onward(number, edge.target, sums, added + more, left)
            elif (settled := self._settled(edge.target, sums + added + more)) is not None:
                yield edge, self._enter(number + 1, edge.target, settled)


_Step: TypeAlias = "tuple[Edge, Iterator[_Step] | None]"


def _picked(choices: Sequence[T], weights: list[int], rng: random.Random) -> T:
    """One of the choices, their weights being summed up."""
    spend(CHOOSING + len(choices))
    return choices[bisect_right(weights, rng.randrange(weights[-1]))]
