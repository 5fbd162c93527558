"""The definition of a composite block to its class, whose fields are the parameters; the classes of a whole spec."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr, create_model

from archdsl import ir
from archdsl.blocks import Block
from archdsl.blocks.base import Composite, Node
from archdsl.blocks.composites.bindings import Bindings
from archdsl.blocks.composites.expansion import expand
from archdsl.blocks.composites.scope import FROM_OUTSIDE, FROM_STAGE, Scope
from archdsl.blocks.composites.usage import parameter_type, usage
from archdsl.blocks.shapes import Shape


class Defined(Composite):
    """A block said in the language: its fields are the parameters, its tree follows from the definition's items.

    Class attributes:
        block_items: what it is made of.
        block_scope: the composite blocks that the items may use.
        block_definitions: what it is made of, itself last; with them it travels to other processes.
    """

    block_definitions: ClassVar[Mapping[str, ir.BlockDefinition]] = {}
    block_items: ClassVar[ir.Items] = ()
    block_scope: ClassVar[Scope] = {}
    _here: tuple[ir.Items, Scope] | None = PrivateAttr(default=None)

    def holding(self, items: ir.Items, scope: Scope) -> Defined:
        """The same block with other items: those of a structure, or its own with their holes decided."""
        copy = self.model_copy()
        copy._here = (items, scope)
        return copy

    @property
    def block_content(self) -> tuple[ir.Items, Scope]:
        """The items it stands for, without holes, and the composite blocks they may use."""
        return (self.block_items, self.block_scope) if self._here is None else self._here

    def __reduce__(self) -> tuple[Any, ...]:
        definitions = dict(self.block_definitions)
        for block in self.block_content[1].values():  # those a structure among blocks may use
            definitions |= getattr(block, "block_definitions", {})
        return _revived, (self.kind_name, definitions, dict(self), self._here and self._here[0])

    def expand(self, x: Shape) -> Node:
        """The tree of its items for input shape `x`."""
        items, scope = self.block_content
        names = {name: getattr(self, name) for name in type(self).model_fields}
        return expand(items, Bindings(names | {"in": x.channels}, frozenset(self.model_fields_set)), scope, x)


def _revived(
    name: str, definitions: dict[str, ir.BlockDefinition], values: dict[str, ir.Scalar], items: ir.Items | None
) -> Defined:
    """A block as it was in another process."""
    scope = scope_of(definitions)
    if name not in scope:  # a structure among blocks
        block: Any = _nameless(tuple(values))(**values)
    else:
        block = scope[name](**values)
    revived: Defined = block if items is None else block.holding(items, scope)
    return revived


def define(name: str, definition: ir.BlockDefinition, scope: Scope) -> type[Defined]:
    """The class of a composite block; what a parameter may be follows from how the items use it."""
    found = usage(definition.items, scope)
    fields: dict[str, Any] = {}
    for parameter in definition.parameters:
        if parameter.name not in FROM_STAGE:
            annotation = parameter_type(parameter, found)
            fields[parameter.name] = (annotation, ... if parameter.required else parameter.default)
    declared = [parameter.name for parameter in definition.parameters]
    fields |= _from_outside(tuple(name for name in FROM_OUTSIDE if name in declared or name in found.names))
    order = sorted(fields, key=lambda n: declared.index(n) if n in declared else len(declared))
    with warnings.catch_warnings(action="ignore"):  # a parameter may be called `copy`
        block: type[Defined] = create_model(name, __base__=Defined, **{n: fields[n] for n in order})
    block.kind_name = name
    block.block_items = definition.items
    block.block_scope = scope
    used = {n: b.block_definitions[n] for n, b in scope.items() if isinstance(b, type) and issubclass(b, Defined)}
    block.block_definitions = {**used, name: definition}
    block.positional = tuple(declared)
    block.summary = block.__doc__ = definition.summary
    return block


def nameless(items: ir.Items, scope: Scope) -> type[Defined]:
    """The class of a structure among blocks; it takes the stage's width and stride where it speaks of them."""
    names = usage(items, scope).names
    return _nameless(tuple(name for name in FROM_OUTSIDE if name in names))


@functools.cache
def _nameless(outside: tuple[str, ...]) -> type[Defined]:
    return create_model("structure", __base__=Defined, **_from_outside(outside))


def _from_outside(names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of what a block takes from where it stands."""
    return {name: (int, Field(default=1, ge=1) if name == "stride" else Field(ge=1)) for name in names}


# ---- the composite blocks of a spec --------------------------------------------------------------------


def scope_of(blocks: Mapping[str, ir.BlockDefinition]) -> Scope:
    """The classes of the composite blocks of a spec, by name."""
    scope: dict[str, type[Block]] = {}
    for name, definition in blocks.items():
        if definition._block is None:
            definition._block = define(name, definition, dict(scope))
        scope[name] = definition._block
    return scope


def anew(blocks: Mapping[str, ir.BlockDefinition]) -> Scope:
    """The same with classes of their own, whose places are those of this very spec: to say where a mistake stands."""
    global _LATEST
    if _LATEST[0] is not blocks:  # many fillings of one space may not fit
        scope: dict[str, type[Block]] = {}
        for name, definition in blocks.items():
            scope[name] = define(name, definition, dict(scope))
        _LATEST = (blocks, scope)
    return _LATEST[1]


_LATEST: tuple[Mapping[str, ir.BlockDefinition], Scope] = ({}, {})


def attends(block: ir.BlockSpec, blocks: Mapping[str, ir.BlockDefinition]) -> bool:
    """Whether there is attention in a block, or in what it is made of."""
    if block.kind == "attention":
        return True
    items = block.items if block.items is not None else blocks[block.kind].items if block.kind in blocks else ()
    inner = (node for node in ir.walk(items) if isinstance(node, ir.BlockSpec))
    return any(attends(node, blocks) for node in inner)
