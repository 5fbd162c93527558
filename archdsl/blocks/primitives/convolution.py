"""Defines `conv` and `patch`: convolutions without norm or activation."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive, Role
from archdsl.blocks.calls import Call
from archdsl.blocks.shapes import Shape, ShapeError, divisors_near


def require_map(x: Shape, name: str) -> None:
    """Raise ShapeError unless a feature map comes in."""
    if not x.is_map:
        help = "'cls' in the stem makes tokens; without it maps stay maps" if x.is_tokens else None
        raise ShapeError(f"'{name}' needs a feature map, but gets {x}", None, help)


def strided(size: int, k: int, stride: int, pad: int | None = None) -> int:
    """Output side of a window of side k, padded on both sides, by (k-1)//2 unless said otherwise."""
    return (size + 2 * ((k - 1) // 2 if pad is None else pad) - k) // stride + 1


def require_room(x: Shape, k: int, stride: int, name: str, pad: int | None = None) -> None:
    """Raise ShapeError when the output would have no pixel left, or a stride has nothing left to step over."""
    smallest = min(x.height, x.width)
    if smallest < stride:
        message = f"'{name}' with stride {stride} would shrink {x} below 1x1"
        raise ShapeError(message, "stride", "write stride=1 where the map is small")
    if strided(smallest, k, stride, pad) < 1:
        most = smallest if pad is None else smallest + 2 * pad
        raise ShapeError(f"'{name}' with k={k} does not fit into {x}", "k", f"use k <= {most}")


def require_divisible(x: Shape, k: int) -> None:
    """Raise ShapeError unless a map falls into k x k patches."""
    for side in (x.height, x.width):
        if side % k:
            raise ShapeError(
                f"patches of side {k} do not divide the {x.height}x{x.width} map", "k",
                f"near it: {divisors_near(side, k)}",
            )  # fmt: skip


@BLOCKS.register("conv")
class Conv(Primitive):
    """A k x k convolution to `width` channels, padded by `pad` zeros on every side, (k-1)//2 unless said otherwise."""

    positional: ClassVar[tuple[str, ...]] = ("width",)
    drawn_by_rule: ClassVar[bool] = True
    summary: ClassVar[str] = "convolution, no norm or activation"
    width: int = Field(ge=1)
    k: int = Field(default=3, ge=1)
    stride: int = Field(default=1, ge=1)
    groups: int = Field(default=1, ge=1)
    bias: bool = False
    pad: int | None = Field(default=None, ge=0, le=1_000)

    @property
    def role(self) -> Role | None:
        """Convolution, unless it sees single pixels."""
        return "conv" if self.k > 1 else None

    @property
    def padding(self) -> int:
        """Zeros on every side."""
        return (self.k - 1) // 2 if self.pad is None else self.pad

    def said(self, x: Shape) -> dict[str, Any]:
        """Padding that is as by default says nothing."""
        usual = self.padding == (self.k - 1) // 2
        return {name: value for name, value in super().said(x).items() if not (name == "pad" and usual)}

    def output(self, x: Shape) -> Shape:
        """(width, H', W')."""
        require_map(x, "conv")
        require_room(x, self.k, self.stride, "conv", self.pad)
        for channels, what in ((x.channels, "input"), (self.width, "output")):
            if channels % self.groups:
                raise ShapeError(
                    f"groups={self.groups} does not divide the {channels} {what} channels",
                    "groups",
                    f"near it: {divisors_near(channels, self.groups)}",
                )
        height, width = (strided(side, self.k, self.stride, self.pad) for side in (x.height, x.width))
        return Shape(self.width, height, width)

    def params(self, x: Shape) -> int:
        """Weights, and biases if any."""
        return self.width * (x.channels // self.groups) * self.k**2 + (self.width if self.bias else 0)

    def macs(self, x: Shape) -> int:
        """One product per weight and output position."""
        return self.width * (x.channels // self.groups) * self.k**2 * self.output(x).positions

    def call(self, x: Shape) -> Call:
        """`nn.Conv2d`."""
        return Call(
            "torch.nn:Conv2d", x.channels, self.width, self.k, self.stride, self.padding, groups=self.groups,
            bias=self.bias,
        )  # fmt: skip


@BLOCKS.register("patch")
class Patch(Primitive):
    """Patch embedding: a convolution whose stride is its kernel size, with bias."""

    positional: ClassVar[tuple[str, ...]] = ("width", "k")
    drawn_by_rule: ClassVar[bool] = True
    summary: ClassVar[str] = "patch embedding: k x k patches to one position each"
    width: int = Field(ge=1)
    k: int = Field(default=16, ge=1)

    @property
    def role(self) -> Role:
        """Convolution."""
        return "conv"

    def output(self, x: Shape) -> Shape:
        """(width, H/k, W/k)."""
        require_map(x, "patch")
        require_divisible(x, self.k)
        return Shape(self.width, x.height // self.k, x.width // self.k)

    def params(self, x: Shape) -> int:
        """Weights and biases."""
        return self.width * (x.channels * self.k**2 + 1)

    def macs(self, x: Shape) -> int:
        """Every pixel meets every output channel once."""
        return self.width * x.channels * x.height * x.width

    def call(self, x: Shape) -> Call:
        """`nn.Conv2d` with stride k."""
        return Call("torch.nn:Conv2d", x.channels, self.width, self.k, self.k)
