"""Networks of composite blocks in eval mode, their blocks, and a definition to make them of."""

from __future__ import annotations

import torch
from torch import nn

from archdsl.language import parse
from archdsl.network import resolve
from archdsl.network.model import Network, build

GHOST = "block ghost(k=3, act=relu) = residual[conv(width//2, k=1) norm act conv(k=k, groups=width//2) norm]\n"


def network(text: str) -> Network:
    torch.manual_seed(0)
    return build(resolve(parse(text))).eval()


def block(text: str, path: str = "stage1.block1") -> nn.Module:
    return network(text).get_submodule(path)
