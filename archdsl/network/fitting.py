"""A block and what flows in to its tree, cost and meaning, or to why it does not fit; known ones are remembered."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from archdsl import ir
from archdsl.base.effort import spend
from archdsl.blocks import Block
from archdsl.blocks.base import Composite, Cost, Node
from archdsl.blocks.composites.scope import Scope, construct
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.blocks.trees import meaning, measure, primitives
from archdsl.network.placed import digest

FITTING = 60  # steps of `effort` for a block that is met for the first time
MAX_HOLDING = 4_096


class Fit(NamedTuple):
    """A block at a shape.

    Attributes:
        node: the tree of primitives it stands for.
        meaning: what it computes, as a hash.
        parts: how many primitives that are.
    """

    block: Block
    node: Node
    cost: Cost
    meaning: str
    parts: int


@functools.lru_cache(maxsize=65_536)
def fit(cls: type[Block], shown: str, arguments: tuple[tuple[str, type, ir.Scalar], ...], x: Shape) -> Fit | ShapeError:
    """A block at a shape, or why it does not fit; cached, since the members of a space share most of their blocks."""
    try:
        return _fitted(construct(cls, shown, {name: value for name, _, value in arguments}), x)
    except ShapeError as error:
        return error
    except RecursionError:
        return _too_deep()


_HOLDING: dict[tuple[Any, ...], Fit] = {}


def fit_holding(
    cls: type[Block], shown: str, arguments: dict[str, ir.Scalar], items: ir.Items, scope: Scope, x: Shape
) -> Fit | ShapeError:
    """The same for a block with items of its own; a misfit is never remembered, as its place is that of the items."""
    spend(FITTING)
    written = tuple(item.model_dump_json() for item in items)
    key = (cls, tuple((n, type(v), v) for n, v in arguments.items()), written, x, *scope.values())
    if key in _HOLDING:
        return _HOLDING[key]
    try:
        block = construct(cls, shown, arguments)
        found = _fitted(block.holding(items, block.block_scope or scope), x)
    except ShapeError as error:
        return error
    except RecursionError:
        return _too_deep()
    if len(_HOLDING) >= MAX_HOLDING:
        _HOLDING.clear()
    _HOLDING[key] = found
    return found


def _fitted(block: Block, x: Shape) -> Fit:
    spend(FITTING)
    node: Node = block.expand(x) if isinstance(block, Composite) else block
    parts = sum(1 for _ in primitives(node))
    return Fit(block, node, measure(node, x), digest(meaning(node, x)), parts)


def _too_deep() -> ShapeError:
    return ShapeError("blocks and structures nest too deep", None, "write it in a plainer way")
