"""Defines `attention`: multi-head self-attention, global, in windows, or local (arXiv 2010.11929, 2103.14030)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive, Role
from archdsl.blocks.calls import Call
from archdsl.blocks.shapes import Shape, ShapeError, divisors_near


@BLOCKS.register("attention")
class Attention(Primitive):
    """Multi-head self-attention: q, k, v, their products, and an output projection with bias; no norm, no shortcut.

    Fields:
        out_features: output channels, None for those that flow in; heads, head_dim: the inner width is their product;
            head_dim None shares the incoming channels among the heads.
        window: side of the windows, None for the whole map; shift: move the windows by half their side.
        local: side of the neighbourhood a query sees, None for all.
        grid: side of the sparse grid of positions, spread over the whole map, that attend to each other
            (arXiv 2204.01697), None for all.
        rel_pos: learned relative-position biases, one table per head, or a single one where `shared_table`.
    """

    positional: ClassVar[tuple[str, ...]] = ("out_features",)
    module_name: ClassVar[str] = "attn"
    drawn_by_rule: ClassVar[bool] = True
    summary: ClassVar[str] = "multi-head self-attention alone, without norm or shortcut"
    out_features: int | None = Field(default=None, ge=1)
    heads: int = Field(default=4, ge=1)
    head_dim: int | None = Field(default=None, ge=1)
    window: int | None = Field(default=None, ge=1)
    shift: bool = False
    local: int | None = Field(default=None, ge=1)
    grid: int | None = Field(default=None, ge=1)
    rel_pos: bool = False
    shared_table: bool = False
    qkv_bias: bool = False

    @property
    def role(self) -> Role:
        """Attention."""
        return "msa"

    @property
    def tables(self) -> int:
        """How many tables of relative positions there are."""
        return (1 if self.shared_table else self.heads) if self.rel_pos else 0

    def dim(self, x: Shape) -> int:
        """Channels of one head."""
        return x.channels // self.heads if self.head_dim is None else self.head_dim

    def output(self, x: Shape) -> Shape:
        """Channels become `out_features`."""
        if x.is_vector:
            raise ShapeError(f"attention needs a feature map or tokens, but gets {x}")
        if self.head_dim is None and x.channels % self.heads:
            raise ShapeError(
                f"heads={self.heads} does not divide the width {x.channels}",
                "heads",
                f"near it: {divisors_near(x.channels, self.heads)}",
            )
        if x.is_tokens:
            for name, value in (
                ("window", self.window), ("local", self.local), ("grid", self.grid), ("rel_pos", self.rel_pos or None),
            ):  # fmt: skip
                if value:
                    raise ShapeError(f"{name} needs a feature map, but here flow {x}", name, "leave 'cls' out")
        self._check_window(x)
        return x._replace(channels=self.out_features or x.channels)

    def _check_window(self, x: Shape) -> None:
        for name, side in (("window", self.window), ("grid", self.grid)):
            if side is not None and (x.height % side or x.width % side):
                along = x.height if x.height % side else x.width
                raise ShapeError(
                    f"{name} {side} does not divide the {x.height}x{x.width} feature map",
                    name,
                    f"here would fit: {divisors_near(along, side)}",
                )
        if self.shift and self.window is None:
            raise ShapeError("shift moves windows, but there are none", "shift", "add window=…")
        given = [name for name in ("local", "grid", "window") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ShapeError(f"{given[0]} and {given[1]} exclude each other", given[0], "keep one of them")
        if self.local is not None and self.local % 2 == 0:
            raise ShapeError(f"a neighbourhood of side {self.local} has no centre", "local", "use an odd number")

    def area(self, x: Shape) -> tuple[int, int]:
        """Height and width of what one query sees at most."""
        side = self.window or self.grid
        return (side, side) if side else (x.height, x.width)

    def params(self, x: Shape) -> int:
        """q, k, v, output projection with bias, and position tables."""
        inner, out = self.heads * self.dim(x), self.output(x).channels
        height, width = self.area(x)
        return (
            x.channels * 3 * inner
            + (3 * inner if self.qkv_bias else 0)
            + inner * out
            + out
            + self.tables * (2 * height - 1) * (2 * width - 1)
        )

    def macs(self, x: Shape) -> int:
        """Projections, and the two products of attention; masked pairs count, as they are computed."""
        inner, out = self.heads * self.dim(x), self.output(x).channels
        side = self.window or self.grid
        keys = side**2 if side else x.positions
        return x.positions * (x.channels * 3 * inner + inner * out + 2 * keys * inner)

    def call(self, x: Shape) -> Call:
        """Fused attention over maps or tokens."""
        height, width = self.area(x)
        out = self.output(x).channels
        if (self.tables or self.local) and (height * width) ** 2 > 2**36:
            raise MemoryError  # masks and indices hold an entry per pair of positions
        if x.is_tokens:
            return Call(
                "archdsl.blocks.layers.attention:TokenAttention", x.channels, out, self.heads, self.dim(x),
                qkv_bias=self.qkv_bias,
            )  # fmt: skip
        return Call(
            "archdsl.blocks.layers.attention:GridAttention", x.channels, out, self.heads, self.dim(x),
            size=(x.height, x.width), window=self.window, shift=self.shift, local=self.local, grid=self.grid,
            tables=self.tables, qkv_bias=self.qkv_bias,
        )  # fmt: skip
