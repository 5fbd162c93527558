"""Specs as timm models: their names, the same networks as compiled ones, features, heads."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import timm
import torch
from timm.data import resolve_data_config
from timm.models import _factory, safe_model_name
from timm_specs import images, register_small, register_tokens  # noqa: F401
from torch import Tensor, nn

import archdsl
import archdsl.timm_models
from archdsl import ir
from archdsl.base.errors import SpecError, UsageError
from archdsl.base.resources import shipped_specs
from archdsl.network.model import Network
from archdsl.timm_models import TimmNetwork, register

SPECS = ["resnet_18", "alternet_18", "vit_ti", "pit_ti_224"]


# ---- names ----


def test_every_shipped_model_is_listed_and_no_space_is():
    models = [
        n
        for n, path in shipped_specs().items()
        if ir.first_hole(archdsl.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert "alternet_50" in models
    assert "placement" not in models
    listed = set(timm.list_models("archdsl/*"))
    assert listed >= {f"archdsl/{name}" for name in models}
    assert not listed & {f"archdsl/{name}" for name in set(shipped_specs()) - set(models)}


def test_registering_parses_nothing():
    code = (
        "import archdsl, sys; assert not {'torch', 'timm'} & set(sys.modules);"
        "import timm, archdsl.network.model; from archdsl import language, network, timm_models;"
        "from archdsl.interchange.timm_models import entrypoints;"
        "called = set(); sys.setprofile(lambda frame, event, _: called.add(frame.f_code));"
        "entrypoints._SOURCES.clear(); entrypoints.enter_shipped(); sys.setprofile(None);"
        "assert entrypoints._enter.__code__ in called;"
        "assert not called & {language.parse.__code__, network.resolve_model.__code__};"
        "assert 'archdsl/vit_ti' in timm.list_models()"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("archdsl/alternet_5", "did you mean 'archdsl/alternet_50'?"),
        ("archdsl/alternet_18.arch", "did you mean 'archdsl/alternet_18'?"),
        ("archdsl/zzzzzz", "timm.list_models('archdsl/*') lists them"),
    ],
)
def test_unknown_names(name: str, help: str):
    with pytest.raises(RuntimeError) as caught:
        timm.create_model(name)
    assert str(caught.value) == f"unknown model '{name}'\n  = help: {help}"


def test_other_names_are_left_to_timm():
    original = _factory.parse_model_name.__wrapped__
    for name in ("resnet18", "resnet18.a1_in1k", "hf-hub:archdsl/alternet_18", "local-dir:archdsl/alternet_18"):
        assert _factory.parse_model_name(name) == original(name)
    assert _factory.parse_model_name("archdsl/vit_ti") == (None, "archdsl/vit_ti")
    assert safe_model_name("archdsl/vit_ti") == "archdsl_vit_ti"
    assert type(timm.create_model("resnet10t")).__name__ == "ResNet"


def test_own_files(tmp_path: Path):
    path = tmp_path / "results[1].arch"
    path.write_text("stage(8)[C]  head gap linear")
    assert register(path) == "archdsl/results_1_"
    assert register(path, "my.best") == "archdsl/my_best"
    assert register("model named  stage(8)[C]  head gap linear") == "archdsl/named"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register(path)  # the same again
    path.write_text("stage(24)[C]  head gap linear")
    assert timm.create_model("archdsl/results_1_").num_features == 8
    with pytest.warns(UserWarning, match="Overwriting"):
        register(path)
    model = timm.create_model("archdsl/results_1_", num_classes=3)
    assert (model.num_features, model.default_cfg["architecture"]) == (24, "archdsl/results_1_")
    with pytest.raises(SpecError, match="this file is a space"):
        register("stage(8)[{C|M}]")
    with pytest.raises(SpecError, match="unknown block 'MM'"):
        register("stage(8)[MM]")


# ---- the same networks ----


def test_networks_are_our_kind(small: str):
    model = timm.create_model(small)
    assert type(model) is TimmNetwork
    assert sum(p.numel() for p in model.parameters()) == model.architecture.params


@pytest.mark.parametrize("name", SPECS)
def test_same_names_same_weights_same_outputs(name: str):
    model, ours = timm.create_model(f"archdsl/{name}").eval(), archdsl.compile(name).eval()
    assert isinstance(model, Network)
    assert model.architecture == ours.architecture
    weights = ours.state_dict()
    assert list(model.state_dict()) == list(weights)
    model.load_state_dict(weights)
    x = images(model)
    maps: dict[str, Tensor] = {}
    for stage in ours.stages:
        getattr(ours, stage).register_forward_hook(lambda _, __, out, stage=stage: maps.update({stage: out}))
    with torch.no_grad():
        expected, found = ours(x), model(x)
        last, features = model.forward_intermediates(x)
    assert torch.equal(found, expected)
    assert torch.equal(last, maps[ours.stages[-1]])
    assert len(features) == len(maps) == len(model.feature_info)
    for feature, raw, info in zip(features, maps.values(), model.feature_info, strict=True):
        if raw.dim() == 3:  # tokens, the class token first
            raw = raw[:, 1:].mT.unflatten(2, feature.shape[2:])
        assert torch.equal(feature, raw)
        assert feature.shape[1] == info["num_chs"]
        assert abs(x.shape[2] / feature.shape[2] - info["reduction"]) < 0.5  # 224 over 27 is 8


@pytest.mark.parametrize("name", SPECS)
def test_configuration(name: str):
    model = timm.create_model(f"archdsl/{name}")
    cfg = model.pretrained_cfg
    assert model.default_cfg is cfg
    assert cfg["architecture"] == f"archdsl/{name}"
    assert cfg["input_size"] == model.architecture.input
    assert cfg["num_classes"] == model.num_classes == model.architecture.classes
    assert model.get_submodule(cfg["classifier"]) is model.get_classifier()
    assert isinstance(model.get_submodule(cfg["first_conv"]), nn.Conv2d)
    features = model.eval().forward_features(images(model, 1))
    assert model.num_features == features.shape[1 if features.dim() == 4 else 2]
    assert model.head_hidden_size == model.get_classifier().in_features
    assert resolve_data_config(model=model)["input_size"] == model.architecture.input


# ---- features ----


def test_features_only(small: str):
    model = timm.create_model(small, features_only=True)
    assert (model.feature_info.channels(), model.feature_info.reduction()) == ([8, 16], [1, 2])
    x = torch.randn(2, 3, 16, 16)
    assert [f.shape for f in model(x)] == [(2, 8, 16, 16), (2, 16, 8, 8)]
    first = timm.create_model(small, features_only=True, out_indices=(0,))
    assert not any(name.startswith(("model.stage2", "model.head")) for name, _ in first.named_parameters())
    assert [f.shape for f in first(x)] == [(2, 8, 16, 16)]
    last = timm.create_model(small, features_only=True, out_indices=(-1,), in_chans=1, img_size=(16, 32))
    assert [f.shape for f in last(torch.randn(2, 1, 16, 32))] == [(2, 16, 8, 16)]
    as_list = timm.create_model(small, features_only=True, feature_cls="list")
    assert [f.shape for f in as_list(x)] == [f.shape for f in model(x)]


def test_features_of_tokens_are_maps(tokens: str):
    model = timm.create_model(tokens, features_only=True)
    assert [f.shape for f in model(torch.randn(2, 3, 16, 16))] == [(2, 8, 4, 4)]


# ---- heads ----


@pytest.mark.parametrize("which", ["small", "tokens"])
def test_heads_come_off_and_on(which: str, request: pytest.FixtureRequest):
    name = request.getfixturevalue(which)
    model = timm.create_model(name).eval()
    x = images(model)
    features = model.forward_features(x)
    pooled = model.forward_head(features, pre_logits=True)
    assert pooled.shape == (2, model.head_hidden_size)
    torch.testing.assert_close(model.get_classifier()(pooled), model(x))
    model.reset_classifier(7)
    assert (model(x).shape, model.num_classes) == ((2, 7), 7)
    assert torch.equal(model.get_classifier().bias, torch.zeros(7))
    model.reset_classifier(0)
    assert torch.equal(model(x), pooled)
    assert isinstance(model.get_classifier(), nn.Identity)
    model.reset_classifier(0, "")
    assert model(x).shape == features.shape
    model.reset_classifier(4, model._own_pool)
    assert model(x).shape == (2, 4)
    bare = timm.create_model(name, num_classes=0, global_pool="")
    assert (bare.num_classes, bare(x).shape) == (0, features.shape)


def test_a_convolution_as_classifier():
    name = register("model squeeze  classes 5  stem conv(8)  stage(8)[C]  head act conv(5, k=1) gap")
    model = timm.create_model(name).eval()
    x = images(model)
    assert model.pretrained_cfg["classifier"] == "head.conv"
    assert model.forward_head(model.forward_features(x), pre_logits=True).shape == (2, 8)
    model.reset_classifier(3)
    assert model(x).shape == (2, 3)
    bare = timm.create_model(name, num_classes=0, global_pool="")
    assert bare(x).shape == (2, 8, 32, 32)


def test_a_head_without_a_classifier():
    name = register("model bare  classes 8  stem conv(8)  stage(8)[C]  head gap")
    model = timm.create_model(name)
    assert model(images(model)).shape == (2, 8)
    for ask in (
        model.get_classifier,
        lambda: model.reset_classifier(3),
        lambda: timm.create_model(name, num_classes=0),
        lambda: timm.create_model(name, drop_rate=0.1),
    ):
        with pytest.raises(UsageError, match="the head of 'bare' has no classifier"):
            ask()
    with pytest.raises(SpecError, match="not in 3 classes"):
        timm.create_model(name, num_classes=3)
