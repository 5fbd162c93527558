"""Defines `maxpool`, `avgpool`, `gap` and `unshuffle`, which make maps smaller without weights."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive, Role
from archdsl.blocks.calls import Call
from archdsl.blocks.primitives.convolution import require_divisible, require_map, require_room, strided
from archdsl.blocks.shapes import Shape, ShapeError


class _Pool(Primitive):
    positional: ClassVar[tuple[str, ...]] = ("k", "stride")
    k: int = Field(default=3, ge=1)
    stride: int = Field(default=2, ge=1)

    @property
    def role(self) -> Role:
        """Pooling mixes neighbours as a convolution does."""
        return "conv"

    def output(self, x: Shape) -> Shape:
        """(C, H', W')."""
        require_map(x, "pooling")
        require_room(x, self.k, self.stride, "pooling")
        return Shape(x.channels, strided(x.height, self.k, self.stride), strided(x.width, self.k, self.stride))


@BLOCKS.register("maxpool")
class MaxPool(_Pool):
    """Maximum over k x k windows."""

    summary: ClassVar[str] = "maximum over k x k windows"

    def call(self, x: Shape) -> Call:
        """`nn.MaxPool2d`."""
        return Call("torch.nn:MaxPool2d", self.k, self.stride, (self.k - 1) // 2)


@BLOCKS.register("avgpool")
class AvgPool(_Pool):
    """Mean over k x k windows; padding does not count."""

    summary: ClassVar[str] = "mean over k x k windows"

    def call(self, x: Shape) -> Call:
        """`nn.AvgPool2d`."""
        return Call("torch.nn:AvgPool2d", self.k, self.stride, (self.k - 1) // 2, count_include_pad=False)


@BLOCKS.register("gap")
class GlobalAveragePool(Primitive):
    """Mean over all positions: a map or tokens become a vector; class tokens do not count."""

    summary: ClassVar[str] = "global average pooling: a map becomes a vector"

    def output(self, x: Shape) -> Shape:
        """(C,)."""
        if x.is_vector:
            raise ShapeError(f"'gap' needs a feature map or tokens, but gets {x}")
        return Shape(x.channels, 0, 0)

    def call(self, x: Shape) -> Call:
        """A mean over positions."""
        return Call("archdsl.blocks.layers.pooling:GlobalPool", prefix=x.prefix)


@BLOCKS.register("unshuffle")
class Unshuffle(Primitive):
    """Space to depth: the pixels of every k x k patch become channels; nothing is lost (Swin's patch merging)."""

    positional: ClassVar[tuple[str, ...]] = ("k",)
    summary: ClassVar[str] = "k x k pixels become k*k times the channels"
    k: int = Field(default=2, ge=1)

    def output(self, x: Shape) -> Shape:
        """(C*k*k, H/k, W/k)."""
        require_map(x, "unshuffle")
        require_divisible(x, self.k)
        return Shape(x.channels * self.k**2, x.height // self.k, x.width // self.k)

    def call(self, x: Shape) -> Call:
        """`nn.PixelUnshuffle`: channel c*k*k + i*k + j is pixel (i, j) of channel c."""
        return Call("torch.nn:PixelUnshuffle", self.k)
