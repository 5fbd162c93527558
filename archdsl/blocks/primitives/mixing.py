"""Defines `token_mlp`: an MLP across positions, the same for every channel (MLP-Mixer, arXiv 2105.01601)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive, Role
from archdsl.blocks.calls import Call
from archdsl.blocks.primitives.elementwise import Act, ActKind
from archdsl.blocks.shapes import Shape, ShapeError


@BLOCKS.register("token_mlp")
class TokenMlp(Primitive):
    """Linear, activation, linear across the positions of a map or of tokens, with biases; no norm, no shortcut."""

    positional: ClassVar[tuple[str, ...]] = ("hidden",)
    drawn_by_rule: ClassVar[bool] = True
    summary: ClassVar[str] = "MLP across positions, the same for every channel"
    hidden: int = Field(ge=1)
    act: ActKind = "gelu"

    @property
    def role(self) -> Role:
        """Mixes positions by matrices."""
        return "mlp"

    def output(self, x: Shape) -> Shape:
        """Unchanged."""
        if x.is_vector:
            raise ShapeError(f"'token_mlp' needs a feature map or tokens, but gets {x}")
        return x

    def params(self, x: Shape) -> int:
        """Two matrices with biases."""
        return 2 * x.positions * self.hidden + self.hidden + x.positions

    def macs(self, x: Shape) -> int:
        """Two products per channel."""
        return 2 * x.positions * self.hidden * x.channels

    def call(self, x: Shape) -> Call:
        """Two linear layers over the transposed positions."""
        act = Act(kind=self.act).call(x)
        return Call("archdsl.blocks.layers.mixing:TokenMlp", x.positions, self.hidden, act)
