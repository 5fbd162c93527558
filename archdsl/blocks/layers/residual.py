"""The residual unit: a branch, a shortcut, their sum; the branch can be dropped at random while training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """`act(shortcut(h) + branch(h))`, h being the input after the first `shared` parts.

    Attributes:
        drop_path: probability of dropping the branch of an image while training (arXiv 1603.09382); the training
            loop sets it, 0 otherwise.
    """

    def __init__(
        self, parts: Sequence[tuple[str, nn.Module]], shortcut: nn.Module | None, shared: int, act: nn.Module | None
    ) -> None:
        super().__init__()
        for name, part in parts:
            self.add_module(name, part)
        self.shared = tuple(name for name, _ in parts[:shared])
        self.branch = tuple(name for name, _ in parts[shared:])
        self.shortcut = shortcut
        self.act_out = act
        self.drop_path = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W'), or tokens (B, N, C) to tokens."""
        for name in self.shared:
            x = getattr(self, name)(x)
        y = x
        for name in self.branch:
            y = getattr(self, name)(y)
        if self.training and self.drop_path > 0:
            y = drop_path(y, self.drop_path)
        y = y + (x if self.shortcut is None else self.shortcut(x))
        return y if self.act_out is None else self.act_out(y)


def drop_path(y: Tensor, rate: float) -> Tensor:
    """Zero whole examples with probability `rate`, and scale the others by 1/(1 - rate)."""
    keep = torch.rand((y.shape[0],) + (1,) * (y.dim() - 1), device=y.device) >= rate
    return y * (keep.to(y.dtype) / (1 - rate))
