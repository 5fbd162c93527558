"""`synflow`: synaptic flow, how much signal all paths of a network carry, whatever the data (arXiv 2006.05467)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archdsl.analyses.exact import held_still
from archdsl.study.screens import SCREENS
from archdsl.study.screens.untrained import Untrained

NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)


@SCREENS.register("synflow")
class SynFlow(Untrained):
    """The logarithm of the flow: it spans a hundred orders of magnitude between shallow and deep networks."""

    summary: ClassVar[str] = "logarithm of the synaptic flow at initialisation (arXiv 2006.05467)"

    def measure(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        """Of one draw; only the shape of the images matters."""
        flow = synflow(network, torch.ones_like(images[:1], dtype=torch.float64))
        if not math.isfinite(flow):  # beyond float64: nothing can be said
            return math.nan
        return math.log(flow) if flow > 0 else -math.inf


def synflow(network: nn.Module, ones: Tensor) -> float:
    """sum_w |w * dR/dw|, R the sum of the logits for an input of ones, all weights replaced by their absolute values.

    In float64 and eval mode. Normalisations are left out, as the flow is about weights and they would undo the sizes
    of all before them; they have no share in the sum. In networks of convolutions, linear layers and ReLU the shares of
    every layer sum to R then. Attention and GELU stand as they are: with positive signals GELU is nearly the identity,
    and the softmax, which is not homogeneous, lets R flow through the values.

    Args:
        network: changed in place.
        ones: (1, C, H, W) in float64.
    """
    network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    hooks = [module.register_forward_hook(_left_out) for module in network.modules() if isinstance(module, NORMS)]
    try:
        with held_still(network):
            parameters = list(network.parameters())
            flow = network(ones).sum()
            gradients = torch.autograd.grad(flow, parameters, allow_unused=True) if parameters else ()
    finally:
        for hook in hooks:
            hook.remove()
    shares = [(p.detach() * g).abs().sum() for p, g in zip(parameters, gradients, strict=True) if g is not None]
    return float(sum(shares, torch.zeros((), dtype=torch.float64)))


def _left_out(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
    return inputs[0]
