"""Multi-head self-attention over tokens and over the windows of a map, on PyTorch's fused kernel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TokenAttention(nn.Module):
    """Global attention: (B, N, C) -> (B, N, C')."""

    def __init__(self, channels: int, out: int, heads: int, head_dim: int, *, qkv_bias: bool = False) -> None:
        super().__init__()
        self.num_heads = heads
        self.qkv = nn.Linear(channels, 3 * heads * head_dim, bias=qkv_bias)
        self.proj = nn.Linear(heads * head_dim, out)

    def forward(self, x: Tensor) -> Tensor:
        """Every token sees every other."""
        return self.attend(x, None)

    def attend(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Attention over the N tokens of (B, N, C), with a bias that broadcasts to (B, heads, N, N)."""
        B, N, _ = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)  # each (B, heads, N, d)
        y = scaled_dot_product(q, k, v, bias)  # (B, heads, N, d)
        projected: Tensor = self.proj(y.transpose(1, 2).reshape(B, N, -1))  # (B, N, C')
        return projected


class GridAttention(TokenAttention):
    """Attention on a map (B, C, H, W): global, in windows, in shifted windows, over grids, or to a neighbourhood.

    Args:
        channels, out: channels in and out.
        heads, head_dim: inner width is their product.
        size: (H, W) of the map.
        window: side of the windows, None for the whole map.
        shift: roll the map by half a window first, and keep pixels that were not neighbours apart (arXiv 2103.14030).
        local: a query sees the local x local neighbourhood around it only; pixels outside the map take no part.
        grid: positions H/grid and W/grid apart attend to each other, grid x grid of them (arXiv 2204.01697).
        tables: learned relative-position biases: 0, 1 shared by all heads, or one per head.
        qkv_bias: whether q, k, v have biases.
    """

    index: Tensor
    mask: Tensor | None

    def __init__(
        self, channels: int, out: int, heads: int, head_dim: int, *, size: tuple[int, int], window: int | None = None,
        shift: bool = False, local: int | None = None, grid: int | None = None, tables: int = 0, qkv_bias: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(channels, out, heads, head_dim, qkv_bias=qkv_bias)
        H, W = size
        side = window or grid
        self.window = (side, side) if side else (H, W)
        self.spread = grid is not None
        # Along a side that one window fills there are no neighbours to shift towards.
        self.shift = (
            (window // 2 if window < H else 0, window // 2 if window < W else 0) if window and shift else (0, 0)
        )
        self.table = nn.Parameter(torch.zeros(tables, *(2 * side - 1 for side in self.window))) if tables else None
        if self.table is not None:
            nn.init.trunc_normal_(self.table, std=0.02)
        self.register_buffer("index", relative_index(*self.window) if tables else None, persistent=False)
        mask = shift_mask(H, W, *self.window, *self.shift) if any(self.shift) else None
        if local is not None:
            mask = neighbourhood_mask(H, W, local)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        B, C, H, W = x.shape
        h, w = self.window
        x = x.permute(0, 2, 3, 1)  # (B, H, W, C), a view of channels_last memory
        if any(self.shift):
            x = x.roll((-self.shift[0], -self.shift[1]), (1, 2))
        if self.spread:
            x = x.reshape(B, h, H // h, w, W // w, C).permute(0, 2, 4, 1, 3, 5)  # (B, H/h, W/w, h, w, C)
        elif (h, w) != (H, W):
            x = x.reshape(B, H // h, h, W // w, w, C).transpose(2, 3)  # (B, H/h, W/w, h, w, C)
        y = self.attend(x.reshape(-1, h * w, C), self._bias(B))  # (B * windows, h*w, C')
        if self.spread:
            y = y.reshape(B, H // h, W // w, h, w, -1).permute(0, 3, 1, 4, 2, 5)
        elif (h, w) != (H, W):
            y = y.reshape(B, H // h, W // w, h, w, -1).transpose(2, 3)
        y = y.reshape(B, H, W, -1)
        if any(self.shift):
            y = y.roll(self.shift, (1, 2))
        return y.permute(0, 3, 1, 2)

    def _bias(self, B: int) -> Tensor | None:
        bias = None
        if self.table is not None:
            bias = self.table.flatten(1)[:, self.index].unsqueeze(0)  # (1, heads or 1, N, N)
        if self.mask is not None:
            mask = self.mask.unsqueeze(1)  # (windows or 1, 1, N, N)
            bias = mask if bias is None else bias + mask
            if mask.shape[0] > 1:
                bias = bias.repeat(B, 1, 1, 1)  # windows of an image are neighbours in the batch
        return bias


def scaled_dot_product(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """PyTorch's fused attention, in the precision in which it is fast on the device: (B, heads, N, d)."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        # Under bf16 autocast the CPU's kernel takes two to six times as long as in float32.
        with torch.autocast("cpu", enabled=False):
            bias = None if bias is None else bias.float()
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=bias).to(q.dtype)
    if bias is not None:
        bias = bias.to(q.dtype)  # autocast leaves parameters as they are, the kernel wants one type
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def relative_index(h: int, w: int) -> Tensor:
    """For each query and key of a window, the flat place of their offset in a (2h-1) x (2w-1) table: (h*w, h*w)."""
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    dy = rows[:, None] - rows[None, :] + h - 1
    dx = columns[:, None] - columns[None, :] + w - 1
    return dy * (2 * w - 1) + dx


def shift_mask(H: int, W: int, h: int, w: int, down: int, right: int) -> Tensor:
    """-inf where query and key of a rolled window come from different sides of the map: (windows, h*w, h*w)."""
    region = torch.zeros(H, W)
    # Rolling brings the first rows and columns to the end: the last window holds two regions.
    region[H - down :, :] += 1
    region[:, W - right :] += 2
    windows = region.reshape(H // h, h, W // w, w).transpose(1, 2).reshape(-1, h * w)
    apart = windows[:, :, None] != windows[:, None, :]
    return torch.zeros(apart.shape).masked_fill_(apart, float("-inf"))


def neighbourhood_mask(H: int, W: int, side: int) -> Tensor:
    """-inf where a key lies outside the side x side neighbourhood of the query: (1, H*W, H*W)."""
    rows, columns = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    far = (rows[:, None] - rows[None, :]).abs().maximum((columns[:, None] - columns[None, :]).abs()) > side // 2
    return torch.zeros(far.shape).masked_fill_(far, float("-inf"))[None]
