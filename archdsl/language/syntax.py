"""Defines the syntax tree: what the text says, each piece with its place, before anything is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from archdsl.base.errors import Span


@dataclass(slots=True)
class Number:
    """A literal; `suffixed` when written with K, M or G."""

    value: int | float
    span: Span
    suffixed: bool = False


@dataclass(slots=True)
class Name:
    """A bare word where a value stands."""

    text: str
    span: Span


@dataclass(slots=True)
class Text:
    """A quoted word where a value stands."""

    text: str
    span: Span


@dataclass(slots=True)
class Dimensions:
    """A shape such as `3x32x32`."""

    sizes: tuple[int, ...]
    span: Span


@dataclass(slots=True)
class Binary:
    """`left op right`, op one of + - * / //."""

    op: str
    left: Value
    right: Value
    span: Span


@dataclass(slots=True)
class Negate:
    """`-value` (or `+value`, then `op` is +)."""

    op: str
    value: Value
    span: Span


@dataclass(slots=True)
class ValueChoice:
    """`{2|4|8}`."""

    options: tuple[Value, ...]
    span: Span


@dataclass(slots=True)
class Range:
    """`{lo..hi}`, `{lo..hi step s}`, `{lo..hi log}`."""

    low: Value
    high: Value
    step: Value | None
    log: bool
    span: Span


@dataclass(slots=True)
class Measure:
    """`count(M)`, `count(M, stage=2)` in a condition."""

    name: str
    arguments: tuple[Argument, ...]
    span: Span


Value: TypeAlias = Number | Name | Text | Dimensions | Binary | Negate | ValueChoice | Range | Measure


@dataclass(slots=True)
class Argument:
    """`value` or `name=value` between parentheses.

    Attributes:
        home: the place it was written at, when `let`s have carried it to the block they name.
        rank: how many `let`s did; of two with one name the farther one wins.
    """

    name: str | None
    value: Value
    span: Span
    home: str | None = None
    rank: int = 0


@dataclass(slots=True)
class BlockCall:
    """`C`, `M(heads=6)`: a block, or a `let`, by name."""

    name: str
    arguments: tuple[Argument, ...]
    span: Span


@dataclass(slots=True)
class Group:
    """`( … )`."""

    items: tuple[Item, ...]
    span: Span


@dataclass(slots=True)
class Choice:
    """`{ … | … }` where blocks stand."""

    options: tuple[tuple[Item, ...], ...]
    span: Span


@dataclass(slots=True)
class Repeat:
    """`item*times`."""

    item: Item
    times: Value
    span: Span


@dataclass(slots=True)
class Structure:
    """`residual[ … ]`, `sum[ … ]`, `concat[ … ]`, perhaps with arguments before the bracket."""

    name: str
    arguments: tuple[Argument, ...]
    items: tuple[Item, ...]
    span: Span


@dataclass(slots=True)
class Conditional:
    """`if left op right ( … ) else ( … )` in a composite block."""

    op: str
    left: Value
    right: Value
    then: tuple[Item, ...]
    otherwise: tuple[Item, ...]
    span: Span


Item: TypeAlias = BlockCall | Group | Choice | Repeat | Structure | Conditional


@dataclass(slots=True)
class Parameter:
    """`name` or `name=value` of a composite block; `default` is None where it has to be given."""

    name: str
    default: Value | None
    span: Span


@dataclass(slots=True)
class Compare:
    """`left op right` in a condition."""

    op: str
    left: Value
    right: Value
    span: Span


@dataclass(slots=True)
class Junction:
    """`and`, `or`, `not` over conditions."""

    op: str
    parts: tuple[Condition, ...]
    span: Span


Condition: TypeAlias = Compare | Junction


@dataclass(slots=True)
class Statement:
    """One statement by its keyword; what it carries depends on the keyword (see `arch.lark`)."""

    keyword: str
    span: Span
    name: str | None = None
    name_span: Span | None = None
    value: Value | None = None
    items: tuple[Item, ...] | None = None
    arguments: tuple[Argument, ...] = ()
    condition: Condition | None = None
    parameters: tuple[Parameter, ...] = ()


def depth(tree: Any) -> int:
    """How many pieces stand in each other at most."""
    deepest = 0
    waiting = [(tree, 0)]
    while waiting:
        part, level = waiting.pop()
        if isinstance(part, Span):
            continue
        if isinstance(part, tuple):
            waiting += [(inner, level) for inner in part]
        elif (names := getattr(type(part), "__slots__", None)) is not None:
            deepest = max(deepest, level + 1)
            waiting += [(getattr(part, name), level + 1) for name in names]
    return deepest
