"""Published models: parameters to the unit, and what a compiled network is like; see `test_zoo.py` for what ships."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl import space
from archdsl.base import resources
from archdsl.base.errors import RunError, SpecError
from archdsl.blocks.layers.residual import Residual
from archdsl.language.sources import read_spec
from archdsl.network import Architecture
from archdsl.network.model import Network, build, units

ALTERNET = """
stage({0}) [C C C]
stage({1}, heads=6) [C C C M]
stage({2}, heads=12) [{3}]
stage({4}, heads=24) [(C M)*2]
head norm act gap linear
"""
IMAGENET = "input 3x224x224 classes 1000\n"
PRE_STEM = "stem conv(64, k=7, stride=2) maxpool\n"
POST_STEM = "stem conv(64, k=7, stride=2) norm act maxpool\n"
BASIC = "classes 100 let M = msa(window=4)\n"
BOTTLENECK = "let C = bottleneck(order=pre) let M = msa(window={0}, expansion=4)\n"
WIDE = (256, 512, 1024, "(C M)*3", 2048)
VIT = "stage(192, heads=3, qkv_bias=false) [T*12] head norm(ln) cls linear"
RESNET_18 = f"{IMAGENET}{POST_STEM}stage(64)[basic*2] stage(128)[basic*2] stage(256)[basic*2] stage(512)[basic*2] head gap linear"

# From the papers' public code and timm, measured there.
PARAMETERS = {
    "resnet_18": 11_220_132,
    "resnet_50": 23_705_252,
    "preresnet_18": 11_218_340,
    "alternet_18": 9_499_063,
    "alternet_50": 34_062_538,
    "vit_ti": 5_403_172,
    f"{RESNET_18} # resnet_18, ImageNet": 11_689_512,
    f"{IMAGENET}{POST_STEM}stage(256)[bottleneck*3] stage[bottleneck*4] stage[bottleneck*6] stage[bottleneck*3] head gap linear"
    "# resnet_50, ImageNet": 25_557_032,
    f"{BASIC}{ALTERNET.format(64, 128, 256, '(C M)*3', 512)}# alternet_34": 22_362_954,
    f"{IMAGENET}{BOTTLENECK.format(7)}{PRE_STEM}{ALTERNET.format(*WIDE)}# alternet_50, ImageNet": 35_915_038,
    f"classes 100 {BOTTLENECK.format(4)}{ALTERNET.format(*WIDE).replace('(C M)*3', 'C*4 C M')}# of the CIFAR figure": 33_012_840,
    f"{IMAGENET}stem patch(192) cls pos {VIT} # vit_ti, patch 16": 5_710_504,
}
LARGE = [text for text in PARAMETERS if "[" in text]


def architecture(text_or_name: str) -> Architecture:
    """A model, or the first feasible member of a space."""
    source = read_spec(text_or_name)
    return space.check(source.spec(), source.text, source.path)


def on_meta(built: Architecture) -> Network:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return build(built)


@pytest.mark.parametrize("name", PARAMETERS, ids=lambda text: text.partition("# ")[2] or text)
def test_parameter_counts_of_published_models(name: str) -> None:
    built = architecture(name)
    assert built.params == PARAMETERS[name]
    assert sum(p.numel() for p in on_meta(built).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", [*resources.shipped_specs(), *LARGE], ids=lambda text: text.partition("# ")[2] or text)
def test_numbers_before_torch_are_those_of_the_module(name: str) -> None:
    """Shapes exactly, parameters to the unit, MACs within 1% of PyTorch's counter."""
    built = architecture(name)
    network = on_meta(built)
    said = {block.path: (block.cost.out.dims, block.cost.params) for block in built.blocks()}
    found: dict[str, tuple[list[int], int]] = {}

    def note(path: str) -> Any:
        def hook(module: nn.Module, args: Any, out: Tensor) -> None:
            found[path] = (list(out.shape[1:]), sum(p.numel() for p in module.parameters()))

        return hook

    for path, module in network.named_modules():
        if path.count(".") == 1:
            module.register_forward_hook(note(path))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        out = network.eval()(torch.zeros(1, *built.input, device="meta"))
    assert list(out.shape) == [1, built.classes]
    assert found == said
    assert counter.get_total_flops() / 2 == pytest.approx(built.macs, rel=0.01)


