"""Turns a space into an acyclic automaton: each path is a filling that fits together, its letters are the network.

A node is all that matters for what is still to come: the place in the spec, the shape that flows, what the stage still
has to do, and the decisions of holes that will be met again. An edge decides holes, or places one block.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from archdsl import ir
from archdsl.base.effort import TooLarge, spend
from archdsl.blocks.composites.expansion import work
from archdsl.blocks.shapes import Shape
from archdsl.ir.conditions import share_of
from archdsl.network import Misfit, PlacedBlock, Resolving
from archdsl.space.enumeration import Script
from archdsl.space.program import Begin, End, Finish, Head, Meet, Place, Program

MAX_NODES = 60_000
MAX_WAYS = 400_000  # decisions tried, all in all
PLACING = 15  # of which the placing of a block counts as so many
PART = 10  # and a part of a composite block that is written out
# In steps of `effort`: a decision, a node, and to see which blocks are alike.
DECIDING, NODE, SIGNING = 10, 15, 50
SEPARATOR = "|"  # between stem, stages and head
Choices: TypeAlias = tuple[int, ...]


class State(NamedTuple):
    """A node.

    Attributes:
        place: what comes next; None at the end.
        rest: blocks that are placed already and only wait to be said: (letter, cost) of each.
        width: of the stage.
        entry: stride and kind of downsampling that a stage's first block is to do; None afterwards.
        decided: holes that will be met again.
    """

    place: Place | None
    rest: tuple[tuple[str, tuple[int, ...]], ...]
    shape: Shape
    width: int | None
    entry: tuple[int, str] | None
    decided: tuple[tuple[str, Any], ...]


class Arc(NamedTuple):
    """An edge.

    Attributes:
        letter: what the block computes; None where only holes are decided.
        cost: what it adds to each measure.
        ways: the decisions that lead along it, each as the options taken in the order in which the holes are met.
    """

    target: int
    letter: str | None
    cost: tuple[int, ...]
    ways: tuple[Choices, ...]


class _Placed(NamedTuple):
    """One way to place a block, with or without a layer before it; `None` for `blocks` where it does not fit."""

    choices: Choices
    blocks: tuple[PlacedBlock, ...]
    shape: Shape
    decided: dict[str, Any]


class Automaton(Resolving):
    """The automaton of a spec, made node by node as one asks for the edges.

    Args:
        spec: the space.
        measures: what the edges' costs are to say.
    """

    def __init__(self, spec: ir.Spec, measures: Sequence[ir.MeasureSpec]) -> None:
        super().__init__(spec, Script([]))
        self.most_parts = math.inf  # it has a limit of its own, as it places the blocks of many networks
        self.program = Program(spec)
        self.measures = tuple(measures)
        self.nothing = (0,) * len(self.measures)
        self.states: list[State] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._arcs: dict[int, tuple[Arc, ...]] = {}
        self._ways_left = MAX_WAYS
        self._signatures: dict[int, tuple[ir.BlockSpec, str, frozenset[str]]] = {}
        self._placed: dict[tuple[Any, ...], list[_Placed]] = {}
        self.start = self._number(State(self.program.start, (), self.shape, None, None, ()))

    def arcs(self, node: int) -> tuple[Arc, ...]:
        """The edges that leave a node, in the order of the decisions.

        Raises:
            TooLarge: the automaton has too many nodes, or its blocks too many holes of their own.
        """
        if node not in self._arcs:
            found: dict[tuple[int, str | None, tuple[int, ...]], list[Choices]] = {}
            for state, letter, cost, choices in self._steps(self.states[node]):
                found.setdefault((self._number(state), letter, cost), []).append(choices)
            self._arcs[node] = tuple(Arc(*key, tuple(ways)) for key, ways in found.items())
        return self._arcs[node]

    def is_end(self, node: int) -> bool:
        """Whether a filling is complete there."""
        return self.states[node].place is None and not self.states[node].rest

    def _number(self, state: State) -> int:
        key = (id(state.place), *state[1:])  # one object for each place
        if key not in self._numbers:
            if len(self.states) >= MAX_NODES:
                raise TooLarge
            spend(NODE)
            self._numbers[key] = len(self.states)
            self.states.append(state)
        return self._numbers[key]

    # ---- steps ----

    def _steps(self, state: State) -> Iterator[tuple[State, str | None, tuple[int, ...], Choices]]:
        """Where one can go from a state: there, saying what, at which cost, by which decisions."""
        if state.rest:
            letter, cost = state.rest[0]
            yield state._replace(rest=state.rest[1:]), letter, cost, ()
            return
        place = state.place
        if place is None:
            return
        match place.step:
            case ir.BlockSpec() as block:
                yield from self._blocks(state, place, block)
            case ir.ChoiceSpec() as hole:
                for choices, index, decided in self._every(state, lambda: self.decide(hole)):
                    following = self.program.into(place, hole.options[index])
                    yield self._go(state, following, decided), None, self.nothing, choices
            case ir.RepeatSpec() as repeat:
                for choices, times, decided in self._every(state, lambda: self.value(repeat.times)):
                    count = int(times) if isinstance(times, (int, float)) else 0
                    following = self.program.repeated(place, repeat, count)
                    yield self._go(state, following, decided), None, self.nothing, choices
            case Meet(value=value):
                for choices, _, decided in self._every(state, lambda: self._worked_out(place, value)):
                    yield self._go(state, self.program.after(place), decided), None, self.nothing, choices
            case Begin(stage=stage):
                for choices, opened, decided in self._every(state, lambda: self.open(stage)):
                    begun = state._replace(width=opened[0], entry=opened[1:])
                    yield self._go(begun, self.program.after(place), decided), SEPARATOR, self.nothing, choices
            case End():
                yield from self._close(state, place, place.step)
            case Head():
                yield self._go(state, self.program.after(place), {}), SEPARATOR, self.nothing, ()
            case Finish():
                for choices, _, decided in self._every(state, self.end):
                    yield self._go(state, self.program.after(place), decided), SEPARATOR, self.nothing, choices

    def _worked_out(self, place: Place, value: Any) -> None:
        """The holes of `defaults(…)` are only met; the arguments of `train(…)` are worked out as `resolve` does."""
        if isinstance(value, tuple):
            self.meet(value)
        else:
            self.value(value)

    def _go(self, state: State, place: Place | None, decided: dict[str, Any]) -> State:
        live = place.live if place is not None else frozenset()
        kept = {**dict(state.decided), **decided}
        return state._replace(place=place, decided=tuple(sorted((n, v) for n, v in kept.items() if n in live)))

    def _every(
        self, state: State, step: Callable[[], Any], effort: int = 1
    ) -> Iterator[tuple[Choices, Any, dict[str, Any]]]:
        """Do a piece of the walk under all decisions it asks for; those that do not fit are left out."""
        choices: list[int] | None = []
        while choices is not None:
            if self._ways_left < 0:
                raise TooLarge
            spend(DECIDING)
            before = work()
            self.choose = script = Script(choices)
            self.decided, self.shape, self.width = dict(state.decided), state.shape, state.width
            try:
                result = step()
            except Misfit:
                pass
            else:
                yield tuple(script.choices[: len(script.met)]), result, self.decided
            self._ways_left -= effort + PART * (work() - before)
            choices = script.next()

    # ---- blocks ----

    def _blocks(
        self, state: State, place: Place, block: ir.BlockSpec
    ) -> Iterator[tuple[State, str, tuple[int, ...], Choices]]:
        following = self.program.after(place)
        for placed in self._ways(state, place, block):
            said = tuple((b.meaning, self._cost(b)) for b in placed.blocks)
            there = self._go(state._replace(shape=placed.shape, entry=None), following, placed.decided)
            yield there._replace(rest=said[1:]), *said[0], placed.choices

    def _close(
        self, state: State, place: Place, step: End
    ) -> Iterator[tuple[State, str | None, tuple[int, ...], Choices]]:
        following = self.program.after(place)
        if state.entry is None:
            yield self._go(state._replace(width=None), following, {}), None, self.nothing, ()
            return
        stride, down = state.entry
        for choices, layer, _ in self._every(state, lambda: self.pass_through(step.stage, step.number, stride, down)):
            there = self._go(state._replace(shape=self.shape, width=None, entry=None), following, {})
            yield there, *((layer.meaning, self._cost(layer)) if layer else (None, self.nothing)), choices

    def _cost(self, block: PlacedBlock) -> tuple[int, ...]:
        """What a block adds to each measure."""
        return tuple(share_of(measure, block) for measure in self.measures)

    def _ways(self, state: State, place: Place, block: ir.BlockSpec) -> list[_Placed]:
        """All ways to place a block; blocks that differ in nothing but the names of their own holes share them."""
        signature, own = self._signature(block)
        known = tuple(d for d in state.decided if d[0] in own)
        stage = place.stage
        key = (signature, known, state.shape, state.width, state.entry, stage.number if stage else 0)
        if key not in self._placed:
            self._placed[key] = [
                _Placed(choices, blocks, self.shape, {n: v for n, v in decided.items() if n in own})
                for choices, blocks, decided in self._every(
                    state, lambda: self._put(block, stage, state.entry), PLACING
                )
            ]
        return self._placed[key]

    def _put(self, block: ir.BlockSpec, stage: Begin | None, entry: tuple[int, str] | None) -> tuple[PlacedBlock, ...]:
        """Place a block as `Resolving` does; paths matter to nobody here, only whether a block is a stage's first."""
        if stage is None:
            return (self.place(block, "block"),)
        if entry is None:
            return (self.place(block, "block", stage.number, 2),)
        down, own = self.enter(block, stage.stage, stage.number, *entry)
        first = self.place(block, "block", stage.number, 1, own)
        return (first,) if down is None else (down, first)

    def _signature(self, block: ir.BlockSpec) -> tuple[str, frozenset[str]]:
        """A block as text, its own holes numbered; and the shared holes in it."""
        if id(block) not in self._signatures:
            spend(SIGNING)
            names = dict.fromkeys(hole.name for hole in ir.holes_in(block))
            shared = frozenset(names) & self.program.shared
            numbers = {name: f"\0{number}" for number, name in enumerate(n for n in names if n not in shared)}
            text = json.dumps(_renamed(block.model_dump(mode="json"), numbers))
            self._signatures[id(block)] = block, text, shared
        return self._signatures[id(block)][1:]


def _renamed(content: Any, numbers: dict[str, str]) -> Any:
    if isinstance(content, list):
        return [_renamed(item, numbers) for item in content]
    if isinstance(content, dict):
        hole = content.get("node") in ("pick", "int_range", "float_range", "choice")
        return {
            key: numbers.get(value, value) if hole and key == "name" else _renamed(value, numbers)
            for key, value in content.items()
        }
    return content
