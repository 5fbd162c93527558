"""Lowers `block NAME(parameters) = …`, a composite block of a file, to its definition."""

from __future__ import annotations

from archdsl import ir
from archdsl.base.errors import Span
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.kinds import FROM_STAGE, Composite
from archdsl.language import syntax
from archdsl.language.calls import check_type
from archdsl.language.state import State
from archdsl.language.values import RESERVED, Mistake, lower_value


def define_block(state: State, name: str, span: Span | None) -> Composite:
    """The kind of a composite block of the file, whose definition is looked at when it is first used.

    Raises:
        Mistake: it is defined by itself.
    """
    statement = state.scope.blocks[name]
    if name in state.kinds and name not in state.scope.open:
        return state.kinds[name]
    with state.scope.entered(name, span or statement.span):
        parameters = _parameters(state, statement)
        emitted = state.emitted
        items, used = _content(state, statement, name)
        state.emitted = emitted  # a definition that nothing uses adds no blocks
        for parameter in statement.parameters:
            if not used[parameter.name] and parameter.name not in FROM_STAGE and not state.lost:
                state.mistake(
                    f"'{parameter.name}' is not used in block '{name}'", parameter.span, "leave it out, or hand it on"
                )
        definition = ir.BlockDefinition(
            parameters=parameters, items=items, summary=state.comments(statement.span), at=statement.span
        )
        block = state.enter(name, definition)
        for made in parameters:
            if not made.required and made.name not in FROM_STAGE and made.at is not None:
                check_type(state, block, made.name, made.default, made.at)
        return block


WRITTEN_OUT = 6  # steps that writing a block out once more counts as, beside its content


def content_at(state: State, name: str, place: str) -> ir.Items | None:
    """The content of a block that has holes in it, as it stands at a place; None for one without holes."""
    if name not in state.holey:
        state.holey[name] = next(ir.holes_in(state.definitions[name].items), None) is not None
    if not state.holey[name]:
        return None
    statement = state.scope.blocks[name]
    mistakes = len(state.mistakes)
    for _ in range(WRITTEN_OUT):
        state.scope.step(statement.span)
    with state.scope.entered(name, statement.span):
        items, _ = _content(state, statement, f"{place}.{name}")
    del state.mistakes[mistakes:]  # they were found in the definition
    return items


def holes_of_defaults(state: State, name: str, given: set[str], place: str) -> dict[str, ir.Value]:
    """The defaults that hold holes, of those parameters that are not given: each use decides for itself."""
    found: dict[str, ir.Value] = {}
    for parameter in state.scope.blocks[name].parameters:
        if parameter.default is not None and parameter.name not in given:
            with state.silent(), state.noting():
                value = lower_value(parameter.default, state.scope, f"{place}.{parameter.name}")
                if isinstance(value, ir.Node):
                    found[parameter.name] = value
    return found


def _content(state: State, statement: syntax.Statement, path: str) -> tuple[ir.Items, dict[str, bool]]:
    """The items of a block, and which of its parameters they use."""
    used = {parameter.name: False for parameter in statement.parameters}
    before, state.scope.parameters = state.scope.parameters, used
    try:
        items = state.lower_content(state, statement.items or (), path)
    finally:
        state.scope.parameters = before
    return items, used


def _parameters(state: State, statement: syntax.Statement) -> tuple[ir.ParameterSpec, ...]:
    found: dict[str, ir.ParameterSpec] = {}
    for parameter in statement.parameters:
        name = parameter.name
        if name in found:
            state.mistake(f"'{name}' is given twice", parameter.span, "choose another name")
        elif name in RESERVED and name not in FROM_STAGE:
            state.mistake(f"'{name}' has a meaning of its own", parameter.span, "choose another name")
        elif name in FROM_STAGE and parameter.default is not None:
            help = f"write {name} alone: it comes from the stage where it is not given"
            state.mistake(f"'{name}' takes no default", parameter.span, help)
        else:
            with state.noting():
                found[name] = _parameter(state, parameter)
    return tuple(found.values())


def _parameter(state: State, parameter: syntax.Parameter) -> ir.ParameterSpec:
    if parameter.default is None:
        return ir.ParameterSpec(name=parameter.name, required=parameter.name not in FROM_STAGE, at=parameter.span)
    value = lower_value(parameter.default, state.scope, parameter.name)
    if isinstance(value, ir.Node):
        # The holes belong to each use, see `holes_of_defaults`.
        constants = state.possible(value, parameter.default.span)
        if not constants:
            raise Mistake("a default is a constant or a hole", parameter.default.span, "for example: k=3 or k={3|5}")
        value = constants[0]
    return ir.ParameterSpec(name=parameter.name, default=value, at=parameter.span)


def check_names(state: State) -> None:
    """Note the blocks whose names are taken."""
    for name, statement in state.scope.blocks.items():
        if name in BLOCKS:
            help = "choose another name; what it is made of keeps its own"
            state.mistake(f"'{name}' is a primitive block", statement.name_span, help)
        elif name in ir.STRUCTURES:
            state.mistake(f"'{name}' has a meaning of its own", statement.name_span, "choose another name")
        elif name in state.scope.lets:
            where = state.scope.lets[name].span.line
            help = f"a 'let' in line {where} has the same name"
            state.mistake(f"'{name}' is defined twice", statement.name_span, help)
        elif not statement.items:
            help = f"for example: block {name} = residual[conv norm act]"
            state.mistake(f"block '{name}' holds nothing", statement.span, help)
