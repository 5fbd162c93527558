"""Describes the call that makes a module, for making it and for writing it down as Python source."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, init=False)
class Call:
    """A call that is not made yet; neither PyTorch nor what is called is imported before `make`.

    Attributes:
        target: `module:name` of a class or function; or something to call, which cannot be written down.
        args, kwargs: constants, calls, and lists and tuples of them.

    >>> Call("fractions:Fraction", Call("math:gcd", 4, 6), denominator=3).make()
    Fraction(2, 3)
    """

    target: str | Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __init__(self, target: str | Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "kwargs", kwargs)

    def callee(self) -> Callable[..., Any]:
        """What is called."""
        if not isinstance(self.target, str):
            return self.target
        module, _, name = self.target.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return found

    def make(self) -> Any:
        """Make the call, and before it those among its arguments."""
        return self.callee()(*_made(self.args), **{name: _made(value) for name, value in self.kwargs.items()})


class ByRule(Call):
    """A call whose convolutions and linear layers get their weights afterwards, so that nothing is drawn for them."""

    __slots__ = ()

    def make(self) -> Any:
        """Make the call without drawing."""
        from archdsl.blocks.layers.undrawn import Undrawn

        with Undrawn():
            return Call.make(self)


def _made(value: Any) -> Any:
    if isinstance(value, Call):
        return value.make()
    return type(value)(map(_made, value)) if type(value) in (tuple, list) else value
