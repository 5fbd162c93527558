"""Global average pooling of maps and tokens."""

from __future__ import annotations

from torch import Tensor, nn


class GlobalPool(nn.Module):
    """Mean over positions: (B, C, H, W) or (B, prefix + N, C) to (B, C)."""

    def __init__(self, prefix: int = 0) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, x: Tensor) -> Tensor:
        """Class tokens are left out of the mean."""
        return x[:, self.prefix :].mean(1) if self.prefix else x.mean((2, 3))
