"""Lays a spec out as a program of steps, and knows for each place in it which holes are still spoken of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from archdsl import ir
from archdsl.base.effort import spend

LIVES = 3  # steps of `effort` that it takes to see which holes a step speaks of


@dataclass(frozen=True, eq=False)
class Meet:
    """Holes of `defaults(…)`, or of an argument of `train(…)`."""

    value: Any


@dataclass(frozen=True, eq=False)
class Begin:
    """A stage begins."""

    stage: ir.StageSpec
    number: int


@dataclass(frozen=True, eq=False)
class End:
    """A stage ends."""

    stage: ir.StageSpec
    number: int


@dataclass(frozen=True, eq=False)
class Head:
    """The stages end."""


@dataclass(frozen=True, eq=False)
class Finish:
    """The network ends."""


Step: TypeAlias = ir.Item | Meet | Begin | End | Head | Finish


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """Where one is in a spec: before step `index` of `steps`, with `then` to come after them.

    Attributes:
        stage: the stage it is in, None in stem and head.
        live: names of the shared holes that are spoken of from here on.
    """

    steps: tuple[Step, ...]
    index: int
    then: Place | None
    stage: Begin | None
    live: frozenset[str]

    @property
    def step(self) -> Step:
        """What comes next."""
        return self.steps[self.index]


class Program:
    """All places of a spec; equal places are the same object, so that ways which lead there meet again.

    Attributes:
        shared: holes that stand in several places. The decisions of the others need not be remembered.
        start: the first place; None where there is nothing to do.
    """

    def __init__(self, spec: ir.Spec) -> None:
        places = Counter(hole.name for hole in ir.holes_in(spec))
        self.shared = frozenset(name for name, count in places.items() if count > 1)
        self._known: dict[tuple[int, int, int], Place] = {}
        self._speaks: dict[int, frozenset[str]] = {}
        self._live: dict[int, list[frozenset[str]]] = {}
        self._alike: dict[int, bool] = {}
        self._taken: dict[tuple[int, int], tuple[Step, ...]] = {}
        steps: list[Step] = [Meet(spec.holes), *spec.stem]
        for number, stage in enumerate(spec.stages, start=1):
            begin = Begin(stage, number)
            steps += [begin, *stage.items, End(stage, number)]
        steps += [Head(), *spec.head, Finish(), *(Meet(value) for value in spec.train.values())]
        self._keep: list[tuple[Step, ...]] = [tuple(steps)]  # ids of tuples are keys, so the tuples must stay
        start = self._at(self._keep[0], 0, None, None)
        if start is None:
            raise TypeError("a program without steps")
        self.start = start

    def after(self, place: Place) -> Place | None:
        """The place behind the next step; None at the end."""
        step = place.step
        stage = step if isinstance(step, Begin) else None if isinstance(step, End) else place.stage
        return self._at(place.steps, place.index + 1, place.then, stage)

    def into(self, place: Place, items: ir.Items) -> Place | None:
        """The place where the next step, a choice, is replaced by the items of an option."""
        return self._at(items, 0, self.after(place), place.stage)

    def repeated(self, place: Place, repeat: ir.RepeatSpec, times: int) -> Place | None:
        """The place where the next step, a repeat, is replaced by its copies."""
        if id(repeat) not in self._alike:
            self._alike[id(repeat)] = next(ir.holes_in(repeat.copies), None) is None
        if self._alike[id(repeat)]:  # so many times the same: ways meet where as many are still to come
            spend(times)
            then = self.after(place)
            for _ in range(times):
                then = self._at(repeat.copies[0], 0, then, place.stage)
            return then
        key = (id(repeat), times)
        if key not in self._taken:
            spend(times)
            self._taken[key] = tuple(item for copy in repeat.taken(times) for item in copy)
        return self._at(self._taken[key], 0, self.after(place), place.stage)

    def _at(self, steps: tuple[Step, ...], index: int, then: Place | None, stage: Begin | None) -> Place | None:
        if index == len(steps):
            return then
        key = (id(steps), index, id(then))
        if key not in self._known:
            live = self._lives(steps)[index]
            self._known[key] = Place(steps, index, then, stage, live | then.live if then is not None else live)
        return self._known[key]

    def _lives(self, steps: tuple[Step, ...]) -> list[frozenset[str]]:
        if id(steps) not in self._live:
            self._keep.append(steps)
            spend(LIVES * len(steps))
            lives = [frozenset[str]()]
            for step in reversed(steps):
                lives.append(lives[-1] | self._shared_in(step))
            self._live[id(steps)] = lives[::-1]
        return self._live[id(steps)]

    def _shared_in(self, step: Step) -> frozenset[str]:
        if id(step) not in self._speaks:
            self._speaks[id(step)] = names(step) & self.shared
        return self._speaks[id(step)]


def names(step: Step) -> frozenset[str]:
    """Names of all holes in a step; those of a stage's blocks are theirs, not the stage's."""
    part: Any = step
    if isinstance(step, Meet):
        part = step.value
    elif isinstance(step, Begin):
        part = (step.stage.holes, step.stage.width, step.stage.stride, step.stage.down)
    elif isinstance(step, (End, Head, Finish)):
        part = ()
    return frozenset(_names(ir.holes_in(part)))


def _names(holes: Iterable[ir.AnyHole]) -> Iterable[str]:
    return (hole.name for hole in holes)
