"""Networks of specs/, written by hand as a researcher would in plain PyTorch: what compiled specs are measured against.

Layers are made in the order in which the spec's parameters come, so that weights carry over one by one.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = None
        if stride != 1 or channels != width:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.act(self.norm1(self.conv1(x)))))
        return self.act(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(nn.Module):
    def __init__(self, classes: int = 100) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(64)
        self.act = nn.ReLU()
        widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
        self.blocks = nn.Sequential(*(BasicBlock(a, b, 1 if a == b else 2) for a, b in itertools.pairwise(widths)))
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.act(self.norm(self.conv(x)))).mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, N, C))


class TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.fc2(self.act(self.fc1(self.norm2(x))))


class ViTTiny(nn.Module):
    def __init__(self, classes: int = 100) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 192, 2, 2)
        self.cls = nn.Parameter(torch.zeros(1, 1, 192))
        self.pos = nn.Parameter(torch.zeros(1, 257, 192))
        self.blocks = nn.Sequential(*(TransformerBlock(192, 3) for _ in range(12)))
        self.norm = nn.LayerNorm(192, eps=1e-6)
        self.fc = nn.Linear(192, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        return self.fc(self.norm(self.blocks(x))[:, 0])


class PreActBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.act = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if channels != width else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(y)
        return self.conv2(self.act(self.norm2(self.conv1(y)))) + shortcut


class WindowAttention(nn.Module):
    index: Tensor

    def __init__(self, width: int, heads: int, window: int, dim: int = 64) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.table = nn.Parameter(torch.zeros(1, 2 * window - 1, 2 * window - 1))
        self.qkv = nn.Linear(width, 3 * heads * dim, bias=False)
        self.proj = nn.Linear(heads * dim, width)
        places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
        offsets = places[:, None] - places[None, :] + window - 1
        self.register_buffer("index", offsets[..., 0] * (2 * window - 1) + offsets[..., 1], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        (B, C, H, W), n = x.shape, self.window
        x = x.permute(0, 2, 3, 1)
        if (n, n) != (H, W):
            x = x.reshape(B, H // n, n, W // n, n, C).transpose(2, 3)
        x = x.reshape(-1, n * n, C)
        q, k, v = self.qkv(x).reshape(x.shape[0], n * n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.table.flatten(1)[:, self.index].unsqueeze(0)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).reshape(x.shape[0], n * n, -1)
        x = self.proj(x)
        if (n, n) != (H, W):
            x = x.reshape(B, H // n, W // n, n, n, C).transpose(2, 3)
        return x.reshape(B, H, W, C).permute(0, 3, 1, 2)


class MSABlock(nn.Module):
    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width)
        self.act = nn.GELU()
        self.conv = nn.Conv2d(width, width, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.attention = WindowAttention(width, heads, window)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(self.norm2(self.conv(self.act(self.norm1(x))))) + x


class AlterNet18(nn.Module):
    def __init__(self, classes: int = 100) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        blocks: list[nn.Module] = [PreActBlock(64, 64, 1), PreActBlock(64, 64, 1)]
        for width, heads in ((128, 6), (256, 12), (512, 24)):
            blocks += [PreActBlock(width // 2, width, 2), MSABlock(width, heads, 4)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(512)
        self.act = nn.ReLU()
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.act(self.norm(self.blocks(self.conv(x)))).mean((2, 3)))


BY_HAND: dict[str, type[nn.Module]] = {"resnet_18": ResNet18, "vit_ti": ViTTiny, "alternet_18": AlterNet18}


def carry(source: nn.Module, target: nn.Module) -> None:
    """Copy parameters and buffers: of those that have one shape, in their order. Compare outputs afterwards.

    Raises:
        ValueError: the networks do not match.
    """
    waiting: dict[torch.Size, list[Tensor]] = {}
    for tensor in source.state_dict().values():
        waiting.setdefault(tensor.shape, []).append(tensor)
    found = {}
    for name, tensor in target.state_dict().items():
        if not waiting.get(tensor.shape):
            raise ValueError(f"nothing is left for {name}")
        found[name] = waiting[tensor.shape].pop(0)
    if any(waiting.values()):
        raise ValueError("these are not the same network")
    target.load_state_dict(found)
