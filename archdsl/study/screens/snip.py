"""`snip`: how much the loss of an untrained network hangs on its connections (arXiv 1810.02340)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from archdsl.study.screens import SCREENS
from archdsl.study.screens.untrained import Untrained, weights_and_gradients


@SCREENS.register("snip")
class Snip(Untrained):
    """Connection sensitivity (arXiv 1810.02340), summed over all connections as in arXiv 2101.08134."""

    summary: ClassVar[str] = "sum of |weight * gradient| at initialisation (arXiv 1810.02340)"

    def measure(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        """Of one draw."""
        return snip(network, images, labels)


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum over the weights of layers of |w * dL/dw|: what the loss would lose or gain, to first order, without w.

    >>> net = nn.Linear(1, 2, bias=False)
    >>> _ = nn.init.ones_(net.weight)
    >>> snip(net, torch.ones(1, 1), torch.tensor([0]))
    1.0
    """
    pairs = weights_and_gradients(network, images, labels)
    return float(sum(((weight.detach() * gradient).abs().sum() for weight, gradient in pairs), torch.zeros(())))
