"""Networks with blocks of every kind, small enough to export, and their weights unlike those of a fresh network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from archdsl.api.compile import compile
from archdsl.base import checkpoint
from archdsl.interchange.arch_text import write
from archdsl.network.model import Network

MAPS = """
model maps
input 3x16x16
classes 5
block side(k=3) = sum[conv(in, k=k) avgpool(k=3, stride=1) (norm act)]
stem conv(8, k=3) norm act concat[conv(4, k=1) maxpool(k=3, stride=1)] conv(16)
stage(16, heads=4) [
  basic bottleneck(order=pre) msa(head_dim=4, window=4)
  T(window=4, shift=true, rel_pos=true) T(local=3) T(rel_pos=true) T(grid=4) attention(16, heads=2)
  side side(k=5) convnext(k=3) mbconv mixer residual[norm(gn) conv scale] drop norm(ln) pos times(0.5)
]
stage(24, stride=2, heads=4, down=patch) [T mixer]
stage(32, stride=2, heads=4, down=pool) [C(act=gelu) M(head_dim=8)]
stage(32, stride=2, down=conv) [unshuffle(k=1) act(hswish) act(relu6) basic*3]
head norm act gap norm drop(0.2) linear
"""
TOKENS = """
model tokens
input 3x16x16
classes 5
stem patch(16, k=4) cls pos
stage(16, heads=2) [T*4 mixer residual[norm(ln) apart[conv(in) linear(in)] scale]]
head norm(ln) cls act linear
"""
MEAN_OF_TOKENS = """
model mean_of_tokens
input 1x8x8
classes 3
stem patch(8, k=4) cls
stage(8, heads=2) [T]
head gap norm linear
"""
TINY = "model tiny\ninput 1x8x8\nclasses 3\nstage(4)[C]\n"


def network(text: str, seed: int = 0) -> Network:
    """A network in eval mode whose weights and running statistics are all far from where they begin."""
    torch.manual_seed(seed)
    model = compile(text)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2.0)
    return model.eval()


def images(model: Network, count: int, seed: int = 1) -> torch.Tensor:
    """Noise of the size that a network takes."""
    return torch.randn(count, *model.architecture.input, generator=torch.Generator().manual_seed(seed))


def as_training_writes_it(model: Network, path: Path) -> Path:
    """A checkpoint of these weights, such as `archdsl train` leaves."""
    spec = write(model.architecture, train=False)
    checkpoint.save(path, {f"model.{k}": v for k, v in model.state_dict().items()}, {checkpoint.SPEC_KEY: spec})
    return path
