"""Networks small enough for dense Hessians, with every kind of layer that has a trap in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archdsl.network.units import Unit


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads only wait for each other on layers this small, on a loaded machine for most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Conv(nn.Module):
    """Residual 3x3 convolution with BatchNorm and GELU; a stride shrinks the map and drops the shortcut."""

    def __init__(self, width: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.shortcut = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        y = F.gelu(self.norm(self.conv(x)))
        return x + y if self.shortcut else y


class Attention(nn.Module):
    """Residual attention over all pixels, affine LayerNorm first, fused `scaled_dot_product_attention`."""

    def __init__(self, width: int, heads: int = 3) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        tokens = x.flatten(2).transpose(1, 2)  # (B, HW, C)
        q, k, v = self.qkv(self.norm(tokens)).view(B, H * W, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, H * W, C)
        return x + self.out(mixed).transpose(1, 2).reshape(B, C, H, W)


class Hybrid(nn.Module):
    """Two stages, C M each, on 8 x 8 images of one channel; 3 classes, 324 parameters."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 3, 3, padding=1)
        self.stage1 = nn.Sequential(Conv(3, 3), Attention(3))
        self.stage2 = nn.Sequential(Conv(3, 3, stride=2), Attention(3))
        self.head = nn.Linear(3, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stage2(self.stage1(self.stem(x))).mean((2, 3)))


HYBRID_UNITS = (
    Unit("stage1.0", "C", "conv", 1, (8, 8)),
    Unit("stage1.1", "M", "msa", 1, (8, 8)),
    Unit("stage2.0", "C", "conv", 2, (4, 4)),
    Unit("stage2.1", "M", "msa", 2, (4, 4)),
)


class Tokens(nn.Module):
    """A class token and 4 x 4 patches through two residual MLPs."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 6, 2, 2)
        self.cls = nn.Parameter(torch.randn(1, 1, 6))
        self.blocks = nn.ModuleList([nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6), nn.GELU()) for _ in range(2)])
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens[:, 0])


TOKEN_UNITS = tuple(Unit(f"blocks.{index}", "T", "mlp", 1, (4, 4), prefix=1) for index in range(2))


def hybrid(seed: int = 0, dtype: torch.dtype = torch.float64, scale: float = 1.5) -> Hybrid:
    """A hybrid with running statistics that are not 0 and 1, in train mode as a training loop leaves it."""
    torch.manual_seed(seed)
    model = Hybrid().to(dtype)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2.0)
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif "head" in name or "qkv" in name:
                parameter.mul_(scale)
    return model


def images(
    count: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64, side: int = 8, classes: int = 3
) -> tuple[Tensor, Tensor]:
    """Noise and labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (count,), generator=generator)
    return torch.randn(count, 1, side, side, generator=generator, dtype=dtype), labels
