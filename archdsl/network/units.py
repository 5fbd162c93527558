"""Lists the parts of a network that analyses speak of: each residual unit with its label, place and grid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Unit(NamedTuple):
    """A block, or one residual half of a transformer block, whose output is a feature map.

    Attributes:
        path: module path in the network (`stage2.block3`, `stage1.block4.attn`).
        label: the block as the spec writes it (`C`, `M`, `T`).
        kind: what it does to the map.
        stage: from 1; 0 outside the stages.
        grid: height and width of its output; 0 and 0 of a vector.
        prefix: class tokens in front of the grid, 0 for feature maps.
        channels_last: its feature maps are (B, H, W, C), as in some networks of timm.
    """

    path: str
    label: str
    kind: Literal["conv", "msa", "mlp"]
    stage: int
    grid: tuple[int, int]
    prefix: int = 0
    channels_last: bool = False

    @property
    def is_map(self) -> bool:
        """Whether its output has places: a map or tokens, and no vector."""
        return min(self.grid) > 0

    @property
    def block(self) -> str:
        """The block it is, or is half of (`stage1.block4`)."""
        found = re.match(r"stage\d+\.block\d+", self.path)
        return found[0] if found else self.path


def grid_of(output: Tensor, unit: Unit) -> Tensor:
    """A unit's output as a feature map (B, C, H, W), class tokens dropped."""
    if output.dim() == 4:
        return output.permute(0, 3, 1, 2) if unit.channels_last else output
    height, width = unit.grid
    tokens = output[:, unit.prefix :]  # (B, H*W, C)
    return tokens.transpose(1, 2).reshape(output.shape[0], -1, height, width)
