"""Defines `norm`, `act` and `drop`, which change values but not shapes."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive
from archdsl.blocks.calls import Call
from archdsl.blocks.shapes import Shape, ShapeError, divisors_near

NormKind: TypeAlias = Literal["bn", "ln", "gn"]
ActKind: TypeAlias = Literal["relu", "gelu", "silu", "relu6", "hswish"]


@BLOCKS.register("norm")
class Norm(Primitive):
    """Batch, layer or group normalisation with learned scale and shift.

    Fields:
        eps: what is added to the variance; None for what is usual, 1e-6 for ln (as in timm's vision transformers), else
            1e-5.
        groups: of gn, idle in others; None for 32, or the largest power of two below that which divides the channels.
    """

    positional: ClassVar[tuple[str, ...]] = ("kind",)
    summary: ClassVar[str] = "normalisation: bn (batch), ln (layer, over channels), gn (group)"
    kind: NormKind = "bn"
    eps: float | None = Field(default=None, gt=0, le=1)
    groups: int | None = Field(default=None, ge=1)

    @property
    def epsilon(self) -> float:
        """What is added to the variance."""
        return self.eps if self.eps is not None else _usual_eps(self.kind)

    def said(self, x: Shape) -> dict[str, Any]:
        """What is usual, spelled out, says nothing."""
        idle = {"eps": self.epsilon == _usual_eps(self.kind), "groups": self._groups(x) == math.gcd(32, x.channels)}
        idle["groups"] |= self.kind != "gn"  # `defaults(groups=2)` is meant for convolutions
        return {name: value for name, value in super().said(x).items() if not idle.get(name)}

    def _groups(self, x: Shape) -> int:
        return self.groups or math.gcd(32, x.channels)

    def output(self, x: Shape) -> Shape:
        """Unchanged; bn and gn need a map."""
        if self.kind != "ln" and x.is_tokens:
            raise ShapeError(f"norm '{self.kind}' needs a feature map, but gets {x}", "kind", "tokens take kind=ln")
        if self.kind == "gn" and x.is_vector:
            raise ShapeError(f"norm 'gn' needs a feature map, but gets {x}", "kind", "vectors take bn or ln")
        if self.kind == "gn" and x.channels % self._groups(x):
            message = f"groups={self.groups} does not divide the {x.channels} channels"
            raise ShapeError(message, "groups", f"near it: {divisors_near(x.channels, self._groups(x))}")
        return x

    def params(self, x: Shape) -> int:
        """Scale and shift per channel."""
        return 2 * x.channels

    def call(self, x: Shape) -> Call:
        """`nn.BatchNorm2d`, a channel `LayerNorm`, or `nn.GroupNorm` with at most 32 groups."""
        if self.kind == "bn":
            kind = "torch.nn:BatchNorm1d" if x.is_vector else "torch.nn:BatchNorm2d"
            return Call(kind, x.channels, eps=self.epsilon)
        if self.kind == "gn":
            return Call("torch.nn:GroupNorm", self._groups(x), x.channels, eps=self.epsilon)
        kind = "archdsl.blocks.layers.norm:ChannelLayerNorm" if x.is_map else "torch.nn:LayerNorm"
        return Call(kind, x.channels, eps=self.epsilon)


def _usual_eps(kind: NormKind) -> float:
    return 1e-6 if kind == "ln" else 1e-5


@BLOCKS.register("act")
class Act(Primitive):
    """An activation function."""

    positional: ClassVar[tuple[str, ...]] = ("kind",)
    summary: ClassVar[str] = "activation: relu, gelu, silu, relu6 or hswish"
    kind: ActKind = "relu"

    def call(self, x: Shape) -> Call:
        """The module of that name; hswish is `nn.Hardswish` (arXiv 1905.02244)."""
        kinds = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU", "relu6": "ReLU6", "hswish": "Hardswish"}
        return Call(f"torch.nn:{kinds[self.kind]}")


@BLOCKS.register("drop")
class Drop(Primitive):
    """Dropout."""

    positional: ClassVar[tuple[str, ...]] = ("p",)
    summary: ClassVar[str] = "dropout with probability p"
    p: float = Field(default=0.1, ge=0, lt=1)

    def call(self, x: Shape) -> Call:
        """`nn.Dropout`."""
        return Call("torch.nn:Dropout", self.p)
