"""Puts a downsampling layer before a block that cannot stride: `down_patch`, `down_conv`, `down_pool`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Block, Parts, Tree
from archdsl.blocks.primitives.convolution import Conv, Patch, require_room
from archdsl.blocks.primitives.pooling import AvgPool
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.blocks.trees import flow, sequence


class _Down(Block):
    width: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)

    def require_fit(self, x: Shape) -> None:
        """Raise ShapeError unless a map comes in that can shrink by the stride."""
        if x.is_vector:
            raise ShapeError(
                f"a stage needs a feature map or tokens, but gets {x}", None, "leave out the 'gap' or 'cls' before it"
            )
        if x.is_tokens:
            raise ShapeError(
                f"a stage of width {self.width} and stride {self.stride} cannot follow {x}",
                None,
                f"tokens keep their number and width: write stage({x.channels}, stride=1)",
            )
        require_room(x, self.stride, self.stride, "downsampling")


@BLOCKS.register("down_patch")
class DownPatch(_Down):
    """A stride x stride convolution with stride `stride`, with bias."""

    summary: ClassVar[str] = "downsampling by patches that do not overlap"

    def tree(self, x: Shape) -> Tree:
        """A patch embedding."""
        self.require_fit(x)
        if x.height % self.stride or x.width % self.stride:
            raise ShapeError(
                f"stride {self.stride} does not divide the {x.height}x{x.width} map", "stride", "use down=conv"
            )
        return Patch(width=self.width, k=self.stride).tree(x)


@BLOCKS.register("down_conv")
class DownConv(_Down):
    """A 3x3 convolution with stride `stride`."""

    summary: ClassVar[str] = "downsampling by an overlapping convolution"

    def tree(self, x: Shape) -> Tree:
        """A convolution."""
        self.require_fit(x)
        return Conv(width=self.width, k=3, stride=self.stride).tree(x)


@BLOCKS.register("down_pool")
class DownPool(_Down):
    """Average pooling, then a 1x1 convolution where the width changes."""

    summary: ClassVar[str] = "downsampling by average pooling"

    def tree(self, x: Shape) -> Tree:
        """Pooling and projection."""
        self.require_fit(x)
        parts: Parts = ()
        if self.stride > 1:
            parts = (("pool", AvgPool(k=self.stride, stride=self.stride).tree(x)),)
        if x.channels != self.width:
            parts = (*parts, ("conv", Conv(width=self.width, k=1).tree(flow(parts, x))))
        return sequence(parts, x)
