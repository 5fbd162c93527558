"""Finds out how the items of a composite block use names, and which type that gives a parameter."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from archdsl import ir
from archdsl.blocks.composites.kinds import Kind, Scope, kind
from archdsl.blocks.structures import STRUCTURES


@dataclass(frozen=True)
class Usage:
    """How a sequence of items uses names.

    Attributes:
        names: all that are mentioned; `width` also where an inner block takes the block's width by itself.
        arguments: for each name the fields it is handed to as it is.
        compared: for each name the constants it is compared with.
        numeric: names that stand in arithmetic.
    """

    names: set[str]
    arguments: dict[str, list[tuple[Kind, str]]]
    compared: dict[str, list[ir.Scalar]]
    numeric: set[str]


def usage(items: ir.Items, scope: Scope) -> Usage:
    """How items use names."""
    found = Usage(set(), {}, {}, set())
    _use_items(items, scope, found)
    return found


def _use_items(items: Iterable[ir.Item], scope: Scope, found: Usage) -> None:
    for item in items:
        match item:
            case ir.BlockSpec():
                _use_block(item, scope, found)
            case ir.ChoiceSpec():
                for option in item.options:
                    _use_items(option, scope, found)
            case ir.RepeatSpec():
                _use_value(item.times, found)
                if isinstance(item.times, ir.Variable):
                    found.numeric.add(item.times.name)
                for copy in item.copies:
                    _use_items(copy, scope, found)
            case ir.IfSpec():
                for one, other in ((item.left, item.right), (item.right, item.left)):
                    _use_value(one, found)
                    if isinstance(one, ir.Variable) and item.op not in ("==", "!="):
                        found.numeric.add(one.name)
                    elif isinstance(one, ir.Variable) and not isinstance(other, ir.Node):
                        found.compared.setdefault(one.name, []).append(other)
                _use_items((*item.then, *item.otherwise), scope, found)


def _use_block(spec: ir.BlockSpec, scope: Scope, found: Usage) -> None:
    block: Kind = STRUCTURES.get(spec.kind) or kind(spec.kind, scope)
    for name in ("width", "classes"):
        if block.takes(name) and name not in spec.arguments:
            found.names.add(name)
    for argument, value in spec.arguments.items():
        _use_value(value, found)
        if isinstance(value, ir.Variable):
            found.arguments.setdefault(value.name, []).append((block, argument))
    if spec.kind in STRUCTURES:  # what stands in another composite block speaks of that block's parameters
        _use_items(spec.items or (), scope, found)


def _use_value(value: ir.Value, found: Usage) -> None:
    for node in ir.walk(value):
        if isinstance(node, ir.Variable):
            found.names.add(node.name)
        elif isinstance(node, ir.Arithmetic):
            found.numeric.update(side.name for side in (node.left, node.right) if isinstance(side, ir.Variable))


def parameter_type(parameter: ir.ParameterSpec, found: Usage) -> Any:
    """The type of a parameter: that of the first field it is handed to, or what arithmetic and comparisons ask for."""
    name, default = parameter.name, parameter.default
    compared = found.compared.get(name, [])
    words = [word for word in compared if isinstance(word, str)]
    metadata: list[Any] = []
    annotation: Any
    if name in found.arguments:
        block, argument = found.arguments[name][0]
        annotation, metadata = block.model_fields[argument].annotation, block.model_fields[argument].metadata
    elif words:
        known = tuple(dict.fromkeys([default, *words] if isinstance(default, str) else words))
        annotation = Literal[known] if len(known) > 1 else str  # `else` takes any other word
    elif name in found.numeric:
        annotation = int if type(default) is int and not compared else int | float
    else:
        annotation = bool if isinstance(default, bool) else bool | int | float | str | None
    may_be_none = None in compared or (default is None and not parameter.required)
    if may_be_none and type(None) not in typing.get_args(annotation):
        annotation = annotation | None
    return Annotated[annotation, *metadata] if metadata else annotation
