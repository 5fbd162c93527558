"""Fits a block to what flows in: its tree and its meaning, or why it does not fit; what fits is remembered."""

from __future__ import annotations

import functools
import hashlib
from typing import Any, NamedTuple

from archdsl import ir
from archdsl.base.effort import spend
from archdsl.blocks import Block
from archdsl.blocks.base import Tree, canonical
from archdsl.blocks.composites.expansion import tree
from archdsl.blocks.composites.kinds import Kind, Same, Use, construct, typed
from archdsl.blocks.shapes import Shape, ShapeError

FITTING = 60  # steps of `effort` for a block that is met for the first time


class Fit(NamedTuple):
    """A block at a shape.

    Attributes:
        tree: the tree of primitives it stands for.
        meaning: what it computes, as a hash.
        parts: how many primitives that are.
    """

    block: Block | Use
    tree: Tree
    meaning: str
    parts: int


def fitted(kind: Kind, shown: str, arguments: dict[str, ir.Scalar], items: ir.Items | None, x: Shape) -> Fit:
    """A block at a shape; the members of a space share most of their blocks.

    Args:
        kind: of the block.
        shown: what messages call it.
        arguments: by name.
        items: those of a structure among blocks, or of a composite block with holes, without holes.
        x: what flows in.

    Raises:
        ShapeError: it does not fit.
    """
    return fit(kind, shown, typed(arguments), Same(items), x)


@functools.lru_cache(maxsize=65_536)
def fit(kind: Kind, shown: str, arguments: tuple[tuple[str, type, ir.Scalar], ...], items: Same, x: Shape) -> Fit:
    """As `fitted`, remembered; a misfit is not, as it speaks of places, which equal texts have elsewhere."""
    spend(FITTING)
    held: Any = items.thing
    try:
        block = construct(kind, shown, {name: value for name, _, value in arguments}, held)
        found = tree(block, x)
        return Fit(block, found, sha256(f"[{found.meaning}]"), found.size)
    except RecursionError:
        raise ShapeError("blocks and structures nest too deep", None, "write it in a plainer way") from None


def sha256(text: str) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest(content: Any) -> str:
    """SHA-256 of plain data in canonical JSON."""
    return sha256(canonical(content))
