"""Makes one function of blocks that differ in numbers alone, with those numbers as its arguments."""

from __future__ import annotations

import itertools
import keyword
from collections.abc import Container, Sequence
from dataclasses import dataclass

from archdsl.interchange.export.expressions import (
    Argument,
    Code,
    Constant,
    Expression,
    Written,
    constants,
    lines,
    with_constants,
)

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
    calls: tuple[Written, ...]

    def source(self, first: str) -> str:
        """The function; `first` is the path of the first block that it makes."""
        signature = Written(
            f"def {self.name}", tuple(Argument("", Code(f"{n}: {t}"), False) for n, t in self.parameters)
        )
        more = f" and {len(self.calls) - 1} more" if len(self.calls) > 1 else ""
        body = [f'    """As at {first}{more}."""', *lines("return ", self.body, indent=4)]
        return "\n".join([*lines("", signature, " -> nn.Module:"), *body])


def is_nested(value: Written) -> bool:
    """Whether there are calls within the call."""

    def calls(part: Expression) -> bool:
        return isinstance(part, Written) or (isinstance(part, (list, tuple)) and any(map(calls, part)))

    return any(calls(argument.value) for argument in value.arguments)


def skeleton(value: Expression) -> object:
    """An expression without its numbers, to compare with others."""
    if isinstance(value, Written):
        return (value.name, *((a.name, skeleton(a.value)) for a in value.arguments))
    if isinstance(value, (list, tuple)):
        return (type(value), *map(skeleton, value))
    return isinstance(value, str) and value  # names of modules are no arguments


def factory(name: str, values: Sequence[Expression]) -> Factory:
    """The function for expressions of one skeleton: what is the same in all stays, the rest are its arguments."""
    columns = list(zip(*(constants(value) for value in values), strict=True))
    # Told apart by type, as 1, 1.0 and true are equal in Python; those that vary alike are one argument.
    keys = [tuple((type(value), value) for _, value in column) for column in columns]
    named: dict[object, str] = {}
    kept: dict[str, list[Constant]] = {}
    for key, column in zip(keys, columns, strict=True):
        if len(set(key)) > 1 and key not in named:
            named[key] = free(column[0][0] or "value", kept)
            kept[named[key]] = [value for _, value in column]
    new = iter([Code(named[k]) if k in named else column[0][1] for k, column in zip(keys, columns, strict=True)])
    calls = tuple(
        Written(name, tuple(Argument(n, column[number], len(kept) > FEW) for n, column in kept.items()))
        for number in range(len(values))
    )
    body = with_constants(values[0], lambda: next(new))
    return Factory(name, tuple((n, _type(column)) for n, column in kept.items()), body, calls)


def _type(column: Sequence[Constant]) -> str:
    found = {"float" if isinstance(value, Code) else type(value).__name__ for value in column if value is not None}
    if found == {"int", "float"}:
        found = {"float"}
    return " | ".join([*sorted(found), *(["None"] if None in column else [])])


def free(name: str, taken: Container[str]) -> str:
    """The name, numbered from 2 where it is taken; a word of Python gets a line below."""
    name = f"{name}_" if keyword.iskeyword(name) else name
    numbered = (f"{name}{number}" for number in itertools.count(2))
    return next(found for found in itertools.chain([name], numbered) if found not in taken)
