"""`load_timm`: the weights of published models give compiled specs their outputs and gradients, and nothing else fits."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

import archdsl
from archdsl.base import resources
from archdsl.base.errors import RunError, UsageError, WeightsError
from archdsl.interchange.pretrained.carry import carry, recognise
from archdsl.interchange.pretrained.families import FAMILIES
from archdsl.interchange.pretrained.rules import LAYOUTS, by_head, family, merged, table
from archdsl.network.model import Network

# Smaller models stand for larger ones of the same blocks.
SAME = {
    "resnet18": "resnet_18_224",
    "resnet50": "resnet_50_224",
    "resnext50_32x4d": "resnext_50_224",
    "wide_resnet50_2": "wide_resnet_50_2_224",
    "vit_tiny_patch16_224": "vit_ti_224",
    "deit_tiny_patch16_224": "deit_ti_224",
    "pit_ti_224": "pit_ti_224",
    "swin_tiny_patch4_window7_224": "swin_t_224",
    "mixer_b16_224": "mixer_b16_224",
    "convnext_tiny": "convnext_t_224",
    "mobilenetv2_100": "mobilenet_v2_224",
    "efficientnet_b0": "efficientnet_b0_224",
    "poolformer_s12": "poolformer_s12_224",
    "coatnet_0_rw_224": "coatnet_0_224",
    "maxvit_pico_rw_256": "maxvit_pico_256",
}


def shaken(name: str, **options: Any) -> nn.Module:
    """A model of timm's in which nothing is a one or a zero: a map that mixes up two of its tensors shows."""
    torch.manual_seed(0)
    model: nn.Module = timm.create_model(name, **options)
    shake(model, pictures(*model.default_cfg["input_size"]))  # type: ignore[index, misc]
    return model.eval()


