"""Makes kinds of blocks of the definitions of a spec: what a parameter may be follows from how the items use it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic.fields import FieldInfo

from archdsl import ir
from archdsl.blocks.composites.kinds import FROM_OUTSIDE, FROM_STAGE, Composite, Same, Scope
from archdsl.blocks.composites.usage import parameter_type, usage


def define(name: str, definition: ir.BlockDefinition, scope: Scope) -> Composite:
    """The kind of a composite block.

    Args:
        name: what it is called.
        definition: what it is.
        scope: the composite blocks that its items may use.
    """
    found = usage(definition.items, scope)
    fields = {p.name: _field(parameter_type(p, found), p) for p in definition.parameters if p.name not in FROM_STAGE}
    declared = [parameter.name for parameter in definition.parameters]
    fields |= _from_outside({*declared, *found.names})
    order = sorted(fields, key=lambda n: declared.index(n) if n in declared else len(declared))
    said = (name, definition.model_dump_json(), *(f"{other}={scope[other].key}" for other in scope))
    key = hashlib.sha256("\n".join(said).encode()).hexdigest()
    return Composite(name, definition, scope, {n: fields[n] for n in order}, key)


def nameless(structure: ir.BlockSpec, scope: Scope) -> Composite:
    """The kind of a structure among blocks; it takes the stage's width and stride where it speaks of them."""
    return _nameless(Same(structure), tuple(scope.items()))


@functools.lru_cache(maxsize=4096)
def _nameless(structure: Same, known: tuple[tuple[str, Composite], ...]) -> Composite:
    items: Any = (structure.thing,)
    scope = dict(known)
    fields = _from_outside(usage(items, scope).names)
    key = "\n".join(["structure", *fields, *(kind.key for kind in scope.values())])
    return Composite("structure", ir.BlockDefinition(items=items), scope, fields, key)


def _field(annotation: Any, parameter: ir.ParameterSpec) -> FieldInfo:
    if parameter.required:
        return FieldInfo.from_annotation(annotation)
    return FieldInfo.from_annotated_attribute(annotation, parameter.default)


_COUNT: Any = Annotated[int, Field(ge=1)]
_OUTSIDE = {name: FieldInfo.from_annotation(_COUNT) for name in FROM_OUTSIDE}
_OUTSIDE["stride"] = FieldInfo.from_annotated_attribute(_COUNT, 1)


def _from_outside(names: set[str]) -> dict[str, FieldInfo]:
    """The fields of what a block takes from where it stands."""
    return {name: field for name, field in _OUTSIDE.items() if name in names}


def scope_of(blocks: Mapping[str, ir.BlockDefinition]) -> Scope:
    """The kinds of the composite blocks of a spec, by name."""
    scope: dict[str, Composite] = {}
    for name, definition in blocks.items():
        if definition._block is None:
            definition._block = define(name, definition, dict(scope))
        scope[name] = definition._block
    return scope


def attends(block: ir.BlockSpec, blocks: Mapping[str, ir.BlockDefinition]) -> bool:
    """Whether there is attention in a block, or in what it is made of."""
    if block.kind == "attention":
        return True
    items = block.items if block.items is not None else blocks[block.kind].items if block.kind in blocks else ()
    inner = (node for node in ir.walk(items) if isinstance(node, ir.BlockSpec))
    return any(attends(node, blocks) for node in inner)
