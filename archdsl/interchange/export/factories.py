"""Blocks that differ in numbers alone become one function, with those numbers as its arguments."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from archdsl.interchange.export.expressions import Argument, Atom, Call, Expression, Row

FEW = 3  # arguments that are told apart without their names


@dataclass(frozen=True)
class Factory:
    """A function that makes a block.

    Attributes:
        parameters: name and type of each.
        body: what it returns.
        calls: one for each of the expressions it was made from.
    """

    name: str
    parameters: tuple[tuple[str, str], ...]
    body: Expression
    calls: tuple[Call, ...]


def is_nested(value: Expression) -> bool:
    """Whether there are calls within the call."""
    return isinstance(value, Call) and any(
        isinstance(part, Call) for argument in value.arguments for part in _walk(argument.value)
    )


def skeleton(value: Expression) -> object:
    """An expression without its plain values, to compare with others."""
    if isinstance(value, Atom):
        return isinstance(value.value, str) and value.value  # names of modules are no arguments
    if isinstance(value, Row):
        return (value.brackets, *(skeleton(item) for item in value.items))
    return (value.name, *((a.name, skeleton(a.value)) for a in value.arguments))


def factory(name: str, values: Sequence[Expression]) -> Factory:
    """The function for expressions of one skeleton: what is the same in all stays, the rest are its arguments."""
    columns = list(zip(*([a for a in _walk(value) if isinstance(a, Atom)] for value in values), strict=True))
    varying: dict[_Column, tuple[Atom, ...]] = {}  # those that vary alike are one argument
    for column in columns:
        if len(set(_column(column))) > 1:
            varying.setdefault(_column(column), column)
    named: dict[_Column, str] = {}
    for key, column in varying.items():
        named[key] = _free(column[0].name or "value", named.values())
    new = [Atom(c[0].value, "", named[_column(c)]) if _column(c) in named else c[0] for c in columns]
    calls = tuple(
        Call(name, tuple(Argument(named[k], c[number], positional=len(named) <= FEW) for k, c in varying.items()))
        for number in range(len(values))
    )
    parameters = tuple((named[key], _type(column)) for key, column in varying.items())
    return Factory(name, parameters, _filled(values[0], iter(new)), calls)


_Column: TypeAlias = tuple[tuple[type, object], ...]


def _column(atoms: Iterable[Atom]) -> _Column:
    """The values at one place, told apart by type: 1, 1.0 and true are equal in Python."""
    return tuple((type(atom.value), atom.value) for atom in atoms)


def _walk(value: Expression) -> Iterator[Expression]:
    yield value
    if isinstance(value, Row):
        for item in value.items:
            yield from _walk(item)
    elif isinstance(value, Call):
        for argument in value.arguments:
            yield from _walk(argument.value)


def _filled(value: Expression, atoms: Iterator[Atom]) -> Expression:
    """The expression with other plain values, in the order of `_walk`."""
    if isinstance(value, Atom):
        return next(atoms)
    if isinstance(value, Row):
        return replace(value, items=tuple(_filled(item, atoms) for item in value.items))
    return replace(value, arguments=tuple(replace(a, value=_filled(a.value, atoms)) for a in value.arguments))


def _type(column: tuple[Atom, ...]) -> str:
    found = {type(atom.value).__name__ for atom in column if atom.value is not None}
    if found == {"int", "float"}:
        found = {"float"}
    optional = ["None"] if any(atom.value is None for atom in column) else []
    return " | ".join([*sorted(found), *optional])


def _free(name: str, taken: Iterable[str]) -> str:
    names = set(taken)
    name = f"{name}_" if keyword.iskeyword(name) else name
    number, found = 2, name
    while found in names:
        found, number = f"{name}{number}", number + 1
    return found
