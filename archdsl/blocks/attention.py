"""`msa` and `transformer`: self-attention without and with an MLP (arXiv 2202.06709, 2010.11929, 2103.14030)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Composite, Node, Primitive, Residual, Sequence
from archdsl.blocks.convolution import Conv, require_map
from archdsl.blocks.elementwise import Act, ActKind, Norm, NormKind
from archdsl.blocks.resnet import inner_width
from archdsl.blocks.tokens import Linear
from archdsl.shapes import Shape, ShapeError, divisors_near

if TYPE_CHECKING:
    from torch import nn


class Attention(Primitive):
    """Attention alone, the core both blocks share; not a block of the language.

    Fields:
        width: output channels; heads, head_dim: the inner width is their product.
        window: side of the windows, None for the whole map; shift: move the windows by half their side.
        local: side of the neighbourhood a query sees, None for all.
        tables: learned relative-position biases: none, one shared by all heads, or one per head.
    """

    width: int
    heads: int
    head_dim: int
    window: int | None = None
    shift: bool = False
    local: int | None = None
    tables: int = 0
    qkv_bias: bool = False

    def out(self, x: Shape) -> Shape:
        """Channels become `width`."""
        if x.is_vector:
            raise ShapeError(f"attention needs a feature map or tokens, but gets {x}")
        if x.is_tokens:
            for name, value in (("window", self.window), ("local", self.local), ("rel_pos", self.tables or None)):
                if value:
                    raise ShapeError(f"{name} needs a feature map, but here flow {x}", name, "leave 'cls' out")
        self._check_window(x)
        return x._replace(channels=self.width)

    def _check_window(self, x: Shape) -> None:
        if self.window is not None and (x.height % self.window or x.width % self.window):
            side = x.height if x.height % self.window else x.width
            raise ShapeError(
                f"window {self.window} does not divide the {x.height}x{x.width} feature map",
                "window",
                f"here would fit: {divisors_near(side, self.window)}",
            )
        if self.shift and self.window is None:
            raise ShapeError("shift moves windows, but there are none", "shift", "add window=…")
        if self.local is not None and self.window is not None:
            raise ShapeError("local and window exclude each other", "local", "keep one of them")
        if self.local is not None and self.local % 2 == 0:
            raise ShapeError(f"a neighbourhood of side {self.local} has no centre", "local", "use an odd number")

    def area(self, x: Shape) -> tuple[int, int]:
        """Height and width of what one query sees at most."""
        return (self.window, self.window) if self.window else (x.height, x.width)

    def params(self, x: Shape) -> int:
        """q, k, v, output projection with bias, and position tables."""
        inner = self.heads * self.head_dim
        height, width = self.area(x)
        return (
            x.channels * 3 * inner
            + (3 * inner if self.qkv_bias else 0)
            + inner * self.width
            + self.width
            + self.tables * (2 * height - 1) * (2 * width - 1)
        )

    def macs(self, x: Shape) -> int:
        """Projections, and the two products of attention; masked pairs count, as they are computed."""
        inner = self.heads * self.head_dim
        keys = self.window**2 if self.window else x.positions
        return x.positions * (x.channels * 3 * inner + inner * self.width + 2 * keys * inner)

    def build(self, x: Shape) -> nn.Module:
        """Fused attention over maps or tokens."""
        from archdsl.layers.attention import GridAttention, TokenAttention

        height, width = self.area(x)
        if (self.tables or self.local) and (height * width) ** 2 > 2**36:
            raise MemoryError  # masks and indices hold an entry per pair of positions
        if x.is_tokens:
            return TokenAttention(x.channels, self.width, self.heads, self.head_dim, qkv_bias=self.qkv_bias)
        return GridAttention(
            x.channels, self.width, self.heads, self.head_dim, grid=(x.height, x.width), window=self.window,
            shift=self.shift, local=self.local, tables=self.tables, qkv_bias=self.qkv_bias,
        )  # fmt: skip


@BLOCKS.register("msa")
class Msa(Composite):
    """The MSA block of AlterNet: norm, act, 1x1 reduction, norm, attention, added; no MLP (arXiv 2202.06709)."""

    positional: ClassVar[tuple[str, ...]] = ("width",)
    summary: ClassVar[str] = "residual multi-head self-attention without MLP"
    width: int = Field(ge=1)
    heads: int = Field(default=4, ge=1)
    head_dim: int = Field(default=64, ge=1)
    window: int | None = Field(default=None, ge=1)
    expansion: int = Field(default=1, ge=1)
    rel_pos: bool = True
    act: ActKind = "gelu"
    norm: NormKind = "bn"

    def expand(self, x: Shape) -> Node:
        """One position table, shared by all heads."""
        require_map(x, "msa")
        if self.window is not None and self.window > min(x.height, x.width):
            Attention(width=1, heads=1, head_dim=1, window=self.window).out(x)
        projects = x.channels != self.width
        parts: tuple[tuple[str, Node], ...] = (
            ("norm1", Norm(kind=self.norm)),
            ("act1", Act(kind=self.act)),
            ("conv", Conv(width=inner_width(x.channels, self.expansion), k=1)),
            ("norm2", Norm(kind=self.norm)),
            (
                "attn",
                Attention(
                    width=self.width,
                    heads=self.heads,
                    head_dim=self.head_dim,
                    window=self.window,
                    tables=int(self.rel_pos),
                ),
            ),
        )
        shortcut = Conv(width=self.width, k=1) if projects else None
        return Residual(parts, "msa", shortcut, shared=2 if projects else 0)


@BLOCKS.register("transformer")
class Transformer(Composite):
    """Pre-norm attention and a pre-norm MLP, each with its own shortcut (arXiv 2010.11929; windows 2103.14030)."""

    summary: ClassVar[str] = "pre-norm attention and MLP"
    heads: int = Field(default=4, ge=1)
    mlp_ratio: float = Field(default=4.0, gt=0)
    window: int | None = Field(default=None, ge=1)
    shift: bool = False
    local: int | None = Field(default=None, ge=1)
    qkv_bias: bool = True
    rel_pos: bool = False
    norm: Literal["bn", "ln", "gn"] = "ln"
    act: ActKind = "gelu"

    def expand(self, x: Shape) -> Node:
        """Position tables are one per head, as in Swin."""
        if x.is_vector:
            raise ShapeError(f"'transformer' needs a feature map or tokens, but gets {x}")
        if x.is_tokens and self.norm != "ln":
            raise ShapeError(f"norm '{self.norm}' needs a feature map, but gets {x}", "norm", "tokens take norm=ln")
        width = x.channels
        if width % self.heads:
            raise ShapeError(
                f"heads={self.heads} does not divide the width {width}",
                "heads",
                f"near it: {divisors_near(width, self.heads)}",
            )
        attention = Attention(
            width=width, heads=self.heads, head_dim=width // self.heads, window=self.window, shift=self.shift,
            local=self.local, tables=self.heads if self.rel_pos else 0, qkv_bias=self.qkv_bias,
        )  # fmt: skip
        hidden = int(width * self.mlp_ratio)
        if hidden < 1:
            raise ShapeError(f"mlp_ratio={self.mlp_ratio} leaves no hidden channel of width {width}", "mlp_ratio")
        mlp: tuple[tuple[str, Node], ...] = (
            ("norm", Norm(kind=self.norm)),
            ("fc1", Linear(out_features=hidden)),
            ("act", Act(kind=self.act)),
            ("fc2", Linear(out_features=width)),
        )
        return Sequence(
            (
                ("attn", Residual((("norm", Norm(kind=self.norm)), ("attn", attention)), "msa")),
                ("mlp", Residual(mlp, "mlp")),
            )
        )
