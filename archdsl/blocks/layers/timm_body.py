"""A model of timm, cut off after one of its feature stages; maps in, maps out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


class TimmFeatures(nn.Module):
    """(B, C, H, W) to features (B, C', H', W') of a timm model; its parameters keep timm's names.

    Args:
        name: of the model.
        index: which features, as timm's `out_indices` counts them.
        size: (C, H, W) of what flows in.
    """

    def __init__(self, name: str, index: int, size: Sequence[int]) -> None:
        super().__init__()
        self.body = _create(name, size, (index,))
        self.channels: int = info(self.body).channels()[-1]

    def forward(self, x: Tensor) -> Tensor:
        """The features; those that timm gives as (B, H', W', C') are turned."""
        y: Tensor = self.body(x)[-1]
        return y if y.shape[1] == self.channels else y.permute(0, 3, 1, 2)


def look(name: str, index: int | None, size: Sequence[int]) -> tuple[int, tuple[int, int, int], int, int]:
    """Number of the features, their shape (C', H', W'), parameters and MACs, on a model that takes no memory.

    Raises:
        IndexError: there are no such features; other errors of all kinds where the model does not take that size.
    """
    with torch.device("meta"):
        known = info(_create(name, size, None))
        count = len(known.channels())
        if index is not None and index >= count:
            raise IndexError(f"timm's '{name}' has features 0 to {count - 1}, not {index}")
        found: int = known.out_indices[-1 if index is None else index]
        model = TimmFeatures(name, found, size).eval().requires_grad_(False)
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as flops:
            y = model(torch.empty(1, *size))
    _, channels, height, width = y.shape
    return found, (channels, height, width), sum(p.numel() for p in model.parameters()), flops.get_total_flops() // 2


def _create(name: str, size: Sequence[int], indices: tuple[int, ...] | None) -> nn.Module:
    channels, height, width = size
    options: dict[str, Any] = {"in_chans": channels}
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if config is not None and config.fixed_input_size:
        options["img_size"] = (height, width)
    if indices is not None:
        options["out_indices"] = indices
    return timm.create_model(name, pretrained=False, features_only=True, **options)


def info(features: nn.Module) -> Any:
    """What timm says of the features of a model: channels, reductions, indices."""
    return features.feature_info
