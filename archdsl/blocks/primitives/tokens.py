"""Defines `linear` (a layer per position), `pos` (position embedding) and `cls` (class token, added or picked)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive
from archdsl.blocks.calls import Call
from archdsl.blocks.shapes import Shape, ShapeError


@BLOCKS.register("linear")
class Linear(Primitive):
    """A linear layer over channels, at every position; in the head to the number of classes."""

    positional: ClassVar[tuple[str, ...]] = ("out_features",)
    drawn_by_rule: ClassVar[bool] = True
    summary: ClassVar[str] = "linear layer, to `classes` unless told otherwise"
    out_features: int = Field(ge=1)
    bias: bool = True

    def output(self, x: Shape) -> Shape:
        """Channels change, positions stay."""
        return x._replace(channels=self.out_features)

    def params(self, x: Shape) -> int:
        """Weights, and biases if any."""
        return self.out_features * (x.channels + (1 if self.bias else 0))

    def macs(self, x: Shape) -> int:
        """A matrix product per position."""
        return self.out_features * x.channels * x.positions

    def call(self, x: Shape) -> Call:
        """`nn.Linear`, or one that works on the channels of a map."""
        kind = "archdsl.blocks.layers.norm:ChannelLinear" if x.is_map else "torch.nn:Linear"
        return Call(kind, x.channels, self.out_features, bias=self.bias)


@BLOCKS.register("pos")
class PositionEmbedding(Primitive):
    """A learned absolute position embedding, added."""

    summary: ClassVar[str] = "learned absolute position embedding"

    def output(self, x: Shape) -> Shape:
        """Unchanged."""
        if x.is_vector:
            raise ShapeError(f"'pos' needs a feature map or tokens, but gets {x}")
        return x

    def params(self, x: Shape) -> int:
        """One vector per position."""
        return x.positions * x.channels

    def call(self, x: Shape) -> Call:
        """A learned table of the input's shape."""
        return Call("archdsl.blocks.layers.tokens:Position", x.dims)


@BLOCKS.register("cls")
class ClassToken(Primitive):
    """On a map (in the stem): cut into tokens, a learned class token in front. On tokens (in the head): pick it."""

    summary: ClassVar[str] = "class token: prepended in the stem, picked in the head"

    def output(self, x: Shape) -> Shape:
        """(H*W + 1, C) from a map, (C,) from tokens."""
        if x.is_vector:
            raise ShapeError(f"'cls' needs a feature map (to prepend) or tokens (to pick), but gets {x}")
        return Shape(x.channels, 0, 0) if x.is_tokens else x._replace(prefix=1)

    def params(self, x: Shape) -> int:
        """One vector when prepended."""
        return x.channels if x.is_map else 0

    def call(self, x: Shape) -> Call:
        """Prepends or picks."""
        if x.is_map:
            return Call("archdsl.blocks.layers.tokens:PrependToken", x.channels)
        return Call("archdsl.blocks.layers.tokens:PickToken")