def shake(model: nn.Module, x: Tensor) -> None:
    """Norms, biases, layer scales and tables at random; batch norms with the statistics of `x`, as after training."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and "running" not in name:
            if name.endswith(("gamma", ".scale")) or (tensor.dim() == 1 and "weight" in name):
                tensor.copy_(torch.rand_like(tensor) / 2 + 0.75)
            elif tensor.dim() == 1 or "bias_table" in name:
                tensor.copy_(torch.randn_like(tensor) / 10)
            elif not tensor.any():  # the classifier of mixers
                tensor.copy_(torch.randn_like(tensor) / 50)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in norms:
        module.momentum = None  # a plain mean
    if norms:
        with torch.no_grad():
            model.train()(x)


def pictures(channels: int, height: int, width: int, count: int = 2) -> Tensor:
    """Clouds, rather than noise, of which deep networks see nothing: it averages out."""
    generator = torch.Generator().manual_seed(1)
    clouds = torch.randn(count, channels, height // 32, width // 32, generator=generator)
    return nn.functional.interpolate(clouds, (height, width), mode="bicubic") + torch.randn(
        count, channels, height, width, generator=generator
    )


@functools.cache
def blank(spec: str) -> Network:
    """A network to look at, without numbers."""
    with torch.device("meta"):
        return archdsl.compile(spec)


def images(network: Network, count: int = 1) -> Tensor:
    return pictures(*network.architecture.input)[:count]


def difference(one: nn.Module, other: nn.Module, x: Tensor) -> float:
    with torch.no_grad():
        return float((one(x) - other(x)).abs().max())


@pytest.mark.parametrize("name", SAME)
def test_the_same_outputs(name: str) -> None:
    theirs, ours = shaken(name), archdsl.compile(SAME[name]).eval()
    x = images(ours, 2)
    with torch.no_grad():
        expected = theirs(x)
    assert (expected[0] - expected[1]).std() > 0.03  # it does not only say its biases
    assert archdsl.load_timm(ours, theirs.state_dict()) is ours
    assert difference(theirs, ours, x) <= 1e-4


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "efficientnet_b0", "coatnet_0_rw_224"])
def test_the_same_gradients(name: str) -> None:
    """Of a sum of the logits, weighted at random, by the image and by every parameter; in float64."""
    theirs, ours = shaken(name).double(), archdsl.compile(SAME[name]).eval().double()
    archdsl.load_timm(ours, theirs.state_dict())
    found = []
    for model in (theirs, ours):
        x = images(ours).double().requires_grad_()
        (model(x) * torch.randn(1000, generator=torch.Generator().manual_seed(2))).sum().backward()
        found.append(x.grad)
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].abs().max() > 1e-6
    torch.testing.assert_close(found[1], found[0], rtol=1e-8, atol=1e-9)
    gradients = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    buffers = dict(theirs.named_buffers(remove_duplicate=False))
    state = {n: gradients[n] if n in gradients else buffers[n] for n in theirs.state_dict()}
    expected = carry(ours, state)  # a gradient goes the way of its parameter
    for path, parameter in ours.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().max() > 0, path
        torch.testing.assert_close(parameter.grad, expected[path], rtol=1e-8, atol=1e-9, msg=path)


@pytest.mark.parametrize("name", ["resnet18", "pit_ti_224", "maxvit_pico_rw_256"])
def test_two_tensors_of_one_shape_cannot_be_confused(name: str) -> None:
    """The comparison of outputs sees a swapped pair, wherever it is: no check above is blind to it."""
    theirs, ours = shaken(name), archdsl.compile(SAME[name]).eval()
    x, state = images(ours), theirs.state_dict()
    names = [n for n, tensor in state.items() if tensor.dim() > 0]
    generator = torch.Generator().manual_seed(3)
    for _ in range(5):
        one = names[int(torch.randint(len(names), (), generator=generator))]
        leaf = one.rpartition(".")[2]
        twins = [n for n in names if n != one and n.endswith(leaf) and state[n].shape == state[one].shape]
        if twins:
            other = twins[int(torch.randint(len(twins), (), generator=generator))]
            archdsl.load_timm(ours, {**state, one: state[other], other: state[one]})
            assert difference(theirs, ours, x) > 1e-3, (one, other)


@pytest.mark.parametrize(("layout", "name"), [("table", "swin_tiny_patch4_window7_224"), ("merged", "swin_tiny_patch4_window7_224"), ("by_head", "coatnet_0_rw_224")])  # fmt: skip
def test_every_layout_is_needed(layout: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers in timm's own order give other outputs, or do not fit."""
    theirs, ours = shaken(name), archdsl.compile(SAME[name]).eval()
    found = recognise(theirs.state_dict())
    plain = tuple(
        type(rule)(rule.theirs, rule.ours, (lambda t, heads: t) if rule.layout is LAYOUTS[layout] else rule.layout)
        for rule in found.rules
    )
    assert plain != found.rules
    monkeypatch.setattr("archdsl.interchange.pretrained.carry.FAMILIES", (type(found)(found.name, plain),))
    try:
        archdsl.load_timm(ours, theirs.state_dict())
    except WeightsError:
        return
    assert difference(theirs, ours, images(ours)) > 1e-3


