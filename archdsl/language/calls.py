"""Reads the arguments of blocks, stages and statements, checks them against what takes them, and hands them on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from archdsl import ir
from archdsl.base.errors import Span, did_you_mean
from archdsl.blocks.composites.kinds import Kind
from archdsl.ir.arguments import misfit, say
from archdsl.language import syntax
from archdsl.language.state import State
from archdsl.language.values import Mistake, lower_value, pattern

STAGE_ONLY = ("width", "stride", "down")
DOWN = ("patch", "conv", "pool")


@dataclass(frozen=True)
class Given:
    """An argument's value and where it stands."""

    value: ir.Value
    span: Span


@dataclass(frozen=True)
class Context:
    """What surrounds a block.

    Attributes:
        inherited: the arguments it can inherit, nearest first.
        path: how holes standing here are called.
        taken: collects the names of arguments that some block took.
        in_stage: whether positions are those of a stage.
        at: where the block is used, when a `let` that names it stands between; None otherwise.
        stride: the stage's, 1 elsewhere.
        inside: whether this is the inside of a composite block, where only its parameters count.
    """

    inherited: tuple[dict[str, Given], ...]
    path: str
    taken: set[str] = field(default_factory=set)
    in_stage: bool = False
    at: Span | None = None
    stride: ir.Value = 1
    inside: bool = False

    def in_let(self, path: str, at: Span | None) -> Context:
        """The same inside of a `let`."""
        return Context(self.inherited, path, self.taken, False, at, self.stride, self.inside)

    def taking(self, taken: set[str]) -> Context:
        """The same with another collection of the names that are taken."""
        return Context(self.inherited, self.path, taken, self.in_stage, self.at, self.stride, self.inside)


def read_arguments(
    state: State, arguments: tuple[syntax.Argument, ...], hole: str, positional: tuple[str, ...] = (),
    block: Kind | None = None, shown: str = "",
) -> dict[str, Given]:  # fmt: skip
    """The arguments written in parentheses, by name; `hole` names the place for holes among them."""
    found: dict[str, Given] = {}
    ranks: dict[str, int] = {}
    rest = list(positional)
    for argument in arguments:
        name = argument.name
        if name is None:
            if not rest:
                help = takes(block.model_fields) if block else "write name=value"
                state.mistake(f"'{shown}' takes no further argument without a name", argument.span, help)
                continue
            name = rest.pop(0)
        if block is not None and not block.takes(name):
            help = did_you_mean(name, block.model_fields) or takes(block.model_fields)
            state.mistake(f"block '{shown}' has no argument '{name}'", name_span(argument), help)
        elif ranks.get(name) == argument.rank:
            state.mistake(f"'{name}' is given twice", argument.span)
        elif ranks.get(name, -1) > argument.rank:
            continue
        elif (value := read_value(state, argument.value, f"{argument.home or hole}.{name}")) is not None:
            found[name] = Given(value.value, argument.span)
            ranks[name] = argument.rank
    return found


def read_value(state: State, value: syntax.Value, hole: str, real_holes: bool = False) -> Given | None:
    """A value in parentheses, None when it is mistaken."""
    try:
        return Given(lower_value(value, state.scope, hole, real_holes=real_holes), value.span)
    except Mistake as mistake:
        state.note(mistake.diagnostic)
        return None


def check_type(state: State, model: Any, name: str, value: ir.Value, span: Span) -> None:
    """Note a mistake when a constant that the value can become does not fit the argument."""
    if not isinstance(value, ir.Node):
        found = misfit(model, name, value, type(value).__name__)
    elif (key := (model, name, pattern(value))) in state.misfits:
        found = state.misfits[key]
    else:
        all_found = (misfit(model, name, c, type(c).__name__) for c in _telling(state, value, span))
        found = state.misfits[key] = next(filter(None, all_found), None)
    if found:
        state.mistake(found[0], span, found[1])


def check_stage_argument(state: State, name: str, given: Given) -> None:
    """Note a mistake when `width`, `stride` or `down` of a stage cannot be what it is given."""
    for value in state.possible(given.value, given.span):
        if name == "down":
            if value not in DOWN:
                help = did_you_mean(str(value), DOWN)
                state.mistake(f"'down' must be one of {', '.join(DOWN)}; not {say(value)}", given.span, help)
        elif type(value) is not int:
            state.mistake(f"'{name}' takes an integer, not {say(value)}", given.span)
        elif not 1 <= value <= 1_000_000:
            state.mistake(f"'{name}' must be from 1 to 1,000,000, not {value}", given.span)


def merge(
    base: tuple[syntax.Argument, ...], over: tuple[syntax.Argument, ...], place: str
) -> tuple[syntax.Argument, ...]:
    """The arguments of a let and those of a call of it, which win; holes in the call belong to its place."""
    over = tuple(syntax.Argument(a.name, a.value, a.span, a.home or place, a.rank + 1) for a in over)
    names = {argument.name for argument in over if argument.name}
    first = [a for a in over if a.name is None]
    # Those without a name take the places of the let's, one by one; its further ones stay.
    later = [a for a in base if a.name is None][len(first) :]
    return (*first, *later, *(a for a in base if a.name and a.name not in names), *(a for a in over if a.name))


def equals_default(block: Kind, name: str, value: ir.Value) -> bool:
    """Whether saying the value says nothing; 4 for 4.0 says nothing, 1 for `true` is another mistake."""
    default = block.model_fields[name].default
    if isinstance(value, ir.Node) or isinstance(value, bool) is not isinstance(default, bool):
        return False
    return bool(value == default)


def countable(values: Iterable[ir.Value]) -> Iterator[ir.Pick | ir.IntRange]:
    """The holes that are met with the values; those inside an option of another are met only where it is taken."""
    for value in values:
        if isinstance(value, (ir.Pick, ir.IntRange)):
            yield value
        elif isinstance(value, ir.Arithmetic):
            yield from countable((value.left, value.right))


def takes(names: Iterable[str]) -> str:
    """A help line."""
    return f"it takes: {', '.join(names)}" if names else "it takes no arguments"


def name_span(argument: syntax.Argument) -> Span:
    """Where the name of an argument stands, or all of it when it has none."""
    span = argument.span
    return span if argument.name is None else Span(span.line, span.column, span.line, span.column + len(argument.name))


def _telling(state: State, value: ir.Value, span: Span) -> list[ir.Scalar]:
    """The constants whose fit tells whether all fit that a value can become: the ends of ranges, all of the others."""
    match value:
        case ir.IntRange() | ir.FloatRange():
            return [value.low, value.high]
        case ir.Pick():
            return [constant for option in value.options for constant in _telling(state, option, span)]
    return state.possible(value, span)