# ---- a compiled network -----------------------------------------------------------------------------------------

SMALL = """
input 3x16x16
stem conv(8) norm act
stage(8, heads=2, head_dim=4) [C M C]
stage(16, heads=2, window=4) [T M(head_dim=4)]
"""


def test_modules_are_named_after_the_spec() -> None:
    network = archdsl.compile(SMALL)
    names = {name for name, _ in network.named_modules()}
    assert {"stem.conv", "stem.norm", "stem.act", "stage1.block1.conv", "stage1.block2.attn", "stage1.block3"} <= names
    assert {
        "stage2.down",
        "stage2.block1.attn",
        "stage2.block1.mlp.linear",
        "stage2.block2.attn",
        "head.linear",
    } <= names
    assert [name for name, _ in network.named_children()] == ["stem", "stage1", "stage2", "head"]
    again = archdsl.compile("stem conv(8) norm conv(8) norm act stage(8)[C]")
    assert [name for name, _ in again.stem.named_children()] == ["conv", "norm", "conv2", "norm2", "act"]


def test_units_are_modules_of_the_network() -> None:
    network = archdsl.compile(SMALL)
    found = units(network)
    assert [(u.path, u.label, u.kind, u.stage, u.grid) for u in found] == [
        ("stage1.block1", "C", "conv", 1, (16, 16)),
        ("stage1.block2", "M", "msa", 1, (16, 16)),
        ("stage1.block3", "C", "conv", 1, (16, 16)),
        ("stage2.block1.attn", "T", "msa", 2, (8, 8)),
        ("stage2.block1.mlp", "T", "mlp", 2, (8, 8)),
        ("stage2.block2", "M", "msa", 2, (8, 8)),
    ]
    assert all(isinstance(network.get_submodule(unit.path), Residual) for unit in found)
    assert units(nn.Linear(2, 2)) == ()


def test_features_and_head_make_the_forward_pass() -> None:
    network = archdsl.compile(SMALL).eval()
    images = torch.randn(2, 3, 16, 16)
    features = network.forward_features(images)
    assert features.shape == (2, 16, 8, 8)
    assert torch.equal(network.forward_head(features), network(images))


def test_state_dict_loads_strictly_into_another_network_of_the_spec() -> None:
    one, other = archdsl.compile(SMALL).eval(), archdsl.compile(SMALL).eval()
    images = torch.randn(2, 3, 16, 16)
    assert not torch.equal(one(images), other(images))
    other.load_state_dict(one.state_dict(), strict=True)
    assert torch.equal(one(images), other(images))
    assert "mask" not in " ".join(one.state_dict())  # what follows from the shape is not state


def test_weights_are_drawn_from_torchs_generator() -> None:
    networks = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        networks.append(archdsl.compile(SMALL).state_dict())
    same, other = (all(torch.equal(v, n[k]) for k, v in networks[0].items()) for n in networks[1:])
    assert same
    assert not other


def test_compile_takes_text_path_and_name(tmp_path: Any) -> None:
    path = tmp_path / "odd [name] {1}.arch"
    path.write_text(SMALL)
    params = archdsl.compile(SMALL).architecture.params
    assert archdsl.compile(path).architecture.params == params
    assert archdsl.compile(str(path)).architecture.params == params
    assert archdsl.compile("alternet_18").architecture.name == "alternet_18"


def test_a_space_does_not_compile() -> None:
    with pytest.raises(SpecError, match=r"this file is a space: 'stage1.block1' is still to be decided"):
        archdsl.compile("stage[{C|M}]")


def test_requirements_are_checked_before_anything_is_built() -> None:
    with pytest.raises(SpecError, match="this requirement is not met: params is"):
        archdsl.compile("stage(512)[C*4] require params <= 1K")


@pytest.mark.parametrize(
    "text",
    [
        "stage(1000000)[C*100]",
        "stage(64)[M(heads=100000000000000000)]",
        "stage(64)[T(mlp_ratio=1e15)]",
        "input 3x30000x30000 stage(8)[T(local=3)]",
        "input 3x30000x30000 stage(8)[M]",
    ],
)
def test_a_network_too_large_for_any_memory_is_a_message(text: str) -> None:
    with pytest.raises(RunError, match="not enough memory"):
        archdsl.compile(text)
