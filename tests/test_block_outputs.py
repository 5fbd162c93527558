"""How outputs of blocks are read as maps: every layout that there is, and none where it is not sure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from small_networks import one_thread  # noqa: F401
from torch import nn

from archdsl.analyses import fourier
from archdsl.analyses.subjects.block_outputs import PROBES, Layout, NoMapError, layout_of
from archdsl.analyses.subjects.modules import NoBlocksError, find_units
from archdsl.base.errors import UsageError
from archdsl.data.dataset import Dataset, Split


def images(*shape: int) -> Dataset:
    split = Split(torch.zeros(4, *shape, dtype=torch.uint8), torch.arange(4))
    return Dataset("nothing", 4, split, split, split, (0.5,) * shape[0], (0.3,) * shape[0], True, "0" * 64)


class Model(nn.Module):
    """What a model says of itself."""

    def __init__(self, **said: Any) -> None:
        super().__init__()
        for name, value in said.items():
            setattr(self, name, value)


CONV, OTHER = nn.Conv2d(3, 8, 3), nn.Linear(3, 8)


@pytest.mark.parametrize(
    ("said", "block", "shape", "image", "expected"),
    [
        ({}, CONV, (8, 7, 7), (28, 28), Layout((7, 7))),
        ({}, OTHER, (7, 7, 8), (28, 28), Layout((7, 7), channels_last=True)),
        ({}, CONV, (8, 8, 8), (32, 32), Layout((8, 8))),
        ({}, OTHER, (8, 8, 8), (32, 32), Layout((8, 8), channels_last=True)),
        ({"output_fmt": "NHWC"}, CONV, (8, 8, 8), (32, 32), Layout((8, 8), channels_last=True)),
        ({"output_fmt": "NHWC"}, OTHER, (96, 8, 8), (32, 32), Layout((8, 8))),  # it fits but one way
        ({}, CONV, (8, 1, 1), (28, 28), Layout((1, 1))),
        ({"stem": nn.Conv2d(1, 8, 4, stride=(2, 4))}, CONV, (8, 14, 7), (28, 28), Layout((14, 7))),
        ({}, CONV, (8, 21, 71), (25, 75), Layout((21, 71))),  # two convolutions without padding
        ({}, CONV, (8, 7, 13), (50, 100), Layout((7, 13))),  # halved three times, rounded up
        ({}, OTHER, (6, 12, 8), (50, 100), Layout((6, 12), channels_last=True)),
        ({}, OTHER, (49, 8), (28, 28), Layout((7, 7))),
        ({}, OTHER, (50, 8), (28, 28), Layout((7, 7), 1)),
        ({"num_prefix_tokens": 1}, OTHER, (50, 8), (28, 28), Layout((7, 7), 1)),
        ({"num_prefix_tokens": 5}, OTHER, (54, 8), (28, 28), Layout((7, 7), 5)),
        ({"num_prefix_tokens": 1}, OTHER, (49, 8), (28, 28), Layout((7, 7))),  # CaiT: the class token comes later
        ({}, OTHER, (256, 8), (32, 128), Layout((8, 32))),  # no square, though 256 is one
        (
            {"patch_embed": SimpleNamespace(dynamic_feat_size=lambda size: (size[0] // 4, size[1] // 8))},
            *(OTHER, (32, 8), (32, 32), Layout((8, 4))),
        ),
    ],
)
def test_layouts(said: Any, block: nn.Module, shape: Any, image: Any, expected: Layout) -> None:
    assert layout_of(Model(**said), block, torch.zeros(PROBES, *shape), image) == expected


@pytest.mark.parametrize(
    ("said", "shape", "text"),
    [
        ({}, (PROBES, 8, 4, 256), "neither channels first nor channels last"),  # MobileViT v2: pixels x patches
        ({}, (PROBES, 16, 196, 96), "neither channels first nor channels last"),  # NesT: a grid of squares of tokens
        ({}, (49, PROBES, 8), "does not count the images"),
        ({}, (4 * PROBES, 16, 8), "does not count the images"),  # patches folded into the batch
        ({}, (PROBES, 48, 8), "neither with class tokens nor without"),
        ({"num_prefix_tokens": 1}, (PROBES, 1, 8), "neither with class tokens nor without"),
        ({}, (PROBES, 8), "neither a feature map nor tokens"),
        ({}, None, "gives a list"),
    ],
)
def test_what_is_no_map(said: Any, shape: Any, text: str) -> None:
    with pytest.raises(NoMapError, match=text):
        layout_of(Model(**said), nn.Sequential(CONV, OTHER), [] if shape is None else torch.zeros(shape), (224, 224))


def _made(name: str, **options: Any) -> nn.Module:
    if name not in timm.list_models():
        pytest.skip(f"this timm has no {name}")
    return timm.create_model(name, num_classes=10, **options)


def test_blocks_of_nest_are_its_levels() -> None:
    model = timm.models.Nest(img_size=64, embed_dims=(24, 48, 96), num_heads=(1, 2, 4), depths=(1, 1, 2), num_classes=9)
    data = images(3, 64, 64)
    said: list[str] = []
    units = find_units(model, data, None, said.append)
    assert [(unit.path, unit.grid, unit.channels_last) for unit in units] == [
        ("levels.0", (16, 16), False), ("levels.1", (8, 8), False), ("levels.2", (4, 4), False)
    ]  # fmt: skip
    left_out, guessed = said
    assert "left out" in left_out
    assert guessed.startswith("kinds of blocks are guessed (3 msa)")
    for level, text in ((0, "not that of the image"), (1, "neither channels first nor channels last")):
        with pytest.raises(UsageError, match=text):  # 16 squares of 16 tokens, then 4
            find_units(model, data, [f"levels.{level}.transformer_encoder.0"], print)


@pytest.mark.parametrize("name", ["mobilevit_xxs", "mobilevitv2_050"])
def test_blocks_of_mobilevit_are_around_its_transformers(name: str) -> None:
    units = find_units(_made(name), images(3, 64, 64), None, lambda text: None)
    kinds = {unit.path: unit.kind for unit in units}
    assert [path for path, kind in kinds.items() if kind == "msa"] == ["stages.2.1", "stages.3.1", "stages.4.1"]
    assert not any("transformer" in path for path in kinds)
    assert len({unit.grid for unit in units}) == 5
    assert units[-1].grid == (2, 2)


def test_tokens_of_hiera_are_refused() -> None:
    model, data = _made("hiera_tiny_224", img_size=64), images(3, 64, 64)
    with pytest.raises(NoBlocksError, match="not that of the image"):
        find_units(model, data, None, print)
    with pytest.raises(UsageError, match="not that of the image"):
        find_units(model, data, ["blocks.0"], print)


def test_tokens_of_cait_have_no_class_token() -> None:
    model = _made("cait_xxs24_224", img_size=32, depth=2, depth_token_only=1)
    units = find_units(model, images(3, 32, 32), ["blocks.0"], print)
    assert [(unit.grid, unit.prefix) for unit in units] == [((2, 2), 0)]
    found = find_units(model, images(3, 32, 32), None, lambda text: None)
    assert [unit.path for unit in found] == ["blocks.0", "blocks.1"]


@pytest.mark.parametrize("first", [True, False])
def test_pytorchs_transformer(first: bool) -> None:
    """With the batch first; with the sequence first, its tokens are not taken for images."""

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(1, 8, 4, 4)
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=first)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(8, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.patches(x).flatten(2)  # (B, C, N)
            x = self.encoder(x.mT if first else x.permute(2, 0, 1))
            return self.head(x.mean(1 if first else 0))

    model, data = Whole(), images(1, 28, 28)
    if not first:
        with pytest.raises(NoBlocksError, match=r"\(49, 5, 8\) for 5 images.*does not count the images"):
            find_units(model, data, None, print)
        return
    units = find_units(model, data, None, print)
    assert [unit.grid for unit in units] == [(7, 7), (7, 7)]
    seen: list[torch.Tensor] = []
    model.encoder.layers[1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    found = fourier.measure(model, [(torch.rand(3, 1, 28, 28), torch.zeros(3))], units)
    maps = seen[0].mT.reshape(3, 8, 7, 7)  # row by row
    spectrum = torch.fft.fft2(maps).abs().diagonal(dim1=2, dim2=3)[..., :4].clamp_min(1e-30).log()
    assert np.allclose(found.units[1].after, spectrum.mean((0, 1)).numpy(), atol=1e-3)