def test_layouts() -> None:
    torch.testing.assert_close(by_head(torch.arange(12), 2), torch.tensor([0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]))
    assert table(torch.zeros(9, 2), 2).shape == (2, 9)
    pixels = torch.randn(1, 4, 4, 3)  # (B, H, W, C)
    top_left, bottom_left, top_right, bottom_right = (
        pixels[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))
    )  # the order of arXiv 2103.14030
    theirs = torch.cat([top_left, bottom_left, top_right, bottom_right], dim=-1)
    ours = torch.pixel_unshuffle(pixels.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    assert torch.equal(merged(theirs, 1), ours)


def test_rules() -> None:
    rules = family("example", "a.{s}.b{b} -> x{b+1}.y{s} | x{b}.z{s}", "c -> d : by_head")
    assert rules.find("a.3.b10.weight", ()) == ("x11.y3.weight", None)
    assert rules.find("a.3.b10.weight", {"x10.z3.weight"}) == ("x10.z3.weight", None)
    assert rules.find("a.3.b10", ()) == ("x11.y3", None)
    assert rules.find("c.bias", ()) == ("d.bias", by_head)
    assert rules.find("c.more.bias", ()) is None
    assert rules.find("ac.bias", ()) is None


# ---- other sources -------------------------------------------------------------------------------------------


def test_a_torchvision_resnet() -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18()
    shake(theirs, pictures(3, 224, 224))
    theirs.train()
    ours = archdsl.load_timm(archdsl.compile("resnet_18_224"), theirs)
    assert theirs.training
    assert theirs.bn1.training
    assert ours.training
    assert difference(theirs.eval(), ours.eval(), images(ours)) <= 1e-4


def test_a_name_of_saved_weights(tmp_path: Path) -> None:
    """As timm fetches them from the hub, but from a folder."""
    theirs, ours = shaken("resnet18"), archdsl.compile("resnet_18_224").eval()
    timm.models.save_for_hf(theirs, tmp_path)
    archdsl.load_timm(ours, f"local-dir:{tmp_path}")
    assert difference(theirs, ours, images(ours)) <= 1e-4


def test_without_the_classifier() -> None:
    text = resources.shipped_specs()["resnet_18_224"].read_text().replace("classes 1000", "classes 7")
    theirs, ours = shaken("resnet18"), archdsl.compile(text).eval()
    before = {n: t.clone() for n, t in ours.head.state_dict().items()}
    with pytest.raises(WeightsError, match=r"the weights are for 1,000 classes, 'resnet_18_224' has 7") as caught:
        archdsl.load_timm(ours, theirs)
    assert "classifier=False" in str(caught.value)
    archdsl.load_timm(ours, theirs, classifier=False)
    assert all(torch.equal(tensor, before[n]) for n, tensor in ours.head.state_dict().items())
    x = images(ours)
    with torch.no_grad():
        expected = theirs.forward_head(theirs.forward_features(x), pre_logits=True)  # type: ignore[operator]
        found = ours.head.gap(ours.forward_features(x))
    assert float((expected - found).abs().max()) <= 1e-4
    bare = shaken("resnet18", num_classes=0)
    with pytest.raises(WeightsError, match="the weights have no classifier"):
        archdsl.load_timm(ours, bare.state_dict())
    archdsl.load_timm(ours, bare.state_dict(), classifier=False)


def test_counters_of_batches_may_be_absent() -> None:
    theirs, ours = shaken("resnet18"), archdsl.compile("resnet_18_224").eval()
    state = {n: t for n, t in theirs.state_dict().items() if not n.endswith("num_batches_tracked")}
    archdsl.load_timm(ours, state)
    assert difference(theirs, ours, images(ours)) <= 1e-4


def test_half_precision_weights_are_taken() -> None:
    theirs, ours = shaken("resnet18").bfloat16(), archdsl.compile("resnet_18_224").eval()
    archdsl.load_timm(ours, theirs)
    assert torch.equal(ours.stem.conv.weight, theirs.conv1.weight.float())  # type: ignore[union-attr, operator]
    assert ours.stem.conv.weight.dtype == torch.float32


# ---- what does not fit ----------------------------------------------------------------------------------------


def refused(spec: str, state: Any) -> str:
    """The message; the network is as it was."""
    network = archdsl.compile(spec)
    before = {n: t.clone() for n, t in network.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        archdsl.load_timm(network, state)
    assert all(torch.equal(tensor, before[n]) for n, tensor in network.state_dict().items())
    return str(caught.value)


def test_the_first_that_do_not_fit_are_named() -> None:
    message = refused("resnet_18_224", timm.create_model("resnet34").state_dict())
    assert message.splitlines() == [
        "these weights, of the family 'resnet', do not fit 'resnet_18_224':",
        "  'layer1.2.conv1.weight' (64x64x3x3): the network has no 'stage1.block3.conv.weight'",
        "  'layer1.2.bn1.weight' (64): the network has no 'stage1.block3.norm.weight'",
        "  'layer1.2.bn1.bias' (64): the network has no 'stage1.block3.norm.bias'",
        "  'layer1.2.bn1.running_mean' (64): the network has no 'stage1.block3.norm.running_mean'",
        "  'layer1.2.bn1.running_var' (64): the network has no 'stage1.block3.norm.running_var'",
        "  and 91 more",
        "  = help: they have 21,797,672 parameters, as the shipped spec 'resnet_34_224' has",
    ]


def test_a_single_misfit_of_each_kind() -> None:
    state = timm.create_model("resnet18").state_dict()
    cut = {n: t for n, t in state.items() if n != "layer2.0.conv1.weight"}
    assert "'stage2.block1.conv.weight' (128x64x3x3): there is nothing for it" in refused("resnet_18_224", cut)
    larger = {**state, "conv1.weight": torch.zeros(64, 3, 3, 3)}
    assert "'conv1.weight' is 64x3x3x3, 'stem.conv.weight' is 64x3x7x7" in refused("resnet_18_224", larger)
    more = {**state, "layer1.0.se.fc1.weight": torch.zeros(4, 64, 1, 1)}
    assert "'layer1.0.se.fc1.weight' (4x64x1x1): the network has nothing for it" in refused("resnet_18_224", more)
    twice = {**state, "layer01.0.conv1.weight": state["layer1.0.conv1.weight"]}
    assert "'stage1.block1.conv.weight' is 'layer1.0.conv1.weight' already" in refused("resnet_18_224", twice)
    biasless = {n: t for n, t in state.items() if n != "fc.bias"}
    assert "do not fit 'resnet_18_224':\n  'head.linear.bias' (1000): there is nothing for it" in refused(
        "resnet_18_224", biasless
    )
    flat = {**state, "conv1.weight": state["conv1.weight"].flatten()}
    assert "'conv1.weight' is 9408, 'stem.conv.weight' is 64x3x7x7" in refused("resnet_18_224", flat)


def test_a_table_or_qkv_of_other_heads() -> None:
    state = timm.create_model("swin_tiny_patch4_window7_224", window_size=4, img_size=128).state_dict()
    assert "relative_position_bias_table' is 49x3, 'stage1.block1.attn.attn.table' is 3x13x13" in refused(
        "swin_t_224", state
    )


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "there are no weights"),
        ({"state_dict": {"a": torch.zeros(1)}}, "hand in what is under 'state_dict'"),
        ({0: torch.zeros(1)}, "this is no state dict: 0 is no name"),
        ({"epoch": 3, "state_dict": {"a": torch.zeros(1)}}, "hand in what is under 'state_dict'"),
        ({"epoch": 3}, "this is no state dict: 'epoch' is no tensor but of type int"),
        ({"encoder.weight": torch.zeros(3)}, "of no family that load_timm knows: they begin with 'encoder.weight'"),
    ],
)
def test_what_is_no_state_dict_of_timms(state: Any, message: str) -> None:
    assert message in refused("resnet_18_224", state)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_names_of_wrapped_models(prefix: str) -> None:
    theirs = shaken("resnet18")
    state = {prefix + name: tensor for name, tensor in theirs.state_dict().items()}
    model = archdsl.load_timm(archdsl.compile("resnet_18_224"), state).eval()
    x = pictures(3, 224, 224)
    assert torch.equal(model(x), archdsl.load_timm(archdsl.compile("resnet_18_224"), nn.DataParallel(theirs)).eval()(x))
    assert float((model(x) - theirs(x)).detach().abs().max()) < 1e-4


