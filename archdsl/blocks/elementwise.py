"""`norm`, `act` and `drop`: what changes values but not shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive
from archdsl.shapes import Shape, ShapeError

if TYPE_CHECKING:
    from torch import nn

NormKind: TypeAlias = Literal["bn", "ln", "gn"]
ActKind: TypeAlias = Literal["relu", "gelu", "silu"]


@BLOCKS.register("norm")
class Norm(Primitive):
    """Batch, layer or group normalisation with learned scale and shift."""

    positional: ClassVar[tuple[str, ...]] = ("kind",)
    summary: ClassVar[str] = "normalisation: bn (batch), ln (layer, over channels), gn (group)"
    kind: NormKind = "bn"

    def out(self, x: Shape) -> Shape:
        """Unchanged; bn and gn need a map."""
        if self.kind != "ln" and x.is_tokens:
            raise ShapeError(f"norm '{self.kind}' needs a feature map, but gets {x}", "kind", "tokens take kind=ln")
        if self.kind == "gn" and x.is_vector:
            raise ShapeError(f"norm 'gn' needs a feature map, but gets {x}", "kind", "vectors take bn or ln")
        return x

    def params(self, x: Shape) -> int:
        """Scale and shift per channel."""
        return 2 * x.channels

    def build(self, x: Shape) -> nn.Module:
        """`nn.BatchNorm2d`, a channel `LayerNorm`, or `nn.GroupNorm` with at most 32 groups."""
        from torch import nn

        from archdsl.layers.norm import ChannelLayerNorm

        if self.kind == "bn":
            return nn.BatchNorm1d(x.channels) if x.is_vector else nn.BatchNorm2d(x.channels)
        if self.kind == "gn":
            return nn.GroupNorm(math.gcd(32, x.channels), x.channels)
        # 1e-6 as in timm's vision transformers.
        return ChannelLayerNorm(x.channels, eps=1e-6) if x.is_map else nn.LayerNorm(x.channels, eps=1e-6)


@BLOCKS.register("act")
class Act(Primitive):
    """An activation function."""

    positional: ClassVar[tuple[str, ...]] = ("kind",)
    summary: ClassVar[str] = "activation: relu, gelu or silu"
    kind: ActKind = "relu"

    def build(self, x: Shape) -> nn.Module:
        """`nn.ReLU`, `nn.GELU` or `nn.SiLU`."""
        from torch import nn

        kinds: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
        return kinds[self.kind]()


@BLOCKS.register("drop")
class Drop(Primitive):
    """Dropout."""

    positional: ClassVar[tuple[str, ...]] = ("p",)
    summary: ClassVar[str] = "dropout with probability p"
    p: float = Field(default=0.1, ge=0, lt=1)

    def build(self, x: Shape) -> nn.Module:
        """`nn.Dropout`."""
        from torch import nn

        return nn.Dropout(self.p)
