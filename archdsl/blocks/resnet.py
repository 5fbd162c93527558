"""`basic` and `bottleneck`: the blocks of ResNets, post- (arXiv 1512.03385) and pre-activation (1603.05027)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Composite, Node, Residual, Sequence
from archdsl.blocks.convolution import Conv, require_map
from archdsl.blocks.elementwise import Act, ActKind, Norm, NormKind
from archdsl.shapes import Shape, ShapeError


class _ResNetBlock(Composite):
    positional: ClassVar[tuple[str, ...]] = ("width",)
    width: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)
    order: Literal["post", "pre"] = "post"
    k: int = Field(default=3, ge=1)
    groups: int = Field(default=1, ge=1)
    act: ActKind = "relu"
    norm: NormKind = "bn"

    def convolutions(self, x: Shape) -> tuple[Conv, ...]:
        """The branch's convolutions, the last one to `width`."""
        raise TypeError(type(self).__name__)

    def expand(self, x: Shape) -> Node:
        """Convolutions with norms and activations around them, and a projection where the shape changes."""
        require_map(x, type(self).__name__.lower())
        if self.k % 2 == 0:
            raise ShapeError(f"k={self.k} is even, so the branch would not keep the map's size", "k", "use an odd k")
        projects = self.stride > 1 or x.channels != self.width
        projection = Conv(width=self.width, k=1, stride=self.stride)
        parts: list[tuple[str, Node]] = []
        convolutions = self.convolutions(x)
        for i, convolution in enumerate(convolutions, start=1):
            norm, act = (f"norm{i}", Norm(kind=self.norm)), (f"act{i}", Act(kind=self.act))
            conv = (f"conv{i}", convolution)
            if self.order == "pre":
                parts += [norm, act, conv]
            else:
                parts += [conv, norm, *([act] if i < len(convolutions) else [])]
        if self.order == "pre":
            # The shortcut leaves after the first norm and activation, but only where it projects.
            return Residual(tuple(parts), "conv", projection if projects else None, shared=2 if projects else 0)
        shortcut = Sequence((("conv", projection), ("norm", Norm(kind=self.norm)))) if projects else None
        return Residual(tuple(parts), "conv", shortcut, act=Act(kind=self.act))


@BLOCKS.register("basic")
class Basic(_ResNetBlock):
    """Two k x k convolutions and a shortcut; the inner width is width/expansion."""

    summary: ClassVar[str] = "ResNet block of two convolutions"
    expansion: int = Field(default=1, ge=1)

    def convolutions(self, x: Shape) -> tuple[Conv, ...]:
        """k x k with the stride, k x k."""
        inner = inner_width(self.width, self.expansion)
        return (
            Conv(width=inner, k=self.k, stride=self.stride, groups=self.groups),
            Conv(width=self.width, k=self.k, groups=self.groups),
        )


@BLOCKS.register("bottleneck")
class Bottleneck(_ResNetBlock):
    """1x1 down to width/expansion, k x k with the stride, 1x1 up, and a shortcut."""

    summary: ClassVar[str] = "ResNet bottleneck block of three convolutions"
    expansion: int = Field(default=4, ge=1)

    def convolutions(self, x: Shape) -> tuple[Conv, ...]:
        """1x1, k x k with stride and groups, 1x1."""
        inner = inner_width(self.width, self.expansion)
        return (
            Conv(width=inner, k=1),
            Conv(width=inner, k=self.k, stride=self.stride, groups=self.groups),
            Conv(width=self.width, k=1),
        )


def inner_width(width: int, expansion: int) -> int:
    """width/expansion, or ShapeError when it does not divide."""
    if width % expansion:
        raise ShapeError(
            f"expansion={expansion} does not divide the width {width}",
            "expansion",
            f"use a width that {expansion} divides, such as {max(1, round(width / expansion)) * expansion}",
        )
    return width // expansion
