"""`naswot`: how differently an untrained network treats different images (arXiv 2006.04647)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from archdsl.study.screens import SCREENS
from archdsl.study.screens.untrained import Untrained, batch_statistics

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish)


@SCREENS.register("naswot")
class NasWot(Untrained):
    """The log-determinant of the kernel of activation patterns; unknown for networks without activations."""

    summary: ClassVar[str] = "log-determinant of the kernel of activation patterns at initialisation (arXiv 2006.04647)"

    def measure(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        """Of one draw."""
        kernel = hamming_kernel(network, images)
        if not bool(kernel.any()):
            return math.nan
        return float(torch.linalg.slogdet(kernel).logabsdet)


@torch.no_grad()
def hamming_kernel(network: nn.Module, images: Tensor) -> Tensor:
    """K[i, j] = N - (how many of the N activation units tell image i from image j): (B, B) in float64.

    A unit is on where what comes into it is above zero; that is the paper's code for ReLU, and is taken for the smooth
    activations too.
    """
    count = len(images)
    kernel = torch.zeros(count, count, dtype=torch.float64, device=images.device)

    def add(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        on = (inputs[0] > 0).reshape(count, -1).float()
        kernel.add_((on @ on.T).double())  # counts: exact in float32 up to 16 million units of a layer
        kernel.add_(((1 - on) @ (1 - on).T).double())

    hooks = [module.register_forward_hook(add) for module in network.modules() if isinstance(module, ACTIVATIONS)]
    try:
        with batch_statistics(network):
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return kernel
