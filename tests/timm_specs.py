"""Two small specs as timm models, one of maps and one of tokens, and images for them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archdsl.timm_models import register

SMALL = """
model small_for_timm
input 3x16x16
classes 5
stem conv(8) norm act
stage(8) [C]
stage(16, heads=2) [C M]
head norm act gap linear
"""
TOKENS = "model small_tokens  input 3x16x16  stem patch(8, k=4) cls pos  stage(8, heads=2)[T T]  head norm(kind=ln) cls linear"


@pytest.fixture(scope="module", name="small")
def register_small() -> str:
    return register(SMALL)


@pytest.fixture(scope="module", name="tokens")
def register_tokens() -> str:
    return register(TOKENS)


def images(model: nn.Module, count: int = 2) -> Tensor:
    return torch.randn(count, *model.default_cfg["input_size"], generator=torch.Generator().manual_seed(0))
