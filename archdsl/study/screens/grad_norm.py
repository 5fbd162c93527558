"""`grad_norm`: how steep the loss of an untrained network is (arXiv 2101.08134)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from archdsl.study.screens import SCREENS
from archdsl.study.screens.untrained import Untrained, weights_and_gradients


@SCREENS.register("grad_norm")
class GradNorm(Untrained):
    """The size of the first gradient (arXiv 2101.08134)."""

    summary: ClassVar[str] = "norm of the loss's gradient at initialisation, summed over weights (arXiv 2101.08134)"

    def measure(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        """Of one draw."""
        return grad_norm(network, images, labels)


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum over the weights of layers of the L2 norm of the loss's gradient.

    >>> net = nn.Linear(1, 2, bias=False)
    >>> _ = nn.init.zeros_(net.weight)  # logits 0 0: the gradient is (-1/2, 1/2) times the input
    >>> round(grad_norm(net, torch.ones(1, 1), torch.tensor([0])), 4)
    0.7071
    """
    pairs = weights_and_gradients(network, images, labels)
    return float(sum((gradient.norm() for _, gradient in pairs), torch.zeros(())))
