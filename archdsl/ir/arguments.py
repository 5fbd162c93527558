"""Values of arguments: whether one fits (the types live in the pydantic fields), how it is written, arithmetic."""

from __future__ import annotations

import functools
import re
import types
import typing
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from archdsl.base.errors import did_you_mean
from archdsl.ir import Scalar

LARGEST = 10**18


@functools.lru_cache(maxsize=4096)
def misfit(model: Any, name: str, value: Scalar, kind: str) -> tuple[str, str | None] | None:
    """None when `value` fits the field, else what is wrong and a help line.

    Args:
        model: the kind of a block, or the recipe.
        name: the argument.
        value: a constant.
        kind: the name of its type, so that the cache tells 1 from True and 1.0.
    """
    try:
        adapter(model, name).validate_python(value, strict=True)
    except ValidationError as error:
        return _explain(name, value, _wanted(model.model_fields[name].annotation), error)
    return None


@functools.lru_cache(maxsize=1024)
def adapter(model: Any, name: str) -> TypeAdapter[Any]:
    """What checks the values of a field; shared by all fields of a type."""
    field = model.model_fields[name]
    return _adapter(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)


@functools.lru_cache(maxsize=1024)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def show(value: Scalar) -> str:
    """A value as the language writes it.

    >>> [show(v) for v in (True, None, 64, 0.1, "relu", "a.b", "none")]
    ['true', 'none', '64', '0.1', 'relu', '"a.b"', '"none"']
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        plain = value.isascii() and value.isidentifier() and value not in _NOT_PLAIN
        return value if plain else f'"{value}"'
    return re.sub(r"e([+-])0*", r"e\1", repr(value)).replace("e+", "e") if isinstance(value, float) else str(value)


# Words that mean something else where a value stands, so that a text like them stays quoted.
_NOT_PLAIN = frozenset(("true", "false", "none", "width", "in", "stride", "classes", "log", "step"))


def say(value: Scalar) -> str:
    """A value as messages write it: words between quotes."""
    return f"'{value}'" if isinstance(value, str) else show(value)


def choices(annotation: Any) -> tuple[str, ...]:
    """The words an annotation allows, empty when it allows others."""
    if typing.get_origin(annotation) is typing.Literal:
        return tuple(str(word) for word in typing.get_args(annotation))
    return ()


def _wanted(annotation: Any) -> str:
    if words := choices(annotation):
        return f"one of {', '.join(words)}"
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return " or ".join(_wanted(part) for part in typing.get_args(annotation))
    return {int: "an integer", float: "a number", bool: "true or false", type(None): "none", str: "a name"}.get(
        annotation, str(annotation)
    )


def _explain(name: str, value: Scalar, wanted: str, error: ValidationError) -> tuple[str, str | None]:
    for detail in error.errors(include_url=False):
        context = detail.get("ctx", {})
        bound = {
            "greater_than_equal": ("at least", "ge"),
            "greater_than": ("more than", "gt"),
            "less_than_equal": ("at most", "le"),
            "less_than": ("less than", "lt"),
        }.get(detail["type"])
        if bound:
            limit = context[bound[1]]
            limit = f"{limit:g}" if isinstance(limit, float) else limit
            return f"'{name}' must be {bound[0]} {limit}, not {show(value)}", None
        if detail["type"] == "literal_error" and isinstance(value, str):
            words = wanted.removeprefix("one of ").split(", ")
            return f"'{name}' must be {wanted}; not '{value}'", did_you_mean(value, words)
    return f"'{name}' takes {wanted}, not {say(value)}", None


def calculate(op: str, left: float, right: float) -> int | float:
    """`left op right`; a whole number is an integer, so that `width/2` and `width*0.5` are widths.

    Raises:
        ZeroDivisionError, OverflowError: there is no such number, or no room for it.

    >>> calculate("/", 64, 2), calculate("/", 1, 2), calculate("*", 64, 0.5), calculate("//", 7.5, 1)
    (32, 0.5, 32, 7)
    """
    match op:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "*":
            result = left * right
        case "//":
            result = left // right
        case _:
            result = (
                left // right
                if isinstance(left, int) and isinstance(right, int) and left % right == 0
                else left / right
            )
    return int(result) if isinstance(result, float) and result.is_integer() and abs(result) < LARGEST else result


def bounded(op: str, left: float, right: float) -> int | float:
    """`calculate`, but no further than 10^18: repeated squaring makes numbers that fill the memory.

    Raises:
        ArithmeticError: with a message in plain words.
    """
    try:
        result = calculate(op, left, right)
    except ZeroDivisionError:
        raise ArithmeticError("division by zero") from None
    except OverflowError:
        raise ArithmeticError("the result is too large") from None
    if not abs(result) <= LARGEST:
        raise ArithmeticError("the result is too large")
    return result
