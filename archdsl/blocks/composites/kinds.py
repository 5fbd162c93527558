"""Defines kinds of blocks, finds the kind of a name, and makes a block of its kind and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, overload

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from archdsl import ir
from archdsl.blocks import BLOCKS, Block
from archdsl.blocks.shapes import ShapeError
from archdsl.ir.arguments import fitted, misfit

FROM_STAGE = ("width", "stride")
FROM_OUTSIDE = (*FROM_STAGE, "classes")  # what a block takes from where it stands, if it speaks of it


@dataclass(frozen=True, eq=False, repr=False)
class Composite:
    """A kind of block that is said in the language; equal where name and definition are, wherever they stand.

    Attributes:
        kind_name: its name.
        definition: its parameters, and the items that it is made of.
        scope: the composite blocks that the items may use.
        model_fields: its arguments, as those of primitives.
        key: what it is, blocks in blocks included, as a hash.
    """

    kind_name: str
    definition: ir.BlockDefinition
    scope: Scope
    model_fields: Mapping[str, FieldInfo]
    key: str

    @property
    def positional(self) -> tuple[str, ...]:
        """Names of the arguments that may be given without a name, in order."""
        return tuple(parameter.name for parameter in self.definition.parameters)

    @property
    def summary(self) -> str:
        """One line for documentation and editors."""
        return self.definition.summary

    def takes(self, argument: str) -> bool:
        """Whether the block has this argument."""
        return argument in self.model_fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Composite) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


Scope: TypeAlias = Mapping[str, Composite]  # composite blocks by name
Kind: TypeAlias = type[Block] | Composite
B = TypeVar("B", bound=Block)


@dataclass(frozen=True)
class Use:
    """A composite block with its arguments.

    Attributes:
        kind: of which it is.
        values: all of its arguments.
        given: those that do not have their defaults for being left out.
        items: what it stands for, without holes.
    """

    kind: Composite
    values: Mapping[str, ir.Scalar]
    given: frozenset[str]
    items: ir.Items


def kind(name: str, scope: Scope) -> Kind:
    """The kind of a block: a composite of the scope, or a primitive."""
    return scope[name] if name in scope else BLOCKS[name]


@overload
def construct(kind: type[B], shown: str, arguments: Mapping[str, ir.Scalar], items: None = None) -> B: ...


@overload
def construct(
    kind: Kind, shown: str, arguments: Mapping[str, ir.Scalar], items: ir.Items | None = None
) -> Block | Use: ...


def construct(kind: Kind, shown: str, arguments: Mapping[str, ir.Scalar], items: ir.Items | None = None) -> Block | Use:
    """A block of a kind.

    Args:
        kind: of which it is to be.
        shown: what messages call it.
        arguments: by name.
        items: of a composite block with holes, those with the holes decided.

    Raises:
        ShapeError: an argument does not fit its type, or one is missing.

    >>> construct(BLOCKS["conv"], "conv", {"width": 64, "k": 5}).k
    5
    """
    if not isinstance(kind, Composite):
        given: Any = arguments
        try:
            return kind(**given)
        except ValidationError:
            raise _unfit(kind, shown, arguments) from None
    values: dict[str, ir.Scalar] = {}
    for name, field in kind.model_fields.items():
        if name not in arguments:
            values[name] = field.get_default()
            wrong = field.is_required()
        else:
            values[name] = fitted(kind, name, arguments[name])
            wrong = misfit(kind, name, arguments[name], type(arguments[name]).__name__) is not None
        if wrong:
            raise _unfit(kind, shown, arguments)
    return Use(kind, values, frozenset(arguments), kind.definition.items if items is None else items)


def _unfit(kind: Kind, shown: str, arguments: Mapping[str, ir.Scalar]) -> ShapeError:
    """Why a block does not take its arguments; those without holes were checked where they stand."""
    for name, value in arguments.items():
        if found := misfit(kind, name, value, type(value).__name__):
            return ShapeError(found[0], name, found[1])
    missing = next(name for name, f in kind.model_fields.items() if f.is_required() and name not in arguments)
    first = {"width": f"{shown}(64)", "out_features": f"{shown}(classes)"} if missing in kind.positional[:1] else {}
    example = first.get(missing, f"{shown}({missing}={64 if missing == 'width' else '…'})")
    return ShapeError(f"'{shown}' needs '{missing}' here", None, f"for example: {example}")


class Same:
    """Holds a thing so that it can be the key of a table; equal to what holds the very same."""

    __slots__ = ("thing",)

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


def typed(arguments: Mapping[str, Any]) -> tuple[tuple[str, type, Any], ...]:
    """Arguments as part of a key, which tells 1 from true and 1.0."""
    return tuple([(name, type(value), value) for name, value in arguments.items()])
