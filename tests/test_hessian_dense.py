"""Top Hessian eigenvalues of every registered kind of block against its dense Hessian in float64.

A new primitive, a new block of the prelude and a new definition in a shipped spec are tested on arrival. The dense
reference is looped double backward by PyTorch's own formulas; the products go by the rules of `double_backward`.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import one_thread  # noqa: F401
from test_hessian import dense
from torch import Tensor, nn

import archdsl
from archdsl.analyses.hessian import measure
from archdsl.base import resources
from archdsl.blocks import BLOCKS as PRIMITIVES
from archdsl.blocks.base import Tree
from archdsl.blocks.composites.expansion import tree
from archdsl.blocks.composites.kinds import Kind, construct
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.language import parse, prelude
from archdsl.network.model import build_node, initialise

TINY: dict[str, Any] = {
    "width": 4, "out_features": 4, "hidden": 4, "heads": 2, "head_dim": 2, "mlp_ratio": 1.0, "expansion": 2,
    "embed_dim": 4, "model": "resnet18",
}  # fmt: skip
SHAPES = [Shape(4, 4, 4), Shape(4, 2, 2, prefix=1), Shape(4, 0, 0), Shape(32, 4, 4), Shape(32, 8, 8)]
WEIGHTS = 200  # of a block that has more, the smallest tensors up to so many, the others held fixed
LARGE = {"timm"}  # a network in a block: a quarter of that


def shipped() -> dict[str, Kind]:
    """The blocks that the shipped specs define for themselves."""
    found = {}
    for name in resources.shipped_specs():
        text = (resources.folder("specs") / f"{name}.arch").read_text(encoding="utf-8")
        if re.search("^block ", text, re.M):
            known = parse(text).blocks.items()
            found |= {f"{name}: {block}": d._block for block, d in known if block not in prelude.names()}
    return found


BLOCKS: dict[str, Kind] = {**prelude.blocks(), **{n: PRIMITIVES[n] for n in PRIMITIVES}, **shipped()}


def tiny(block: Kind) -> Tree:
    """The block at its smallest that fits somewhere."""
    wanted = {name: value for name, value in TINY.items() if name in block.model_fields}
    for name, field in block.model_fields.items():
        if field.is_required() and name not in wanted:
            wanted[name] = "resnet18" if field.annotation is str else 4
    needed = {name: value for name, value in wanted.items() if block.model_fields[name].is_required()}
    kernel = {"k": 2} if "k" in block.model_fields else {}
    wide = {"width": 32} if "width" in block.model_fields else {}  # of blocks whose heads have 32 channels each
    for arguments in (wanted, needed, wanted | kernel, wanted | wide):
        for x in SHAPES:
            try:
                return tree(construct(block, "block", arguments), x)
            except ShapeError:
                continue
    raise AssertionError(f"{block} fits none of {SHAPES}: give it one")


class Alone(nn.Module):
    """A block between fixed linear maps, with a gain per channel before it and a classifier behind, both learnt."""

    def __init__(self, block: nn.Module, x: Shape, out: Shape) -> None:
        super().__init__()
        dims = x.dims
        self.register_buffer("lift", torch.randn(16, int(np.prod(dims))) / 4)
        self.register_buffer("drop", torch.randn(int(np.prod(out.dims)), 5) / np.prod(out.dims) ** 0.5)
        self.dims = dims
        self.channels_last = x.prefix > 0
        self.gain = nn.Parameter(torch.randn(x.channels) * 0.3 + 1)
        self.block, self.head = block, nn.Linear(5, 3)

    def forward(self, images: Tensor) -> Tensor:
        lifted = (images.flatten(1) @ self.lift).view(-1, *self.dims)
        gain = self.gain if self.channels_last else self.gain.view(-1, *[1] * (len(self.dims) - 1))
        return self.head(torch.tanh(self.block(lifted * gain).flatten(1) @ self.drop))


def network(name: str) -> nn.Module:
    """A small network around a block, in float64, with weights that are not as initialised."""
    torch.manual_seed(0)
    block = tiny(BLOCKS[name])
    module = build_node(block)
    initialise(module)
    model = Alone(module, block.x, block.out).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    left = WEIGHTS if name not in LARGE else WEIGHTS // 4
    for parameter in sorted(module.parameters(), key=lambda p: p.numel()):
        left -= parameter.numel()
        parameter.requires_grad_(left >= 0)
    return model


def compared(model: nn.Module) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The five eigenvalues of largest magnitude: dense, measured in float64, measured in float32."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, 1, 4, 4, generator=generator, dtype=torch.float64)
    labels = torch.arange(4) % 3
    values = np.linalg.eigvalsh(dense(model, (images, labels)).numpy())
    exact = values[np.argsort(-np.abs(values))][:5]
    double = measure(model, [(images, labels)], k=5, tol=1e-8).eigenvalues[0]
    single = measure(model.float(), [(images.float(), labels)], k=5, tol=1e-5).eigenvalues[0]
    return exact, double, single


@pytest.mark.parametrize("name", BLOCKS)
def test_every_kind_of_block(name: str) -> None:
    exact, double, single = compared(network(name))
    assert np.abs(exact[0]) > 1e-6, "the block stops every gradient, and the test tests nothing"
    assert double == pytest.approx(exact, rel=1e-5)
    if name not in LARGE:  # whose float32 differs by up to that from one machine to another
        assert single == pytest.approx(exact, rel=0, abs=1e-5 * np.abs(exact[0]))


@pytest.mark.parametrize(
    "items",
    ["residual[conv(4, k=1) norm act(gelu)]", "residual(shortcut=none)[attention(heads=2, head_dim=2)]",
     "sum[conv(4, k=1) (norm act(gelu))]", "concat[conv(2, k=1) (norm act(gelu) conv(2, k=1))]"],
)  # fmt: skip
def test_every_structure(items: str) -> None:
    torch.manual_seed(0)
    text = f"input 1x4x4 classes 3 stem conv(4) stage(4)[{items}] head norm(kind=ln) gap linear"
    exact, double, _ = compared(archdsl.compile(text).double())
    assert double == pytest.approx(exact, rel=1e-5)
