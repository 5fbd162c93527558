"""Class token and position embedding of vision transformers (arXiv 2010.11929)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Position(nn.Module):
    """A learned table added to maps (C, H, W) or tokens (N, C)."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(1, *dims))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        return x + self.table


class PrependToken(nn.Module):
    """(B, C, H, W) -> (B, 1 + H*W, C), a learned class token in front."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(1, 1, channels))
        nn.init.normal_(self.token, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Cut into tokens, row by row."""
        tokens = x.flatten(2).transpose(1, 2)  # (B, H*W, C)
        return torch.cat([self.token.expand(x.shape[0], -1, -1), tokens], dim=1)


class PickToken(nn.Module):
    """(B, N, C) -> (B, C): the class token."""

    def forward(self, x: Tensor) -> Tensor:
        """The first token."""
        return x[:, 0]