@pytest.mark.parametrize(
    ("change", "kind"), [(lambda t: t.to(torch.int8), "int8"), (lambda t: t.to_sparse(), "sparse float32")]
)
def test_weights_of_another_kind(change: Any, kind: str) -> None:
    state = timm.create_model("resnet18").state_dict()
    state["conv1.weight"] = change(state["conv1.weight"])
    assert f"'conv1.weight' holds {kind}, 'stem.conv.weight' float32" in refused("resnet_18_224", state)


def test_a_path_is_no_name() -> None:
    assert "a file is read first" in refused("resnet_18_224", "weights.v2.pth")


def test_weights_without_numbers() -> None:
    with torch.device("meta"):
        state = timm.create_model("resnet18").state_dict()
    assert "on the meta device" in refused("resnet_18_224", state)


@pytest.mark.parametrize(
    ("name", "spec"), [("tf_efficientnet_b0", "efficientnet_b0_224"), ("resnetblur18", "resnet_18_224")]
)
def test_weights_that_fit_a_network_that_computes_something_else(name: str, spec: str) -> None:
    """Names and shapes are those of the spec, but padding and epsilon, or the kind of pooling, are not."""
    theirs = shaken(name)
    assert "but the two networks differ: by up to" in refused(spec, theirs)
    archdsl.load_timm(archdsl.compile(spec), theirs.state_dict())  # unseen, as documented


