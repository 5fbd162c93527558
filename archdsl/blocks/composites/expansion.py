"""The items of a composite block and the values of its parameters to a tree of primitives, for one input shape."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from archdsl import ir
from archdsl.blocks import Block
from archdsl.blocks.base import Composite, Join, Node, Primitive, Residual, Sequence, free_name, inflows
from archdsl.blocks.composites.bindings import Bindings, ParameterMisfit
from archdsl.blocks.composites.scope import Scope, construct, kind
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.blocks.structures import STRUCTURES, ParallelStructure
from archdsl.blocks.trees import measure
from archdsl.ir.arguments import say

MAX_PARTS = 3_000
_WORK = threading.local()  # how many parts the block that is being written out has so far, blocks in blocks included


def work() -> int:
    """How many parts were written out so far in this thread, all in all; blocks that are known already cost nothing."""
    return getattr(_WORK, "total", 0)


def expand(items: ir.Items, bindings: Bindings, scope: Scope, x: Shape) -> Node:
    """The tree of a block's items for input shape `x`.

    Raises:
        ShapeError: they do not fit, or are too many; it names the parameter at fault, or the place in the definition.
    """
    outermost = not getattr(_WORK, "open", False)
    if outermost:
        _WORK.open, _WORK.parts = True, 0
    try:
        parts = _Expansion(bindings, scope).parts(items, x)
    except ParameterMisfit as error:
        raise ShapeError(error.message, error.argument, error.help) from None
    finally:
        _WORK.open = not outermost
    return parts[0][1] if len(parts) == 1 else Sequence(parts)


@dataclass(frozen=True)
class _Expansion:
    """One block on its way to a tree.

    Attributes:
        bindings: the names its items may use.
        scope: composite blocks by name.
    """

    bindings: Bindings
    scope: Scope

    def parts(self, items: ir.Items, x: Shape) -> tuple[tuple[str, Node], ...]:
        """Named trees of items one after the other."""
        names: dict[str, int] = {}
        found: list[tuple[str, Node]] = []
        for item in self.flat(items):
            node = self.node(item, x)
            found.append((free_name(_module_name(item, node), names), node))
            x = measure(node, x).out
        return tuple(found)

    def branches(self, join: Join, items: ir.Items, x: Shape) -> tuple[tuple[str, Node], ...]:
        """Named trees of items side by side."""
        names: dict[str, int] = {}
        found = []
        blocks = list(self.flat(items))
        for item, inflow in zip(blocks, inflows(join, len(blocks), x), strict=True):
            node = self.node(item, inflow)
            found.append((free_name(_module_name(item, node), names), node))
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

    def node(self, spec: ir.BlockSpec, x: Shape) -> Node:
        """The tree of one inner block.

        Raises:
            ShapeError: it does not fit; its place is that of the block inside, unless an argument of the call decides.
        """
        try:
            if spec.kind in STRUCTURES:
                cls = STRUCTURES[spec.kind]
                structure = construct(cls, spec.kind, self.bindings.arguments(spec, cls))
                if isinstance(structure, ParallelStructure):
                    parts = self.branches(structure.join, spec.items or (), x)
                else:
                    parts = self.parts(spec.items or (), x)
                node: Node = structure.tree(parts, x)
            else:
                placed = self._placed(spec)
                node = placed.expand(x) if isinstance(placed, Composite) else placed
            measure(node, x)
        except ShapeError as error:
            raise self.bindings.blame(error, spec) from None
        return node

    def _placed(self, spec: ir.BlockSpec) -> Block:
        """An inner block with its arguments, those of this block that it takes by itself among them."""
        cls = kind(spec.kind, self.scope)
        arguments = self.bindings.arguments(spec, cls)
        for name in ("width", "classes"):
            if cls.takes(name) and name in self.bindings.names:
                arguments.setdefault(name, self.bindings.names[name])
        block = construct(cls, spec.kind, arguments)
        # Items of its own are those of a composite block, with their holes decided.
        placed: Block = block if spec.items is None else block.holding(spec.items, block.block_scope)
        return placed


def _count() -> None:
    """One more step of writing the block out; copies of nothing are steps, too."""
    _WORK.parts += 1
    _WORK.total = work() + 1
    if _WORK.parts > MAX_PARTS:
        raise ShapeError(f"a block of more than {MAX_PARTS:,} parts", None, "use smaller blocks, or repeat less often")


def _module_name(item: ir.BlockSpec, node: Node) -> str:
    """What the module of an item is called: residual units by what they do (`attn`, `mlp`), others by their kind."""
    if item.kind == "residual":
        return {"msa": "attn"}.get(node.role, node.role) if isinstance(node, Residual) else "conv"
    if isinstance(node, Primitive) and node.module_name:
        return node.module_name
    return item.kind
