"""Which block a name stands for, and a block of its class and arguments, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import ValidationError

from archdsl import ir
from archdsl.blocks import BLOCKS, Block
from archdsl.blocks.shapes import ShapeError
from archdsl.ir.arguments import misfit

Scope: TypeAlias = Mapping[str, type[Block]]  # composite blocks by name
FROM_STAGE = ("width", "stride")
FROM_OUTSIDE = (*FROM_STAGE, "classes")  # what a block takes from where it stands, if it speaks of it


def kind(name: str, scope: Scope) -> type[Block]:
    """The class of a block: a composite of the scope, or a primitive."""
    return scope[name] if name in scope else BLOCKS[name]


def construct(block: type[Block], shown: str, arguments: dict[str, ir.Scalar]) -> Any:
    """An instance of a block class.

    Args:
        block: the class.
        shown: what messages call it.
        arguments: by name.

    Raises:
        ShapeError: an argument does not fit its type, or one is missing.

    >>> construct(BLOCKS["conv"], "conv", {"width": 64, "k": 5}).k
    5
    """
    try:
        return block(**arguments)
    except ValidationError:
        raise _unfit(block, shown, arguments) from None


def _unfit(block: type[Block], shown: str, arguments: dict[str, ir.Scalar]) -> ShapeError:
    """Why a block does not take its arguments; those without holes were checked where they stand."""
    for name, value in arguments.items():
        if found := misfit(block, name, value, type(value).__name__):
            return ShapeError(found[0], name, found[1])
    missing = next(name for name, f in block.model_fields.items() if f.is_required() and name not in arguments)
    first = {"width": f"{shown}(64)", "out_features": f"{shown}(classes)"} if missing in block.positional[:1] else {}
    example = first.get(missing, f"{shown}({missing}={64 if missing == 'width' else '…'})")
    return ShapeError(f"'{shown}' needs '{missing}' here", None, f"for example: {example}")
