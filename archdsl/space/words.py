"""Counts the different networks of a space: fillings whose blocks compute the same, one after the other, are one.

The automaton of a space reads a word along many paths. Made deterministic (Rabin and Scott 1959,
doi:10.1147/rd.32.0114), each word has one path, so that counting paths counts networks.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, TypeAlias

from archdsl.base.effort import TooLarge
from archdsl.space.conditions import Requirement
from archdsl.space.counting import Counting
from archdsl.space.formulas import Atom, Formula, Junction, Not, junction, settle, shifted
from archdsl.space.graph import Edge, Graph, graph

MAX_SUBSETS = 60_000
MAX_FINALS = 12
MAX_MOVES = 1_000_000

Word: TypeAlias = tuple[str, ...]
# Where one may be after the beginning of a word: a class of nodes, and the measures that depend on the filling.
Subset: TypeAlias = frozenset[tuple[int, tuple[int, ...]]]
_END = "end"


class _Ambiguous(Exception):
    """A measure that two fillings of one network have different values of (`count(A)` where A and C are alike)."""

    def __init__(self, measure: int) -> None:
        super().__init__(measure)
        self.measure = measure


class _Classes:
    """The nodes of a graph, those with the same future as one.

    Attributes:
        start: the class of the first node.
        final: classes in which a word may end.
        moves: for each class the letters one can go on with: letter, cost, class.
    """

    def __init__(self, fillings: Graph) -> None:
        known: dict[tuple[bool, frozenset[Any]], int] = {}
        classes = [0] * len(fillings.edges)
        here: list[dict[tuple[str, tuple[int, ...], int], None]] = [{} for _ in fillings.edges]
        ends = [node == fillings.end for node in range(len(fillings.edges))]
        self.moves: list[tuple[tuple[str, tuple[int, ...], int], ...]] = []
        self.final: set[int] = set()
        moves = 0
        for node in range(fillings.end, -1, -1):
            for edge in fillings.edges[node]:
                if edge.label.letter is None:
                    here[node].update(here[edge.target])
                    ends[node] = ends[node] or ends[edge.target]
                else:
                    here[node][edge.label.letter, edge.cost, classes[edge.target]] = None
            moves += len(here[node])
            if moves > MAX_MOVES:
                raise TooLarge
            key = ends[node], frozenset(here[node])
            if key not in known:
                known[key] = len(known)
                self.moves.append(tuple(here[node]))
                if ends[node]:
                    self.final.add(known[key])
            classes[node] = known[key]
        self.start = classes[0]


class Words:
    """The different networks among the fillings of a graph that meet a requirement.

    Args:
        fillings: paths that are fillings; the labels of its edges are arcs of the automaton.
        requirement: what they have to meet.
    """

    def __init__(self, fillings: Graph, requirement: Requirement) -> None:
        self.fillings, self.requirement = fillings, requirement
        self.steps = 0  # made in reading words, so that callers can stop in time

    def counting(self) -> Counting:
        """The networks as paths of a deterministic graph, each with one path, their letters the labels of its edges.

        Raises:
            TooLarge: there are too many subsets, or too many different sums.
        """
        classes = _Classes(self.fillings)
        of_filling: frozenset[int] = frozenset()  # measures that are not a matter of the word alone
        while True:
            try:
                return _Deterministic(classes, self.requirement, of_filling).counting()
            except _Ambiguous as found:
                of_filling |= {found.measure}

    def ways(self, word: Iterable[str]) -> int:
        """How many of the fillings are this network."""
        return sum(ways for ways, _ in self._run(word)[-1].values())

    def path(self, word: Iterable[str]) -> list[Edge]:
        """A filling that is this network."""
        layers = self._run(word)
        edges: list[Edge] = []
        key = next(iter(layers[-1]))
        back = layers[-1][key][1]
        while back is not None:
            edge, (layer, key) = back
            edges.append(edge)
            back = layers[layer][key][1]
        return edges[::-1]

    def _run(self, word: Iterable[str]) -> list[dict[Any, tuple[int, Any]]]:
        """After each letter: node and measures, in how many ways one gets there, and the last edge of one of them."""
        nothing = (0,) * len(self.requirement.measures)
        layers: list[dict[Any, tuple[int, Any]]] = [{(0, nothing): (1, None)}]
        for letter in (*word, _END):
            here, there = layers[-1], {}
            waiting = list(here)
            heapq.heapify(waiting)  # nodes are numbered so that edges lead to higher ones
            while waiting:
                node, sums = key = heapq.heappop(waiting)
                self.steps += 1
                if letter is _END and node == self.fillings.end and self.requirement.holds(sums):
                    there[key] = here[key]
                for edge in self.fillings.edges[node]:
                    if edge.label.letter not in (None, letter):
                        continue
                    to = here if edge.label.letter is None else there
                    reached = edge.target, tuple(a + b for a, b in zip(sums, edge.cost, strict=True))
                    if to is here and reached not in here:
                        heapq.heappush(waiting, reached)
                    ways, back = to.get(reached, (0, (edge, (len(layers) - 1, key))))
                    to[reached] = ways + here[key][0] * edge.ways, back
            layers.append(there)
        return layers


class _Deterministic:
    """Subsets of classes, one for each beginning of a word.

    Attributes:
        finals: the different ways a word can end: whether it meets the requirement as a formula over the measures
            of the word; or, where there is none, the other measures of its fillings.
    """

    def __init__(self, classes: _Classes, requirement: Requirement, of_filling: frozenset[int]) -> None:
        self.classes, self.requirement = classes, requirement
        self.measures = range(len(requirement.measures))
        self.of_filling = sorted(of_filling)
        self.of_word = [m for m in self.measures if m not in of_filling]
        self.forms = [tuple(form[m] for m in self.of_word) for form in requirement.forms]
        self.finals: dict[Any, int] = {}
        self.subsets = 0

    def counting(self) -> Counting:
        start: Subset = frozenset({(self.classes.start, (0,) * len(self.of_filling))})
        words = graph(start, lambda subset: subset == _END, self._edges)
        if words is None:
            raise TypeError("an automaton without words")
        if len(self.finals) > MAX_FINALS:
            raise TooLarge
        measures = len(self.of_word)
        if self.requirement.formula is None:
            identity = [tuple(int(i == k) for i in range(measures + 1)) for k in range(measures + 1)]
            return Counting(words, identity, None, self._accepts)
        kind = (0,) * measures + (1,)
        return Counting(words, [*((*form, 0) for form in self.forms), kind], self._formula(len(self.forms)))

    def _edges(self, subset: Any) -> list[Edge]:
        self.subsets += 1
        if self.subsets > MAX_SUBSETS:
            raise TooLarge
        found: dict[str, tuple[tuple[int, ...], set[tuple[int, tuple[int, ...]]]]] = {}
        for here, own in subset:
            for letter, cost, there in self.classes.moves[here]:
                added, elements = found.setdefault(letter, (cost, set()))
                for measure in self.of_word:
                    if added[measure] != cost[measure]:
                        raise _Ambiguous(measure)
                elements.add((there, tuple(n + cost[m] for n, m in zip(own, self.of_filling, strict=True))))
        edges = [
            Edge(frozenset(elements), 1, (*(added[m] for m in self.of_word), 0), letter)
            for letter, (added, elements) in found.items()
        ]
        ended = frozenset(own for here, own in subset if here in self.classes.final)
        if ended:
            formula = self.requirement.formula
            final: Any = ended if formula is None else self._met(formula, ended)
            number = self.finals.setdefault(final, len(self.finals))
            edges.append(Edge(_END, 1, (*(0 for _ in self.of_word), number), None))
        return edges

    def _met(self, formula: Formula, ended: frozenset[tuple[int, ...]]) -> Formula:
        """Whether one of a word's fillings meets the requirement, as a formula over the measures of the word."""
        parts = []
        for own in sorted(ended):
            added = [
                sum(form[m] * n for m, n in zip(self.of_filling, own, strict=True)) for form in self.requirement.forms
            ]
            parts.append(settle(shifted(formula, added), [any(form) for form in self.forms]))
        return junction(False, parts)

    def _formula(self, field: int) -> Formula:
        """The formula of the kind of end that a word has; the kinds are a form of their own."""
        if len(self.finals) == 1:
            return next(iter(self.finals))  # type: ignore[no-any-return]
        kinds = [Junction(True, (Atom(field, number), Not(Atom(field, number - 1)))) for number in self.finals.values()]
        return junction(False, [junction(True, pair) for pair in zip(kinds, self.finals, strict=True)])

    def _accepts(self, sums: list[int]) -> bool:
        *word, number = sums
        ended = next(ended for ended, n in self.finals.items() if n == number)
        values = dict(zip(self.of_word, word, strict=True))
        return any(
            self.requirement.holds([values[m] if m in values else own[self.of_filling.index(m)] for m in self.measures])
            for own in ended
        )
