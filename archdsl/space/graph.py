"""An acyclic graph whose paths are counted: its levels, its cuts, and what its paths weigh at least and at most."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archdsl.base.effort import spend

# Levels that a segment spans at least and at most, where cuts allow it.
SHORTEST, LONGEST = 6, 24
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
    """Every node lies on a path from node 0 to the last node; every edge leads to a higher level.

    Attributes:
        edges: those that leave each node.
        level: of each node, the most edges on a path to it.
        cuts: levels that no edge jumps over, the first and the last among them.
    """

    edges: list[list[Edge]]
    level: list[int]
    cuts: list[int]

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
    order = [node for node in order if node in alive]
    last = [node for node in order if ends(node)]
    if len(last) != 1:
        raise ValueError(f"{len(last)} ends")
    order.remove(last[0])
    numbers = {node: number for number, node in enumerate((*order, last[0]))}
    kept = [
        [edge._replace(target=numbers[edge.target]) for edge in found[node] if edge.target in alive] for node in numbers
    ]
    return _levelled(kept)


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


def _levelled(edges: list[list[Edge]]) -> Graph:
    level = [0] * len(edges)
    for node, leaving in enumerate(edges):
        for edge in leaving:
            level[edge.target] = max(level[edge.target], level[node] + 1)
    jumps = [0] * (level[-1] + 2)
    for node, leaving in enumerate(edges):
        for edge in leaving:
            if level[edge.target] > level[node] + 1:
                jumps[level[node] + 1] += 1
                jumps[level[edge.target]] -= 1
    population = [0] * (level[-1] + 1)
    for here in level:
        population[here] += 1
    over, proper = 0, []
    for here in range(level[-1] + 1):
        over += jumps[here]
        if not over:
            proper.append(here)
    return Graph(edges, level, _chosen(proper, population))


def _chosen(proper: list[int], population: list[int]) -> list[int]:
    """Cuts neither too near nor too far from each other, through as few nodes as possible."""
    cuts = [0]
    while cuts[-1] != proper[-1]:
        later = [p for p in proper if p > cuts[-1]]
        near = [p for p in later if cuts[-1] + SHORTEST <= p <= cuts[-1] + LONGEST]
        best = min(near, key=lambda p: (population[p], -p)) if near else None
        cuts.append(
            best if best is not None and best + SHORTEST <= proper[-1] else (later[0] if not near else near[-1])
        )
    return cuts


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
