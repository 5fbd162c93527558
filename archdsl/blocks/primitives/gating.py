"""Defines `scale`, `times` and `se`: factors, learned, fixed, or from the whole map (arXiv 2103.17239, 1709.01507)."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive
from archdsl.blocks.calls import Call
from archdsl.blocks.primitives.convolution import require_map
from archdsl.blocks.primitives.elementwise import Act, ActKind
from archdsl.blocks.shapes import Shape


@BLOCKS.register("scale")
class Scale(Primitive):
    """Layer scale: every channel times a learned factor that begins at `init`."""

    positional: ClassVar[tuple[str, ...]] = ("init",)
    summary: ClassVar[str] = "layer scale: a learned factor per channel"
    init: float = Field(default=1e-6, gt=0)

    def params(self, x: Shape) -> int:
        """One factor per channel."""
        return x.channels

    def call(self, x: Shape) -> Call:
        """A factor per channel of a map, of tokens or of a vector."""
        return Call("archdsl.blocks.layers.gating:LayerScale", x.channels, self.init, is_map=x.is_map)


@BLOCKS.register("times")
class Times(Primitive):
    """Everything times a fixed factor: `sum[avgpool(k=3, stride=1) times(-1)]` is the pool less its input."""

    positional: ClassVar[tuple[str, ...]] = ("factor",)
    summary: ClassVar[str] = "everything times a fixed factor"
    factor: int | float

    def said(self, x: Shape) -> dict[str, Any]:
        """1 and 1.0 are the same factor."""
        return {"factor": float(self.factor)}

    def call(self, x: Shape) -> Call:
        """A product."""
        return Call("archdsl.blocks.layers.gating:Times", self.factor)


@BLOCKS.register("se")
class SqueezeExcitation(Primitive):
    """Squeeze-and-excitation: every channel times a gate computed from the means of all channels."""

    positional: ClassVar[tuple[str, ...]] = ("hidden",)
    drawn_by_rule: ClassVar[bool] = True
    summary: ClassVar[str] = "squeeze-and-excitation: channels gated by the means of all"
    hidden: int = Field(ge=1)
    act: ActKind = "relu"

    def output(self, x: Shape) -> Shape:
        """Unchanged."""
        require_map(x, "se")
        return x

    def params(self, x: Shape) -> int:
        """Two 1x1 convolutions with biases."""
        return 2 * x.channels * self.hidden + self.hidden + x.channels

    def macs(self, x: Shape) -> int:
        """The two products at the single position that is left."""
        return 2 * x.channels * self.hidden

    def call(self, x: Shape) -> Call:
        """Mean, 1x1 convolution, activation, 1x1 convolution, sigmoid, product."""
        act = Act(kind=self.act).call(x)
        return Call("archdsl.blocks.layers.gating:SqueezeExcite", x.channels, self.hidden, act)
