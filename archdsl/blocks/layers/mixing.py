"""An MLP across positions (MLP-Mixer, arXiv 2105.01601)."""

from __future__ import annotations

from torch import Tensor, nn


class TokenMlp(nn.Module):
    """Maps (B, C, H, W) or tokens (B, N, C): two linear layers over the positions of every channel."""

    def __init__(self, positions: int, hidden: int, act: nn.Module) -> None:
        super().__init__()
        self.fc1 = nn.Linear(positions, hidden)
        self.act = act
        self.fc2 = nn.Linear(hidden, positions)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        channels = x.flatten(2) if x.dim() == 4 else x.transpose(1, 2)  # (B, C, N)
        y: Tensor = self.fc2(self.act(self.fc1(channels)))
        return y.reshape(x.shape) if x.dim() == 4 else y.transpose(1, 2)
