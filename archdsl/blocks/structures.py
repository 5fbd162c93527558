"""Defines `residual[ … ]`, `sum[ … ]`, `concat[ … ]`: their arguments, and the tree that parts in them make."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from archdsl.blocks.base import Block, Join, Parts, Tree
from archdsl.blocks.primitives.convolution import Conv, strided
from archdsl.blocks.primitives.elementwise import Act, ActKind, Norm, NormKind
from archdsl.blocks.primitives.pooling import AvgPool
from archdsl.blocks.primitives.tokens import Linear
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.blocks.trees import flow, parallel, residual, sequence


class Structure(Block):
    """What the arguments of a structure are.

    Class attributes:
        join: how items side by side are put together; None for those whose items are a sequence.
    """

    join: ClassVar[Join | None] = None

    def around(self, parts: Parts, x: Shape) -> Tree:
        """The tree that the parts make for input shape `x`.

        Raises:
            ShapeError: they do not fit together.
        """
        return sequence(parts, x) if self.join is None else parallel(parts, self.join, x)


class SequenceStructure(Structure):
    """`( … )`: one after the other."""

    summary: ClassVar[str] = "one after the other"


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

    def around(self, parts: Parts, x: Shape) -> Tree:
        """A residual unit; without its sum where the shape changes and `shortcut` is none."""
        if self.after > len(parts):
            raise ShapeError(f"after={self.after}, but there are {len(parts)} parts in 'residual'", "after")
        out = flow(parts, x)
        act = None if self.act is None else Act(kind=self.act).tree(out)
        if out == x:
            return residual(parts, x, act=act)
        if self.shortcut is None:
            return sequence(parts if act is None else (*parts, ("act_out", act)), x)
        shortcut = self._projection(flow(parts[: self.after], x), out)
        return residual(parts, x, shortcut=shortcut, shared=self.after, act=act)

    def _projection(self, x: Shape, out: Shape) -> Tree:
        if x.is_map is not out.is_map or x.prefix != out.prefix:
            raise ShapeError(f"'residual' cannot add {x} to {out}", None, "keep a map a map, and tokens tokens")
        if not x.is_map:
            return self._normed([("linear", Linear(out_features=out.channels, bias=False).tree(x))], x)
        stride = _stride(x, out)
        if stride is None:
            raise ShapeError(
                f"the parts of 'residual' make {out} of {x}, which no shortcut can match", None,
                "an odd k keeps the size of a map, a stride divides it",
            )  # fmt: skip
        if self.shortcut == "conv":
            return self._normed([("conv", Conv(width=out.channels, k=1, stride=stride).tree(x))], x)
        parts: list[tuple[str, Tree]] = []
        if stride > 1:
            parts.append(("pool", AvgPool(k=stride, stride=stride).tree(x)))
        if x.channels != out.channels:
            parts.append(("conv", Conv(width=out.channels, k=1).tree(flow(tuple(parts), x))))
        return self._normed(parts, x)

    def _normed(self, parts: list[tuple[str, Tree]], x: Shape) -> Tree:
        if self.norm is not None:
            parts.append(("norm", Norm(kind=self.norm).tree(flow(tuple(parts), x))))
        return parts[0][1] if len(parts) == 1 else sequence(tuple(parts), x)


def _stride(x: Shape, out: Shape) -> int | None:
    """The stride with which a 1x1 convolution makes a map of the size of `out`; None where there is none."""
    stride = -(-x.height // out.height)
    fits = [(strided(side, 1, stride), wanted) for side, wanted in ((x.height, out.height), (x.width, out.width))]
    return stride if all(made == wanted for made, wanted in fits) else None


class SumStructure(Structure):
    """`sum[ … ]`: its items side by side, added."""

    join: ClassVar[Join | None] = "sum"
    summary: ClassVar[str] = "its items side by side, added"


class ConcatStructure(Structure):
    """`concat[ … ]`: its items side by side, put together along the channels."""

    join: ClassVar[Join | None] = "concat"
    summary: ClassVar[str] = "its items side by side, put together along the channels"


class ApartStructure(Structure):
    """`apart[ … ]`: tokens taken apart: one item for their map, one for the class token, then together again."""

    join: ClassVar[Join | None] = "apart"
    summary: ClassVar[str] = "its first item for the map of the tokens, its second for their class token"


STRUCTURES: dict[str, type[Structure]] = {
    "residual": ResidualStructure,
    "sum": SumStructure,
    "concat": ConcatStructure,
    "apart": ApartStructure,
    "sequence": SequenceStructure,
}
