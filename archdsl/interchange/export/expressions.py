"""Writes the call that makes a module as an expression of Python, broken into lines as ruff breaks them."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from archdsl.blocks.calls import Call
from archdsl.interchange.export.sources import Sources, Unwritable

WIDTH = 88
NO_DEFAULT = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Code:
    """What is written as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call; one that has its `default` is not written.

    Attributes:
        named: whether its name is written.
    """

    name: str
    value: Expression
    named: bool = True
    default: Any = NO_DEFAULT

    @property
    def is_default(self) -> bool:
        """Whether it may be left out."""
        return type(self.value) is type(self.default) and bool(self.value == self.default)


@dataclass(frozen=True, slots=True)
class Written:
    """A call as it is written; all of its arguments, defaults among them, to compare it with others."""

    name: str
    arguments: tuple[Argument, ...]


Constant: TypeAlias = bool | int | float | str | Code | None
Expression: TypeAlias = "Constant | tuple[Expression, ...] | list[Expression] | Written"


def expression(call: Call, sources: Sources) -> Written:
    """A call in Python; what it calls, where that is not PyTorch's, is added to the sources.

    Raises:
        Unwritable: a block says only how to build its module, or something needs more than PyTorch.
    """
    if not isinstance(call.target, str):
        raise Unwritable("it builds its module itself, and says no call that makes it")
    home, _, name = call.target.partition(":")
    if home != "torch.nn":
        sources.need(name, home)
    bound = inspect.signature(call.callee()).bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    arguments: list[Argument] = []
    for parameter in bound.signature.parameters.values():
        value = bound.arguments[parameter.name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            arguments += [Argument("", _value(item, "", sources), named=False) for item in value]
        elif parameter.kind is not parameter.VAR_KEYWORD:
            named = parameter.default is not NO_DEFAULT if home == "torch.nn" else bool(arguments)
            made = _value(value, parameter.name, sources)
            arguments.append(Argument(parameter.name, made, named, parameter.default))
    return Written(f"nn.{name}" if home == "torch.nn" else name, tuple(arguments))


def _value(value: Any, name: str, sources: Sources) -> Expression:
    if isinstance(value, Call):
        return expression(value, sources)
    if isinstance(value, (list, tuple)):
        return type(value)(_value(item, name, sources) for item in value)
    if isinstance(value, float) and not math.isfinite(value):
        return Code(f'float("{value}")')
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise Unwritable(f"an argument '{name}' of the type '{type(value).__name__}' cannot be written")


def constants(value: Expression, name: str = "") -> Iterator[tuple[str, Constant]]:
    """The constants in an expression in order, each with what the call it is given to calls it."""
    if isinstance(value, Written):
        for argument in value.arguments:
            yield from constants(argument.value, argument.name)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from constants(item, name)
    else:
        yield name, value


def with_constants(value: Expression, new: Callable[[], Constant]) -> Expression:
    """The expression with other constants, in the order of `constants`."""
    if isinstance(value, Written):
        return replace(value, arguments=tuple(replace(a, value=with_constants(a.value, new)) for a in value.arguments))
    if isinstance(value, (list, tuple)):
        return type(value)(with_constants(item, new) for item in value)
    return new()


def lines(lead: str, value: Expression, tail: str = "", indent: int = 0) -> list[str]:
    """`lead value tail` on one line if it fits into 88 columns, else with every part on a line of its own.

    Args:
        lead: what stands before, such as `return ` or `self.stem = `.
        value: the expression.
        tail: what follows at once, such as a comma, which keeps broken what is broken.
        indent: in columns.
    """
    margin = " " * indent
    one = f"{margin}{lead}{flat(value)}{tail}"
    opening, parts, closing = _parts(value)
    if len(one) <= WIDTH or not parts:
        return [one]
    found = [f"{margin}{lead}{opening}"]
    for name, part in parts:
        found += lines(name, part, ",", indent + 4)
    return [*found, f"{margin}{closing}{tail}"]


def flat(value: Expression) -> str:
    """An expression on one line.

    >>> flat((1, ["a", None]))
    '(1, ["a", None])'
    """
    if isinstance(value, Code):
        return value.text
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (Written, list, tuple)):
        return repr(value)
    opening, parts, closing = _parts(value)
    inner = ", ".join(name + flat(part) for name, part in parts)
    return f"{opening}{inner}{',' if opening == '(' and len(parts) == 1 else ''}{closing}"


def _parts(value: Expression) -> tuple[str, list[tuple[str, Expression]], str]:
    if isinstance(value, Written):
        said = [(f"{a.name}=" if a.named else "", a.value) for a in value.arguments if not (a.named and a.is_default)]
        return f"{value.name}(", said, ")"
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening, [("", item) for item in value], closing
    return "", [], ""
