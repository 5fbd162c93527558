"""What timm asks of a model when it is created: sizes of images, dropping, checkpointing, groups of parameters."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from timm.data import resolve_data_config
from timm.models import _factory, group_parameters
from timm.optim import create_optimizer_v2
from timm_specs import SMALL, images, register_small, register_tokens  # noqa: F401
from torch import Tensor

import archdsl
import archdsl.timm_models
from archdsl.base.errors import SpecError, UsageError
from archdsl.ir.recipe import Recipe
from archdsl.network.model import set_drop_path
from archdsl.training.optimizer import AdamW


def test_images_of_other_sizes(small: str):
    model = timm.create_model(small, in_chans=1, img_size=32)
    assert model(torch.randn(2, 1, 32, 32)).shape == (2, 5)
    assert model.default_cfg["input_size"] == (1, 32, 32)
    assert len(resolve_data_config(model=model)["mean"]) == 1
    with pytest.raises(SpecError) as caught:
        timm.create_model("archdsl/alternet_18", img_size=30, num_classes=7)
    assert str(caught.value).startswith(
        "alternet_18.arch:6:13: error: window 4 does not divide the 15x15 feature map "
        "(with input 3x30x30 and classes 7, as asked for)\n"
    )


@pytest.mark.skipif(not hasattr(_factory, "resolve_model_input_args"), reason="this timm resolves no input arguments")
def test_what_newer_scripts_ask(small: str):
    asked = _factory.resolve_model_input_args(small, {"img_size": 32, "in_chans": 1}, num_classes=2)
    assert timm.create_model(**asked)(torch.randn(1, 1, 32, 32)).shape == (1, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop_path": 0.1}, "takes no option 'drop_path'\n  = help: did you mean 'drop_path_rate'?"),
        ({"bn_eps": 1e-3}, "takes no option 'bn_eps'\n  = help: what a network is made of stands in its spec"),
        ({"global_pool": "max"}, "pools as its spec says (global_pool='avg')"),
        ({"global_pool": ""}, "leaves the pooling out, but there is a classifier"),
        ({"in_chans": 0}, "in_chans must be 1 or more, not 0"),
        ({"drop_rate": 1.0}, "drop_rate must be at least 0 and below 1"),
        ({"img_size": (1, 2, 3)}, "img_size must be a side or (height, width)"),
    ],
)
def test_wrong_options(small: str, options: dict[str, Any], message: str):
    with pytest.raises(UsageError) as caught:
        timm.create_model(small, **options)
    assert message in str(caught.value)


def test_dropping(small: str):
    model, ours = timm.create_model(small, drop_path_rate=0.2, drop_rate=0.5), archdsl.compile(SMALL)
    set_drop_path(ours, 0.2)
    rates = {name: m.drop_path for name, m in ours.named_modules() if hasattr(m, "drop_path")}
    assert sorted(rates.values()) == pytest.approx([0.0, 0.1, 0.2])
    assert {name: m.drop_path for name, m in model.named_modules() if hasattr(m, "drop_path")} == rates
    features = torch.randn(64, 16, 8, 8)
    assert (model.eval().forward_head(features, pre_logits=True) == 0).sum() == 0
    dropped = model.train().forward_head(features, pre_logits=True)
    assert 0.4 < (dropped == 0).float().mean() < 0.6  # of 1,024, at six standard deviations


def test_gradients_are_the_same_when_blocks_are_computed_twice(small: str):
    model = timm.create_model(small).train()
    x = images(model)

    def gradients() -> list[Tensor]:
        model.zero_grad()
        model(x).square().sum().backward()
        return [p.grad.clone() for p in model.parameters()]

    expected = gradients()
    model.set_grad_checkpointing()
    calls = []
    model.stage1.block1.register_forward_pre_hook(lambda *_: calls.append(1))
    found = gradients()
    assert len(calls) == 2
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("which", ["small", "tokens"])
def test_groups_of_parameters(which: str, request: pytest.FixtureRequest):
    model = timm.create_model(request.getfixturevalue(which))
    names = {id(p): name for name, p in model.named_parameters()}
    ours = [{names[id(p)] for p in parameters} for parameters, _ in AdamW(model, Recipe(weight_decay=0.1)).groups]
    theirs = create_optimizer_v2(model, "adamw", weight_decay=0.1).param_groups
    assert {names[id(p)] for g in theirs if g["weight_decay"] for p in g["params"]} == ours[0]
    assert {names[id(p)] for g in theirs if not g["weight_decay"] for p in g["params"]} == ours[1]

    groups = list(group_parameters(model, model.group_matcher()).values())
    assert [{name.partition(".")[0] for name in group} for group in groups] == [
        {"stem"},
        *[{f"stage{n}"} for n, stage in enumerate(model.architecture.stages, 1) for _ in stage.blocks],
        {"head"},
    ]
    assert len(group_parameters(model, model.group_matcher(coarse=True))) == 2 + len(model.stages)
    create_optimizer_v2(model, "adamw", layer_decay=0.7)
