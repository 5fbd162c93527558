"""Writes a block with its arguments out as a tree of primitives for one input shape; what is known is not made anew."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from archdsl import ir
from archdsl.blocks import Block
from archdsl.blocks.base import Leaf, Parts, Residual, Tree
from archdsl.blocks.composites.bindings import Bindings, ParameterMisfit
from archdsl.blocks.composites.kinds import Composite, Use, construct, kind, typed
from archdsl.blocks.names import free_name
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.blocks.structures import STRUCTURES, Structure
from archdsl.blocks.trees import inflows, sequence
from archdsl.ir.arguments import say

MAX_PARTS = 3_000
MAX_KNOWN = 65_536


class _Work(threading.local):
    """How many parts the block that is being written out has so far, blocks in blocks included; and all in all."""

    open = False
    parts = total = 0


_WORK = _Work()
# Trees, and how many parts were counted for them; the items meant by their identity in a key are held, too.
_KNOWN: dict[Any, tuple[Tree, int, object]] = {}


def work() -> int:
    """How many parts were written out so far in this thread, all in all; blocks that are known already cost nothing."""
    return _WORK.total


def tree(block: Block | Use, x: Shape) -> Tree:
    """The tree that a block stands for.

    Raises:
        ShapeError: it does not fit, or is too large; it names the argument at fault, or the place in the definition.
    """
    if isinstance(block, Block):
        return block.tree(x)
    outermost = not _WORK.open
    if outermost:
        _WORK.open, _WORK.parts = True, 0
    try:
        parts = _Expansion.of(block, x).parts(block.items, x)
    except ParameterMisfit as error:
        raise ShapeError(error.message, error.argument, error.help) from None
    finally:
        _WORK.open = not outermost
    return parts[0][1] if len(parts) == 1 else sequence(parts, x)


@dataclass(frozen=True)
class _Expansion:
    """One block on its way to a tree.

    Attributes:
        kind: of the block.
        bindings: the names its items may use.
        key: one object for all whose items mean the same where the same flows in.
    """

    kind: Composite
    bindings: Bindings
    key: object

    @classmethod
    def of(cls, use: Use, x: Shape) -> _Expansion:
        """That of a block at the shape that flows into it."""
        names = {**use.values, "in": x.channels}
        return cls(use.kind, Bindings(names, use.given), _key(use.kind, use.given, typed(names)))

    def parts(self, items: ir.Items, x: Shape) -> Parts:
        """Named trees of items one after the other."""
        names: dict[str, int] = {}
        found: list[tuple[str, Tree]] = []
        for item in self.flat(items):
            made = self.node(item, x)
            found.append((free_name(_module_name(item, made), names), made))
            x = made.out
        return tuple(found)

    def branches(self, structure: ir.BlockSpec, x: Shape) -> Parts:
        """Named trees of the items of a structure, which stand side by side."""
        names: dict[str, int] = {}
        found = []
        blocks = list(self.flat(structure.items or ()))
        join = STRUCTURES[structure.kind].join or "sum"
        for item, inflow in zip(blocks, inflows(join, len(blocks), x), strict=True):
            made = self.node(item, inflow)
            found.append((free_name(_module_name(item, made), names), made))
        return tuple(found)

    def flat(self, items: ir.Items) -> Iterator[ir.BlockSpec]:
        """The blocks that stand, `if`s and repeats worked out."""
        for item in items:
            _count()
            match item:
                case ir.BlockSpec():
                    yield item
                case ir.IfSpec():
                    yield from self.flat(item.then if self.bindings.holds(item) else item.otherwise)
                case ir.RepeatSpec():
                    times = self.bindings.value(item.times)
                    if type(times) is not int or not 0 <= times <= MAX_PARTS:
                        span = getattr(item.times, "at", None) or item.at
                        raise ShapeError(
                            f"a repeat count is an integer from 0 to {MAX_PARTS:,}, not {say(times)}", None, None, span
                        )
                    for copy in item.taken(times):
                        _count()
                        yield from self.flat(copy)
                case _:
                    raise TypeError(f"a hole is left: {item!r}")

    def node(self, spec: ir.BlockSpec, x: Shape) -> Tree:
        """The tree of one inner block.

        Raises:
            ShapeError: it does not fit; its place is that of the block inside, unless an argument of the call decides.
        """
        try:
            if spec.kind in STRUCTURES:
                return _known((self.key, id(spec), x), spec, lambda: self._structure(spec, x))
            return self._block(spec, x)
        except ShapeError as error:
            raise self.bindings.blame(error, spec) from None

    def _structure(self, spec: ir.BlockSpec, x: Shape) -> Tree:
        kind = STRUCTURES[spec.kind]
        structure = _structure(kind, spec.kind, typed(self.bindings.arguments(spec, kind)))
        parts = self.parts(spec.items or (), x) if kind.join is None else self.branches(spec, x)
        return structure.around(parts, x)

    def _block(self, spec: ir.BlockSpec, x: Shape) -> Tree:
        """An inner block with its arguments, those of this block that it takes by itself among them."""
        inner = kind(spec.kind, self.kind.scope)
        arguments = self.bindings.arguments(spec, inner)
        for name in ("width", "classes"):
            if inner.takes(name) and name in self.bindings.names:
                arguments.setdefault(name, self.bindings.names[name])
        # Items of its own are those of a composite block, with their holes decided.
        key = (inner, typed(arguments), id(spec.items), x)
        return _known(key, spec.items, lambda: tree(construct(inner, spec.kind, arguments, spec.items), x))


@functools.lru_cache(maxsize=MAX_KNOWN)
def _key(kind: Composite, given: frozenset[str], names: tuple[tuple[str, type, ir.Scalar], ...]) -> object:
    """An object that is found faster than what it stands for."""
    return object()


@functools.lru_cache(maxsize=MAX_KNOWN)
def _structure(kind: type[Structure], shown: str, arguments: tuple[tuple[str, type, ir.Scalar], ...]) -> Structure:
    return construct(kind, shown, {name: value for name, _, value in arguments})


def _known(key: tuple[Any, ...], held: object, make: Callable[[], Tree]) -> Tree:
    """What was made for a key before, else what `make` gives; it counts as many parts as if it were made anew.

    Args:
        key: tells the tree from others.
        held: whose identity is part of the key.
        make: makes the tree.
    """
    known = _KNOWN.get(key)
    if known is not None:
        _limit(known[1])
        return known[0]
    before = _WORK.parts
    found = make()
    if len(_KNOWN) >= MAX_KNOWN:
        _KNOWN.clear()
    _KNOWN[key] = found, _WORK.parts - before, held
    return found


def _count() -> None:
    """One more step of writing the block out; copies of nothing are steps, too."""
    _WORK.total += 1
    _limit(1)


def _limit(parts: int) -> None:
    _WORK.parts += parts
    if _WORK.parts > MAX_PARTS:
        raise ShapeError(f"a block of more than {MAX_PARTS:,} parts", None, "use smaller blocks, or repeat less often")


def _module_name(item: ir.BlockSpec, made: Tree) -> str:
    """What the module of an item is called: residual units by what they do (`attn`, `mlp`), others by their kind."""
    if item.kind == "residual":
        return {"msa": "attn"}.get(made.role, made.role) if isinstance(made, Residual) else "conv"
    return made.block.module_name or item.kind if isinstance(made, Leaf) else item.kind
