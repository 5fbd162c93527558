"""`residual[ … ]`, `sum[ … ]`, `concat[ … ]`: what their arguments are, and the tree that parts in them make."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from archdsl.blocks.base import Block, Join, Node, Parallel, Residual, Sequence
from archdsl.blocks.primitives.convolution import Conv, strided
from archdsl.blocks.primitives.elementwise import Act, ActKind, Norm, NormKind
from archdsl.blocks.primitives.pooling import AvgPool
from archdsl.blocks.primitives.tokens import Linear
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.blocks.trees import measure, role

Parts: TypeAlias = tuple[tuple[str, Node], ...]


class Structure(Block):
    """Base of what the arguments of a structure are."""

    def tree(self, parts: Parts, x: Shape) -> Node:
        """The tree that the parts make for input shape `x`.

        Raises:
            ShapeError: they do not fit together.
        """
        raise TypeError(f"{type(self).__name__} makes no tree")


class SequenceStructure(Structure):
    """`( … )`: one after the other."""

    summary: ClassVar[str] = "one after the other"

    def tree(self, parts: Parts, x: Shape) -> Node:
        """A sequence."""
        return Sequence(parts)


class ResidualStructure(Structure):
    """`residual[ … ]`: adds its input, projected where the shape changes.

    Fields:
        shortcut: how to project: conv (1x1, strided), pool (average pooling, then 1x1), or None: nothing is added.
        after: where it projects, the shortcut leaves after so many parts (pre-activation ResNets: 2).
        norm: what follows the projection; act: what follows the sum.
    """

    summary: ClassVar[str] = "adds its input, projected where the shape changes"
    shortcut: Literal["conv", "pool"] | None = "conv"
    after: int = Field(default=0, ge=0)
    norm: NormKind | None = None
    act: ActKind | None = None

    def tree(self, parts: Parts, x: Shape) -> Node:
        """A residual unit; without its sum where the shape changes and `shortcut` is none."""
        if self.after > len(parts):
            raise ShapeError(f"after={self.after}, but there are {len(parts)} parts in 'residual'", "after")
        out = measure(Sequence(parts), x).out
        kind, act = role(part for _, part in parts), None if self.act is None else Act(kind=self.act)
        if out == x:
            return Residual(parts, kind, act=act)
        if self.shortcut is None:
            return Sequence(parts if act is None else (*parts, ("act_out", act)))
        shared = measure(Sequence(parts[: self.after]), x).out
        return Residual(parts, kind, self._projection(shared, out), self.after, act)

    def _projection(self, x: Shape, out: Shape) -> Node:
        if x.is_map is not out.is_map or x.prefix != out.prefix:
            raise ShapeError(f"'residual' cannot add {x} to {out}", None, "keep a map a map, and tokens tokens")
        if not x.is_map:
            return self._normed([("linear", Linear(out_features=out.channels, bias=False))])
        stride = _stride(x, out)
        if stride is None:
            raise ShapeError(
                f"the parts of 'residual' make {out} of {x}, which no shortcut can match", None,
                "an odd k keeps the size of a map, a stride divides it",
            )  # fmt: skip
        if self.shortcut == "conv":
            return self._normed([("conv", Conv(width=out.channels, k=1, stride=stride))])
        parts: list[tuple[str, Node]] = [("pool", AvgPool(k=stride, stride=stride))] if stride > 1 else []
        if x.channels != out.channels:
            parts.append(("conv", Conv(width=out.channels, k=1)))
        return self._normed(parts)

    def _normed(self, parts: list[tuple[str, Node]]) -> Node:
        if self.norm is not None:
            parts.append(("norm", Norm(kind=self.norm)))
        return parts[0][1] if len(parts) == 1 else Sequence(tuple(parts))


def _stride(x: Shape, out: Shape) -> int | None:
    """The stride with which a 1x1 convolution makes a map of the size of `out`; None where there is none."""
    stride = -(-x.height // out.height)
    fits = [(strided(side, 1, stride), wanted) for side, wanted in ((x.height, out.height), (x.width, out.width))]
    return stride if all(made == wanted for made, wanted in fits) else None


class ParallelStructure(Structure):
    """Base of those whose items stand side by side."""

    join: ClassVar[Join]

    def tree(self, parts: Parts, x: Shape) -> Node:
        """Parallel parts."""
        return Parallel(parts, self.join)


class SumStructure(ParallelStructure):
    """`sum[ … ]`: its items side by side, added."""

    join: ClassVar[Join] = "sum"
    summary: ClassVar[str] = "its items side by side, added"


class ConcatStructure(ParallelStructure):
    """`concat[ … ]`: its items side by side, put together along the channels."""

    join: ClassVar[Join] = "concat"
    summary: ClassVar[str] = "its items side by side, put together along the channels"


class ApartStructure(ParallelStructure):
    """`apart[ … ]`: tokens taken apart: one item for their map, one for the class token, then together again."""

    join: ClassVar[Join] = "apart"
    summary: ClassVar[str] = "its first item for the map of the tokens, its second for their class token"


STRUCTURES: dict[str, type[Structure]] = {
    "residual": ResidualStructure,
    "sum": SumStructure,
    "concat": ConcatStructure,
    "apart": ApartStructure,
    "sequence": SequenceStructure,
}
