"""Branches side by side, added or put together along the channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn


class Parallel(nn.Module):
    """The sum of the branches of x, or their outputs one after the other along the channels."""

    def __init__(self, branches: Sequence[tuple[str, nn.Module]], join: Literal["sum", "concat"]) -> None:
        super().__init__()
        for name, branch in branches:
            self.add_module(name, branch)
        self.branches = tuple(name for name, _ in branches)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W'), or tokens (B, N, C) to tokens (B, N, C')."""
        outputs: list[Tensor] = [getattr(self, name)(x) for name in self.branches]
        if self.join == "sum":
            return sum(outputs[1:], outputs[0])
        return torch.cat(outputs, dim=1 if outputs[0].dim() == 4 else -1)


class Apart(nn.Module):
    """Tokens taken apart: the first branch for their map, the second for the class token, then together again."""

    def __init__(self, branches: Sequence[tuple[str, nn.Module]], grid: tuple[int, int]) -> None:
        super().__init__()
        for name, branch in branches:
            self.add_module(name, branch)
        self.branches = tuple(name for name, _ in branches)
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1 + H*W, C) -> (B, 1 + H'*W', C')."""
        on_map, on_token = (getattr(self, name) for name in self.branches)
        grid = on_map(x[:, 1:].transpose(1, 2).reshape(x.shape[0], x.shape[2], *self.grid))  # (B, C', H', W')
        token = on_token(x[:, 0])  # (B, C')
        return torch.cat([token.unsqueeze(1), grid.flatten(2).transpose(1, 2)], dim=1)
