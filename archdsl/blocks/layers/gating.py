"""Factors: layer scale (arXiv 2103.17239), fixed ones, squeeze-and-excitation (arXiv 1709.01507)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LayerScale(nn.Module):
    """Maps (B, C, H, W), or tokens and vectors (..., C), times a learned factor per channel."""

    def __init__(self, channels: int, init: float, *, is_map: bool) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), init))
        self.is_map = is_map

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        return x * (self.gamma[:, None, None] if self.is_map else self.gamma)


class Times(nn.Module):
    """Anything times a fixed factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        return x * self.factor

    def extra_repr(self) -> str:
        """The factor."""
        return f"{self.factor}"


class SqueezeExcite(nn.Module):
    """(B, C, H, W) times a gate per channel, computed from the means over positions."""

    def __init__(self, channels: int, hidden: int, act: nn.Module) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, hidden, 1)
        self.act = act
        self.conv_expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        gate = x.mean((2, 3), keepdim=True)  # (B, C, 1, 1)
        gate = self.conv_expand(self.act(self.conv_reduce(gate)))
        y: Tensor = x * gate.sigmoid()
        return y