def test_a_model_that_takes_no_such_images() -> None:
    text = resources.shipped_specs()["resnet_18_224"].read_text()
    broken = shaken("resnet18")
    broken.register_forward_pre_hook(lambda module, args: (args[0][:, :2],))
    message = refused(text, broken)
    assert message.startswith("the model does not take the images of 'resnet_18_224':")


def test_a_name_that_is_none_of_timms() -> None:
    assert refused("resnet_18_224", "resnett18").splitlines() == [
        "timm has no model 'resnett18'",
        "  = help: did you mean 'resnet18'?",
    ]
    assert "timm has no weights 'nope' for 'resnet18'\n  = help: it has resnet18.a1_in1k" in refused(
        "resnet_18_224", "resnet18.nope"
    )
    assert "timm has no pretrained weights for 'maxvit_pico_rw_256'" in refused("maxvit_pico_256", "maxvit_pico_rw_256")


def test_a_name_that_does_not_fit_is_refused_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archdsl.interchange.pretrained.named.pretrained", lambda name: pytest.fail("it was fetched"))
    assert "as the shipped spec 'resnet_34_224' has" in refused("resnet_18_224", "resnet34")


def test_without_a_network_names_are_an_error_that_says_so(tmp_path: Path) -> None:
    program = "import archdsl; archdsl.load_timm(archdsl.compile('vit_ti_224'), 'vit_tiny_patch16_224')"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert re.search(r"RunError: the weights of timm's 'vit_tiny_patch16_224' could not be fetched: \S", done.stderr)
    assert "or hand in a state dict" in done.stderr
    assert RunError.exit_code == 3


def test_what_is_neither_a_network_nor_weights() -> None:
    with pytest.raises(UsageError, match="load_timm fills a compiled spec, not a Linear"):
        archdsl.load_timm(nn.Linear(2, 2), {})
    with pytest.raises(UsageError, match="a name, a state dict or a module, not a int"):
        archdsl.load_timm(blank("resnet_18_224"), 3)  # type: ignore[arg-type]


def test_families_are_told_apart() -> None:
    """Every reference is recognised as its own family, and every family has a reference."""
    found = {}
    for name in SAME:
        with torch.device("meta"):
            found[name] = recognise(timm.create_model(name).state_dict()).name
    assert set(found.values()) == {known.name for known in FAMILIES}
    assert all(name.startswith(kind[:3]) or kind in ("resnet", "vit", "efficientnet") for name, kind in found.items())
