"""Counts the members of a space, and keeps the counts that samples, lists and checks are read from."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterable, Iterator

from archdsl import ir
from archdsl.base.effort import TooLarge, left, limited
from archdsl.ir.conditions import countable
from archdsl.network import Architecture, resolve
from archdsl.space.automaton import Arc, Automaton
from archdsl.space.conditions import Requirement, measures_of
from archdsl.space.counting import Counting
from archdsl.space.enumeration import Script, is_feasible
from archdsl.space.graph import Edge, Graph, graph
from archdsl.space.words import Words

MOST_TRIED = 4  # conditions, where not all can be counted together
REMEMBERED = 4  # specs whose counts are kept


class Counted:
    """The fillings of a space that fit together, as paths of a graph, and what of its requirements can be counted.

    Attributes:
        fillings: the graph; None where nothing fits together.
        counting: the fillings that fit together and meet `requirement`.
        conditions: what the spec requires, less what only measuring tells.
        requirement: all of these where `is_exact`, else those that could be counted.

    Raises:
        TooLarge: the automaton has too many nodes.
    """

    def __init__(self, spec: ir.Spec) -> None:
        self.spec = spec
        self.conditions = countable(spec.require)
        self.measures = measures_of(self.conditions)
        automaton = Automaton(spec, self.measures)

        def edges(node: int) -> list[Edge]:
            return [Edge(arc.target, len(arc.ways), arc.cost, arc) for arc in automaton.arcs(node)]

        self.fillings: Graph | None = graph(automaton.start, automaton.is_end, edges)
        self.is_exact = True
        self.uncountable: list[ir.Condition] = []  # by themselves, so that nobody tries again
        self.requirement = Requirement(self.conditions, self.measures)
        self.counting: Counting | None = None
        if self.fillings is not None:
            self.counting = self._count(self.fillings)

    def _count(self, fillings: Graph) -> Counting:
        """Count with all conditions; or else with as many as can be counted together.

        Where effort is limited, a try takes half of what is left at most, so that others can follow.
        """
        try:
            with limited(left() / 2):
                return self.count_with(fillings, self.requirement)
        except TooLarge:
            self.is_exact = False
        single = [c for condition in self.conditions for c in _parts(condition)]
        if len(single) == 1:
            self.uncountable += self.conditions
        linear = [c for c in single if Requirement((c,), self.measures).formula is not None]
        self.requirement = Requirement((), self.measures)
        counting = self.count_with(fillings, self.requirement)
        for condition in linear[:MOST_TRIED] if len(single) > 1 else ():
            more = Requirement((*self.requirement.conditions, condition), self.measures)
            try:
                with limited(left() / 2):
                    counting, self.requirement = self.count_with(fillings, more), more
            except TooLarge:
                continue
        return counting

    def count_with(self, fillings: Graph, requirement: Requirement) -> Counting:
        """The fillings that fit together and meet a requirement.

        Raises:
            TooLarge: there are too many different sums.
        """
        return Counting(fillings, requirement.forms, requirement.formula, requirement.holds)

    @property
    def total(self) -> int:
        """How many fillings fit together and meet what could be counted."""
        return 0 if self.counting is None else self.counting.total

    @functools.cached_property
    def words(self) -> Words | None:
        """The networks among the feasible fillings; None where nothing fits together."""
        return None if self.fillings is None else Words(self.fillings, Requirement(self.conditions, self.measures))

    @functools.cached_property
    def networks(self) -> Counting | None:
        """The networks, counted; None where there are none, or too many to tell apart."""
        if self.words is None or not self.is_exact:
            return None
        try:
            return self.words.counting()
        except TooLarge:
            return None

    # ---- members ----

    def architecture(self, ways: Iterable[tuple[int, ...]], rng: random.Random | None = None) -> Architecture:
        """The member that decisions lead to; `rng` draws its float ranges."""
        return resolve(self.spec, Script(list(itertools.chain.from_iterable(ways)), rng))

    def draw(self, rng: random.Random) -> tuple[Architecture | None, tuple[str, ...]]:
        """A member, all fillings alike, and its word; None where it breaks a condition that could not be counted."""
        if not self.total or self.counting is None:
            return None, ()
        path = self.counting.draw(rng)
        member = self.architecture((rng.choice(edge.label.ways) for edge in path), rng)
        return (member if self.is_exact or is_feasible(self.spec, member) else None), word_of(path)

    def listed(self) -> Iterator[Architecture]:
        """All feasible fillings, in the order of the text."""
        for path in self.counting.paths() if self.counting is not None else ():
            for ways in itertools.product(*(edge.label.ways for edge in path)):
                member = self.architecture(ways)
                if self.is_exact or is_feasible(self.spec, member):
                    yield member

    def any(self) -> Architecture | None:
        """A member that fits together and meets what could be counted."""
        paths = self.counting.paths() if self.counting is not None else iter(())
        return next((self.architecture(edge.label.ways[0] for edge in path) for path in paths), None)

    def listed_networks(self) -> Iterator[Architecture] | None:
        """One filling of each network, without meeting any of them twice; None where they could not be counted."""
        if self.words is None or self.networks is None:
            return None
        return (self._first(self.words, word) for word in map(word_of_networks, self.networks.paths()))

    def weighted_networks(self) -> Iterator[tuple[Architecture, int]]:
        """The same with the number of fillings that are this network."""
        if self.words is not None and self.networks is not None:
            for word in map(word_of_networks, self.networks.paths()):
                yield self._first(self.words, word), self.words.ways(word)

    def _first(self, words: Words, word: Iterable[str]) -> Architecture:
        return self.architecture(edge.label.ways[0] for edge in words.path(word))


def _parts(condition: ir.Condition) -> Iterator[ir.Condition]:
    """The conditions that one joined by `and` is made of."""
    if isinstance(condition, ir.Logic) and condition.op == "and":
        for part in condition.parts:
            yield from _parts(part)
    else:
        yield condition


def word_of(path: Iterable[Edge]) -> tuple[str, ...]:
    """The letters along a path of fillings."""
    arcs: Iterator[Arc] = (edge.label for edge in path)
    return tuple(arc.letter for arc in arcs if arc.letter is not None)


def word_of_networks(path: Iterable[Edge]) -> tuple[str, ...]:
    """The letters along a path of networks."""
    return tuple(edge.label for edge in path if edge.label is not None)


_remembered: list[tuple[ir.Spec, Counted | None, float]] = []


def counted(spec: ir.Spec) -> Counted | None:
    """The counts of a space, those of the last few remembered; None where its automaton is too large.

    What could not be counted with little effort is tried again where more is allowed.
    """
    allowed = left()
    for place, (known, found, spent) in enumerate(_remembered):
        if known is spec:
            if allowed <= spent or (found is not None and found.is_exact):
                return found
            del _remembered[place]
            break
    try:
        made: Counted | None = Counted(spec)
    except TooLarge:
        made = None
    _remembered.insert(0, (spec, made, allowed))
    del _remembered[REMEMBERED:]
    return made
