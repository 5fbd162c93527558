"""Any whole number in, the random numbers it stands for out: the same on every device."""

from __future__ import annotations

import torch

RANGE = 2**64  # of PyTorch's seeds; beyond it a product of seed and batch would be an error


def generator(seed: int) -> torch.Generator:
    """A generator on the CPU, so that a GPU gets the same draws.

    >>> bool(torch.rand(1, generator=generator(3)) == torch.rand(1, generator=generator(3 + 2**64)))
    True
    """
    return torch.Generator().manual_seed(seed % RANGE)
