"""Checks values of arguments against the fields of blocks, and writes them as the language does."""

from __future__ import annotations

import functools
import operator
import re
import types
import typing
from collections.abc import Callable
from typing import Any

from archdsl.base.errors import did_you_mean
from archdsl.ir import Scalar


@functools.lru_cache(maxsize=4096)
def misfit(model: Any, name: str, value: Scalar, kind: str) -> tuple[str, str | None] | None:
    """None when `value` fits the field, else what is wrong and a help line.

    Read off the field's annotation, and not asked of pydantic: its validators take longer to make than all else that
    `archdsl check` does to a text.

    Args:
        model: the kind of a block, or the recipe.
        name: the argument.
        value: a constant.
        kind: the name of its type, so that the cache tells 1 from True and 1.0.
    """
    field = model.model_fields[name]
    kinds = _alternatives(field.annotation)
    words = [word for kind in kinds for word in choices(kind)]
    if not any(_is_of(kind, value) for kind in kinds):
        if words and isinstance(value, str):
            return f"'{name}' must be {_wanted(field.annotation)}; not '{value}'", did_you_mean(value, words)
        return f"'{name}' takes {_wanted(field.annotation)}, not {say(value)}", None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for constraint in field.metadata:
            for attribute, (said, holds) in _BOUNDS.items():
                limit = getattr(constraint, attribute, None)
                if limit is not None and not holds(value, limit):
                    limit = f"{limit:g}" if float in kinds else limit
                    return f"'{name}' must be {said} {limit}, not {show(value)}", None
    return None


def fitted(model: Any, name: str, value: Scalar) -> Scalar:
    """A value as the field holds it: an integer becomes a real number where only those are taken."""
    kinds = _alternatives(model.model_fields[name].annotation)
    return float(value) if type(value) is int and float in kinds and int not in kinds else value


# What pydantic's constraints demand, by their attribute.
_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "le": ("at most", operator.le), "lt": ("less than", operator.lt),
    "ge": ("at least", operator.ge), "gt": ("more than", operator.gt),
}  # fmt: skip


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


def _is_of(kind: Any, value: Scalar) -> bool:
    if words := typing.get_args(kind):  # of a Literal
        return any(type(word) is type(value) and word == value for word in words)
    return type(value) is kind or (kind is float and type(value) is int)  # 1 is a number, and true is none


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
    if len(kinds := _alternatives(annotation)) > 1:
        return " or ".join(map(_wanted, kinds))
    return {int: "an integer", float: "a number", bool: "true or false", type(None): "none", str: "a name"}.get(
        annotation, str(annotation)
    )
