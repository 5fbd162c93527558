"""Counts the ways to fill the holes of a spec, exactly, whether the blocks fit together or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from archdsl import ir
from archdsl.base.errors import Diagnostic, Span, SpecError
from archdsl.ir.decisions import Hole, options
from archdsl.ir.values import evaluate

# What is decided so far among the holes that have to be remembered, and in how many ways one got there.
_States: TypeAlias = dict[tuple[tuple[str, int], ...], int]

MAX_STATES = 100_000
MAX_STEPS = 60_000  # states that go through a hole, all in all
MAX_SIZE = 10**1000


def size(spec: ir.Spec) -> int:
    """The number of ways to fill the holes, exactly, a hole counting only where it is met.

    Walks through the spec once, counting ways. Only holes that stand in several places (and those of repeat counts) are
    remembered, and no longer than they are needed: a thousand independent choices cost no more than a thousand steps.

    Raises:
        SpecError: too many shared holes depend on each other to count the ways, or there are more than 10^1000.
    """
    parts: tuple[Any, ...] = (spec.holes, spec.stem, *spec.stages, spec.head, tuple(spec.train.values()))
    counting = _Counting(spec)
    names = [{hole.name for hole in ir.holes_in(part)} & counting.shared for part in parts]
    states: _States = {(): counting.factor}
    for number, part in enumerate(parts, start=1):
        later = set().union(*names[number:])
        states = counting.through(part, states)
        states = _sum({tuple(d for d in decided if d[0] in later): ways} for decided, ways in states.items())
    total = sum(states.values())
    if total > MAX_SIZE:
        raise SpecError([Diagnostic("this space has more than 10^1000 members", None, "use fewer holes")])
    return total


class _Counting:
    """What has to be remembered while counting.

    Attributes:
        places: how often each hole stands in the spec.
        factor: ways to decide the shared holes that nothing else depends on.
        settled: their names.
        shared: names of the other holes that stand in several places, and of those in repeat counts.
    """

    def __init__(self, spec: ir.Spec) -> None:
        self.places = places = Counter(hole.name for hole in ir.holes_in(spec))
        counts = {hole.name for repeat in ir.repeats(spec) for hole in ir.holes_in(repeat.times)}
        self.settled: set[str] = set()
        self.shared = {name for name, count in places.items() if count > 1} | counts
        self.factor = 1
        self.steps = 0
        self._names: dict[int, frozenset[str]] = {}
        for hole in _unconditional((spec.holes, spec.stem, spec.stages, spec.head, spec.train)):
            if places[hole.name] == 1 or hole.name in self.settled or isinstance(hole, ir.FloatRange):
                continue
            inside = Counter(inner.name for inner in ir.holes_in(_alternatives(hole)))
            alone = all(places[name] == count * places[hole.name] for name, count in inside.items())
            if alone and not counts & {hole.name, *inside}:
                # Always met, and what it holds stands nowhere else: its ways multiply those of all the rest.
                self.settled.add(hole.name)
                ways = _sum(self.through(alternative, {(): 1}) for alternative in _alternatives(hole))
                self.factor *= sum(ways.values())
        self.shared -= self.settled

    def through(self, part: Any, states: _States) -> _States:
        """The states after a part of the spec has been decided."""
        if isinstance(part, tuple):
            for item in part:
                states = self.through(item, states)
            return states
        names = self.names(part) - self.settled
        if all(names <= dict(state).keys() for state in states):
            return states  # there is nothing left to decide
        match part:
            case ir.Pick() | ir.ChoiceSpec() | ir.IntRange():
                self._step(len(states), part.at)
                return self._branch(part, states)
            case ir.RepeatSpec():
                self._step(len(states), part.at)
                return self._repeat(part, states)
        return self.through(_parts(part), states)

    def names(self, part: Any) -> frozenset[str]:
        """Names of the holes in a part that have ways to be decided."""
        if isinstance(part, tuple):
            return frozenset().union(*map(self.names, part))
        if not isinstance(part, ir.Node):
            return frozenset()
        if id(part) not in self._names:
            own = {part.name} if isinstance(part, (ir.Pick, ir.ChoiceSpec, ir.IntRange)) else frozenset[str]()
            self._names[id(part)] = self.names(_parts(part)) | own
        return self._names[id(part)]

    def _step(self, states: int, at: Span | None) -> None:
        self.steps += states
        if self.steps > MAX_STEPS:
            raise _too_many(at)

    def _repeat(self, repeat: ir.RepeatSpec, states: _States) -> _States:
        """As often as the times say: what the n-th copy makes of the states is told from what the one before it did."""
        own = {hole.name for hole in ir.holes_in(repeat.times) if self.places[hole.name] == 1}
        by_times: dict[tuple[tuple[str, int], ...], dict[int, int]] = {}
        for decided, number in self.through(repeat.times, states).items():
            kept = by_times.setdefault(tuple(d for d in decided if d[0] not in own), {})
            times = _times(repeat.times, dict(decided))
            kept[times] = kept.get(times, 0) + number
        if next(ir.holes_in(repeat.copies), None) is None:
            return {decided: sum(ways.values()) for decided, ways in by_times.items()}
        results: list[_States] = []
        for decided, ways in by_times.items():
            here: _States = {decided: 1}
            copies = repeat.taken(max(ways))
            for times in range(len(copies) + 1):
                if times in ways:
                    results.append({state: n * ways[times] for state, n in here.items()})
                if times < len(copies):
                    here = self.through(copies[times], here)
        return _sum(results)

    def _branch(self, hole: ir.Pick | ir.ChoiceSpec | ir.IntRange, states: _States) -> _States:
        name, alternatives = hole.name, _alternatives(hole)
        if name in self.settled:
            return states
        if name not in self.shared:
            if isinstance(hole, ir.IntRange):
                return {state: ways * hole.count() for state, ways in states.items()}
            return _sum(self.through(alternative, states) for alternative in alternatives)
        results: list[_States] = []
        for state, ways in states.items():
            taken = dict(state).get(name)
            for index, alternative in enumerate(alternatives):
                if taken is None or taken == index:
                    decided = state if taken is not None else (*state, (name, index))
                    results.append(self.through(alternative, {decided: ways}))
            if len(results) > MAX_STATES:
                raise _too_many(hole.at)
        return _sum(results)


def _too_many(at: Span | None) -> SpecError:
    help = "use fewer lets with holes, or write them where they are used"
    return SpecError([Diagnostic("shared holes depend on each other in too many ways", at, help)])


def _parts(part: Any) -> tuple[Any, ...]:
    """What a part of a spec is made of, as far as there can be holes in it."""
    match part:
        case ir.StageSpec():
            return part.holes, part.width, part.stride, part.down, part.items
        case ir.BlockSpec():
            return *part.arguments.values(), *(part.items or ())
        case ir.Arithmetic():
            return part.left, part.right
        case ir.Pick() | ir.ChoiceSpec():
            return part.options
        case ir.RepeatSpec():
            return part.times, part.copies
    return ()


def _alternatives(hole: Hole) -> tuple[Any, ...]:
    """What each option of a hole holds, as far as holes in it go."""
    if isinstance(hole, (ir.Pick, ir.ChoiceSpec)):
        return hole.options
    return ((),) * options(hole)


def _times(value: ir.Value, decided: dict[str, int]) -> int:
    """A repeat count, its holes being decided; 0 for one that is no number, with which no filling fits together."""

    def decide(hole: ir.Pick | ir.IntRange | ir.FloatRange) -> int:
        index = decided[hole.name]
        return hole.low + index * hole.step if isinstance(hole, ir.IntRange) else index

    times = evaluate(value, decide, lambda name: 0, lambda *wrong: 0)
    return int(times) if isinstance(times, (int, float)) else 0


def _sum(many: Iterable[_States]) -> _States:
    total: _States = {}
    for states in many:
        for state, ways in states.items():
            total[state] = total.get(state, 0) + ways
    return total


def _unconditional(part: Any) -> Iterator[Hole]:
    """Holes that are met whatever the others decide."""
    match part:
        case tuple():
            for item in part:
                yield from _unconditional(item)
        case dict():
            yield from _unconditional(tuple(part.values()))
        case ir.Pick() | ir.IntRange() | ir.FloatRange() | ir.ChoiceSpec():
            yield part
        case ir.Arithmetic():
            yield from _unconditional((part.left, part.right))
        case ir.RepeatSpec():
            yield from _unconditional(part.times)
        case ir.BlockSpec():
            yield from _unconditional((part.arguments, part.items or ()))
        case ir.StageSpec():
            yield from _unconditional((part.holes, part.width, part.stride, part.down, part.items))
