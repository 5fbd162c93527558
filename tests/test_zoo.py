"""The shipped specs: sizes of the published networks to the unit, one screen of text each, and every one of them learns."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archdsl import space
from archdsl.base import resources
from archdsl.interchange.pretrained.carry import carry
from archdsl.language.sources import read_spec
from archdsl.network import Architecture
from archdsl.network.model import build

SPECS = resources.shipped_specs()
PAGE = Path(__file__).parent.parent / "docs/zoo.md"
SPACES = [name for name, path in SPECS.items() if read_spec(path).spec().has_holes()]
MODELS = [name for name in SPECS if name not in SPACES]

# The same network in timm; with options, what differs from the model of that name. `cifar`: with a stem for small images.
SMALL = {"img_size": 32, "patch_size": 2, "qkv_bias": False, "num_classes": 100}
TWINS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"resnet_{n}": (f"resnet{n}", {"cifar": True}) for n in (18, 34, 50, 101, 152)},
    **{f"resnet_{n}_224": (f"resnet{n}", {}) for n in (18, 34, 50, 101, 152)},
    "resnext_50_224": ("resnext50_32x4d", {}),
    "wide_resnet_50_2_224": ("wide_resnet50_2", {}),
    **{f"vit_{k}": (f"vit_{size}_patch16_224", SMALL) for k, size in (("ti", "tiny"), ("s", "small"), ("b", "base"))},
    **{f"vit_{k}_224": (f"vit_{size}_patch16_224", {}) for k, size in (("ti", "tiny"), ("s", "small"), ("b", "base"))},
    **{
        f"deit_{k}_224": (f"deit_{size}_patch16_224", {}) for k, size in (("ti", "tiny"), ("s", "small"), ("b", "base"))
    },
    "pit_ti_224": ("pit_ti_224", {}),
    "pit_s_224": ("pit_s_224", {}),
    "swin_t_224": ("swin_tiny_patch4_window7_224", {}),
    "swin_s_224": ("swin_small_patch4_window7_224", {}),
    "mixer_b16_224": ("mixer_b16_224", {}),
    "convnext_t_224": ("convnext_tiny", {}),
    "mobilenet_v2_224": ("mobilenetv2_100", {}),
    "efficientnet_b0_224": ("efficientnet_b0", {}),
    "poolformer_s12_224": ("poolformer_s12", {}),
    "coatnet_0_224": ("coatnet_0_rw_224", {}),
    "maxvit_pico_256": ("maxvit_pico_rw_256", {}),
}
# Counted in the public code of arXiv 2202.06709, the last one published with that of arXiv 1605.07146.
COUNTED = {
    "preresnet_18": 11_218_340,
    "preresnet_34": 21_326_500,
    "preresnet_50": 23_697_572,
    "preresnet_101": 42_689_700,
    "preresnet_152": 58_333_348,
    "alternet_18": 9_499_063,
    "alternet_34": 22_362_954,
    "alternet_50": 34_062_538,
    "alternet_50_figure": 33_012_840,
    "alternet_50_224": 35_915_038,
    "alternet_101": 53_054_666,
    "alternet_152": 68_698_314,
    "local_vit_ti": 5_402_788,
    "local_vit_ti_k5": 5_402_788,
    "wrn_28_10": 36_479_194 + 90 * 641,  # published for 10 classes
}


@functools.cache
def architecture(name: str) -> Architecture:
    """A model, or the first feasible member of a space."""
    source = read_spec(name)
    return space.check(source.spec(), source.text, source.path)


@functools.cache
def twin(name: str) -> nn.Module:
    """timm's network on the meta device."""
    model, options = TWINS[name]
    cifar = options.get("cifar")
    with torch.device("meta"):
        theirs: nn.Module = timm.create_model(model, **({"num_classes": 100} if cifar else options))
        if cifar:
            theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return theirs.eval().requires_grad_(False)


def test_every_model_has_a_reference() -> None:
    assert sorted(TWINS.keys() | COUNTED.keys()) == sorted(MODELS)
    assert SPACES == ["placement"]


@pytest.mark.parametrize("name", SPECS)
def test_one_screen_of_text(name: str) -> None:
    lines = SPECS[name].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 32
    assert max(map(len, lines)) <= 120
    assert f"model {name}" in lines
    comment = " ".join(line for line in lines if line.startswith("#"))
    assert name in SPACES or re.search(r"arXiv \d{4}\.\d{5}\b", comment)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_to_the_unit(name: str) -> None:
    built = architecture(name)
    reference = COUNTED[name] if name in COUNTED else sum(p.numel() for p in twin(name).parameters())
    assert built.params == reference


@pytest.mark.parametrize("name", TWINS)
def test_macs_of_the_reference(name: str) -> None:
    """Within 1% of what PyTorch counts in timm's network, the products of attention included."""
    built = architecture(name)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        twin(name)(torch.zeros(1, *built.input, device="meta"))
    assert counter.get_total_flops() / 2 == pytest.approx(built.macs, rel=0.01)


@pytest.mark.parametrize("name", TWINS)
def test_weights_fit(name: str) -> None:
    """All names and shapes; what comes out is compared in `test_load_timm.py`."""
    with torch.device("meta"):
        network = build(architecture(name))
    assert carry(network, twin(name).state_dict()).keys() == network.state_dict().keys()


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if architecture(n).input[1] > 32 else ()) for n in SPECS]
)
def test_every_spec_learns(name: str) -> None:
    """One step forward and backward: every parameter gets a finite gradient."""
    torch.manual_seed(0)
    network = build(architecture(name)).train()
    count = 2 if network.architecture.input[1] == 32 else 1
    out = network(torch.randn(count, *network.architecture.input))
    assert list(out.shape) == [count, network.architecture.classes]
    nn.functional.cross_entropy(out, torch.arange(count)).backward()
    for path, parameter in network.named_parameters():
        assert parameter.grad is not None, path
        assert torch.isfinite(parameter.grad).all(), path


def test_the_table_of_the_page() -> None:
    """Its models are the shipped ones; their parameters, MACs and lines are as it says."""
    rows = re.findall(r"^\| \[`(\w+)`\].*$", PAGE.read_text(encoding="utf-8"), re.M)
    assert rows == MODELS
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| [`"):
            name, lines, params, _, reference, macs, _ = (cell.strip() for cell in line.strip("|").split("|"))
            built = architecture(name.split("`")[1])
            assert int(lines) == len(SPECS[built.name].read_text(encoding="utf-8").splitlines()), name
            assert params == reference == f"{built.params:,}", name
            assert macs == f"{built.macs / 1e9:.2f} G", name
