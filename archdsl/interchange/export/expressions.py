"""A module to the expression of Python that makes it again.

PyTorch's modules keep the arguments of their constructors as attributes; ours are watched while a network is built.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import pkgutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

import archdsl.blocks.layers

LAYERS = "archdsl.blocks.layers"


class Unwritable(Exception):
    """A module that cannot be written in Python without what it comes from."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A plain value.

    Attributes:
        value: None, a bool, a number or a string.
        name: what the constructor calls it; two values are equal whatever they are called.
        code: what is written; by default the value.
    """

    value: bool | int | float | str | None
    name: str = field(default="", compare=False)
    code: str = ""

    def __str__(self) -> str:
        if isinstance(self.value, str) and not self.code:
            return json.dumps(self.value, ensure_ascii=False)
        return self.code or repr(self.value)


@dataclass(frozen=True, slots=True)
class Row:
    """A list or a tuple."""

    items: tuple[Expression, ...]
    brackets: str = "()"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call, by its name unless `positional`; one that has its `default` need not be written."""

    name: str
    value: Expression
    positional: bool = False
    default: Any = inspect.Parameter.empty

    @property
    def is_default(self) -> bool:
        """Whether it may be left out."""
        value, default = self.value, self.default
        same = isinstance(value, Atom) and not value.code and type(value.value) is type(default)
        return same and value.value == default  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a constructor."""

    name: str
    arguments: tuple[Argument, ...]


Expression: TypeAlias = Atom | Row | Call
Made: TypeAlias = dict[nn.Module, inspect.BoundArguments]


def layer_classes() -> tuple[type[nn.Module], ...]:
    """The classes of `archdsl.blocks.layers`."""
    found = []
    for info in pkgutil.iter_modules(archdsl.blocks.layers.__path__):
        module = importlib.import_module(f"{LAYERS}.{info.name}")
        found += [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__]
    return tuple(c for c in found if issubclass(c, nn.Module))


_WATCHING = threading.Lock()


@contextmanager
def watched() -> Iterator[Made]:
    """Notes what our layers are made with while the context lasts."""
    made: Made = {}
    with _WATCHING:
        classes = layer_classes()
        own = {kind: vars(kind).get("__init__") for kind in classes}
        for kind in classes:
            _watch(kind, kind.__init__, made)
        try:
            yield made
        finally:
            for kind, constructor in own.items():
                if constructor is None:  # it was inherited
                    del kind.__init__
                else:
                    kind.__init__ = constructor  # type: ignore[method-assign]


def _watch(kind: type[nn.Module], constructor: Callable[..., None], made: Made) -> None:
    signature = inspect.signature(constructor)

    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        # The first to be called is the module's own constructor, those of its bases come after it.
        if self not in made and type(self) is kind:
            made[self] = signature.bind(self, *args, **kwargs)
            made[self].apply_defaults()
        constructor(self, *args, **kwargs)

    kind.__init__ = init  # type: ignore[method-assign]


def expression(module: nn.Module, made: Made) -> Expression:
    """The call that makes a module.

    Raises:
        Unwritable: it is neither PyTorch's nor ours, or PyTorch's and cannot be made from its attributes.
    """
    kind = type(module)
    if kind is nn.Sequential:
        names = [name for name, _ in module.named_children()]
        plain = names == [str(number) for number in range(len(names))]
        parts = [(name, expression(child, made)) for name, child in module.named_children()]
        if plain:
            return Call("nn.Sequential", tuple(Argument("", part, positional=True) for _, part in parts))
        return sequential(parts)
    if module in made:
        return _ours(kind, made[module], made)
    if getattr(nn, kind.__name__, None) is kind:
        return _torchs(module)
    raise Unwritable(f"'{kind.__name__}' of '{kind.__module__}' is neither PyTorch's nor archdsl's")


def sequential(parts: list[tuple[str, Expression]]) -> Call:
    """Named parts, one after the other; `sequential` stands at the top of every file that is written."""
    pairs = [Row((Atom(name), part)) for name, part in parts]
    return Call("sequential", tuple(Argument("", pair, positional=True) for pair in pairs))


_ANYTHING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _parameters(signature: inspect.Signature) -> list[inspect.Parameter]:
    """Those of a constructor, without `self`."""
    return list(signature.parameters.values())[1:]


def _ours(kind: type[nn.Module], bound: inspect.BoundArguments, made: Made) -> Call:
    # Without a constructor of its own a class has that of `nn.Module`, which takes anything and wants nothing.
    parameters = [p for p in _parameters(bound.signature) if p.kind not in _ANYTHING or bound.arguments[p.name]]
    return Call(
        kind.__name__,
        tuple(
            Argument(p.name, _value(bound.arguments[p.name], p.name, made), number == 0, p.default)
            for number, p in enumerate(parameters)
        ),
    )


def _value(value: Any, name: str, made: Made) -> Expression:
    if isinstance(value, nn.Module):
        return expression(value, made)
    if isinstance(value, (list, tuple)):
        return Row(tuple(_value(item, name, made) for item in value), "[]" if isinstance(value, list) else "()")
    if value is None or isinstance(value, (bool, int, float, str)):
        if isinstance(value, float) and not math.isfinite(value):
            return Atom(value, name, f'float("{value}")')
        return Atom(value, name)
    raise Unwritable(f"an argument '{name}' of the type '{type(value).__name__}' cannot be written")


def _torchs(module: nn.Module) -> Call:
    """A module of PyTorch by its attributes; made again for a trial, it must look the same."""
    kind = type(module)
    arguments: list[tuple[inspect.Parameter, Any]] = []
    for parameter in _parameters(inspect.signature(kind.__init__)):
        if parameter.name in ("device", "dtype") or parameter.kind in _ANYTHING:
            continue
        value = getattr(module, parameter.name, parameter.default)
        if isinstance(parameter.default, bool) and (value is None or isinstance(value, Tensor)):
            value = value is not None  # `bias`, of which the module keeps the tensor
        arguments.append((parameter, value))
    for plain in (True, False):  # 3 for (3, 3) where that means the same
        tried = [(p, _plain(v) if plain else v) for p, v in arguments]
        if _alike(module, {p.name: v for p, v in tried}):
            required = inspect.Parameter.empty
            return Call(
                f"nn.{kind.__name__}",
                tuple(Argument(p.name, _value(v, p.name, {}), p.default is required, p.default) for p, v in tried),
            )
    raise Unwritable(f"'nn.{kind.__name__}' cannot be made again from its attributes")


def _plain(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _alike(module: nn.Module, arguments: dict[str, Any]) -> bool:
    try:
        with torch.device("meta"):
            again = type(module)(**arguments)
    except (TypeError, ValueError, RuntimeError):
        return False

    def shapes(one: nn.Module) -> dict[str, torch.Size]:
        return {name: tensor.shape for name, tensor in one.state_dict().items()}

    return repr(again) == repr(module) and shapes(again) == shapes(module)
