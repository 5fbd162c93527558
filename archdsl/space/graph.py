"""Makes an acyclic graph whose paths are to be counted, and tells what its paths weigh at least and at most."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archdsl.base.effort import spend

EDGE, WEIGHING = 6, 2  # steps of `effort` for an edge: to make it, and to weigh it


class Edge(NamedTuple):
    """An edge that stands for `ways` equal ones.

    Attributes:
        target: a node: anything hashable at first, its number once the graph is made.
        cost: what it adds to each sum.
        label: what it is to whoever made the graph.
    """

    target: Any
    ways: int
    cost: tuple[int, ...]
    label: Any


@dataclass(frozen=True)
class Graph:
    """Every node lies on a path from node 0 to the last node; nodes are numbered level by level.

    Attributes:
        edges: those that leave each node, all to higher levels.
        level: of each node, the most edges on a path to it.
    """

    edges: list[list[Edge]]
    level: list[int]

    @functools.cached_property
    def size(self) -> int:
        """How many edges there are."""
        return sum(map(len, self.edges))

    @property
    def end(self) -> int:
        """The last node."""
        return len(self.edges) - 1


def graph(start: Any, ends: Callable[[Any], bool], edges: Callable[[Any], Iterable[Edge]]) -> Graph | None:
    """The graph of all paths from `start` to nodes where `ends` is true; None when there are none.

    Args:
        start: a node, anything hashable.
        ends: whether a path may end there; from such nodes no edge leads on.
        edges: those that leave a node.
    """
    found: dict[Any, list[Edge]] = {}
    open_ = [start]
    while open_:
        node = open_.pop()
        if node not in found:
            found[node] = [] if ends(node) else list(edges(node))
            spend(EDGE * len(found[node]))
            open_ += [edge.target for edge in found[node] if edge.target not in found]
    order = _order(start, found)
    alive: set[Any] = set()
    for node in reversed(order):
        if ends(node) or any(edge.target in alive for edge in found[node]):
            alive.add(node)
    if start not in alive:
        return None
    level = _levels([node for node in order if node in alive], found)
    if sum(map(ends, level)) != 1:
        raise ValueError("more than one end")
    numbers = {node: number for number, node in enumerate(sorted(level, key=lambda node: (ends(node), level[node])))}
    kept = [
        [edge._replace(target=numbers[edge.target]) for edge in found[node] if edge.target in alive] for node in numbers
    ]
    return Graph(kept, [level[node] for node in numbers])


def _order(start: Any, edges: dict[Any, list[Edge]]) -> list[Any]:
    """The nodes, each before those its edges lead to."""
    waiting = dict.fromkeys(edges, 0)
    for leaving in edges.values():
        for edge in leaving:
            waiting[edge.target] += 1
    ready, order = [start], []
    while ready:
        node = ready.pop()
        order.append(node)
        for edge in edges[node]:
            waiting[edge.target] -= 1
            if not waiting[edge.target]:
                ready.append(edge.target)
    return order


def _levels(order: list[Any], edges: dict[Any, list[Edge]]) -> dict[Any, int]:
    """Of each node the most edges on a path to it."""
    level = dict.fromkeys(order, 0)
    for node in order:
        for edge in edges[node]:
            if edge.target in level:
                level[edge.target] = max(level[edge.target], level[node] + 1)
    return level


def least_and_most(graph: Graph, weights: Sequence[int]) -> tuple[list[int], list[int]]:
    """For each node the least and the most that the rest of a path weighs, `weights` saying what a cost counts."""
    spend(WEIGHING * graph.size)
    low, high = [0] * len(graph.edges), [0] * len(graph.edges)
    for node in range(graph.end - 1, -1, -1):
        after = [
            (low[e.target] + c, high[e.target] + c)
            for e in graph.edges[node]
            for c in (sum(w * x for w, x in zip(weights, e.cost, strict=True) if w),)
        ]
        low[node], high[node] = min(a for a, _ in after), max(b for _, b in after)
    return low, high
