"""Specs as timm models: the same networks, and everything timm's own code asks of a model."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import create_dataset, create_loader, resolve_data_config
from timm.models import _factory, group_parameters, load_checkpoint, safe_model_name
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter, CheckpointSaver, ModelEmaV3, accuracy
from torch import Tensor, nn

import archdsl
import archdsl.timm_models
from archdsl import ir
from archdsl.checkpoint import load_weights
from archdsl.errors import SpecError, StudyError, UsageError
from archdsl.model import Network
from archdsl.optimizer import adamw, set_drop_path
from archdsl.recipe import Recipe
from archdsl.resources import shipped_specs
from archdsl.timm_models import TimmNetwork, register
from archdsl.timm_models.__main__ import main

SPECS = ["resnet_18", "alternet_18", "vit_ti", "pit_ti_224"]
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


@pytest.fixture(scope="module")
def small() -> str:
    return register(SMALL)


@pytest.fixture(scope="module")
def tokens() -> str:
    return register(TOKENS)


def images(model: nn.Module, count: int = 2) -> Tensor:
    return torch.randn(count, *model.default_cfg["input_size"], generator=torch.Generator().manual_seed(0))


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
        "import timm, archdsl.model; from archdsl import architecture, language, timm_models;"
        "called = set(); sys.setprofile(lambda frame, event, _: called.add(frame.f_code));"
        "timm_models.entrypoints._SOURCES.clear(); timm_models.entrypoints.enter_shipped(); sys.setprofile(None);"
        "assert timm_models.entrypoints._enter.__code__ in called;"
        "assert not called & {language.parse.__code__, architecture.resolve_model.__code__};"
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


# ---- options ----


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
    ours = [{names[id(p)] for p in group["params"]} for group in adamw(model, Recipe(weight_decay=0.1)).param_groups]
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


# ---- weights ----


def test_nobody_has_published_weights(small: str):
    with pytest.raises(StudyError, match="there are no published weights for 'archdsl/vit_ti'"):
        timm.create_model("archdsl/vit_ti", pretrained=True)
    assert not timm.list_models("archdsl/*", pretrained=True)


def test_weights_from_files(small: str, tmp_path: Path):
    ours = archdsl.compile(SMALL).eval()
    save_file(ours.state_dict(), tmp_path / "plain.safetensors")
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        expected = ours(x)
        loaded = timm.create_model(small, checkpoint_path=str(tmp_path / "plain.safetensors")).eval()
        assert torch.equal(loaded(x), expected)
        overlay = {"file": str(tmp_path / "plain.safetensors")}
        named = timm.create_model(small, pretrained=True, pretrained_cfg_overlay=overlay).eval()
        assert torch.equal(named(x), expected)
        tuned = timm.create_model(small, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=3, in_chans=1)
    assert tuned.get_classifier().weight.shape == (3, 16)
    torch.testing.assert_close(tuned.stem.conv.weight, ours.stem.conv.weight.sum(1, keepdim=True))
    torch.testing.assert_close(tuned.stage2.block1.state_dict(), ours.stage2.block1.state_dict())


def test_checkpoints_of_our_own_training(little: Path, tmp_path: Path):
    text = "model trained  stem patch(8, k=4)  stage(8)[C M]  head gap linear"
    archdsl.train(text, data=f"npz:{little}", epochs=1, device="cpu", out=tmp_path / "model.safetensors")
    model = timm.create_model(register(text), in_chans=1, img_size=28)
    load_checkpoint(model, str(tmp_path / "model.safetensors"))
    weights, _ = load_weights(tmp_path / "model.safetensors")
    torch.testing.assert_close(dict(model.state_dict()), weights, rtol=0, atol=0)


# ---- timm's own loop, and its scripts ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trousers and bags of the embedded Fashion-MNIST as an image folder: 2 x 40 for training, 2 x 20 for validation."""
    from PIL import Image

    from archdsl.data import load

    split = load("fashion").train
    root = tmp_path_factory.mktemp("pictures")
    for name, label in (("trouser", 1), ("bag", 8)):
        for i, image in enumerate(split.images[split.labels == label][:60, 0].numpy()):
            path = root / ("train" if i < 40 else "validation") / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return root


def test_a_training_with_the_parts_of_timm(folder: Path, tmp_path: Path):
    """What train.py and validate.py of the timm repository do, with the same parts."""
    torch.manual_seed(0)
    model = timm.create_model("archdsl/resnet_18", num_classes=2, in_chans=1, img_size=8, drop_path_rate=0.1)
    config = resolve_data_config({"in_chans": 1}, model=model)
    assert config["input_size"] == (1, 8, 8)

    def loader(split: str) -> Any:
        data = create_dataset("", root=str(folder), split=split, input_img_mode="L")
        return create_loader(
            data, config["input_size"], batch_size=10, is_training=split == "train", no_aug=True, use_prefetcher=False,
            mean=config["mean"], std=config["std"], crop_pct=config["crop_pct"], num_workers=0,
                persistent_workers=False,
        )  # fmt: skip

    optimizer = create_optimizer_v2(model, "adamw", lr=1e-3, weight_decay=0.05, layer_decay=0.9)
    scheduler, epochs = create_scheduler_v2(optimizer, num_epochs=3, warmup_epochs=0)
    average = ModelEmaV3(model, decay=0.5)
    saver = CheckpointSaver(model, optimizer, model_ema=average, checkpoint_dir=str(tmp_path), max_history=1)
    losses = []
    for epoch in range(epochs):
        model.train()
        meter = AverageMeter()
        for x, y in loader("train"):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update(model)
            meter.update(loss.item(), len(y))
        scheduler.step(epoch + 1)
        losses.append(meter.avg)
    saver.save_checkpoint(epochs - 1, metric=-losses[-1])
    assert losses[-1] < 0.5 * losses[0]

    again = timm.create_model("archdsl/resnet_18", num_classes=2, in_chans=1, img_size=8)
    load_checkpoint(again, str(tmp_path / "model_best.pth.tar"), use_ema=True)
    again.eval()
    top1 = AverageMeter()
    with torch.no_grad():
        for x, y in loader("validation"):
            assert torch.equal(again(x), average.module.eval()(x))
            top1.update(accuracy(again(x), y)[0].item(), len(y))
    assert top1.avg > 90


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "beside.py").write_text("CLASSES = 3\n")
    (tmp_path / "script.py").write_text(
        "import sys, timm\nfrom beside import CLASSES\n"
        "if __name__ == '__main__':\n"
        "    for name in sys.argv[2:]:\n        print(timm.create_model(name, num_classes=CLASSES).num_classes, name)\n"
        "    sys.exit(5)\n"
    )
    (tmp_path / "mine.arch").write_text("stage(8)[C]  head gap linear\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    return tmp_path


def test_scripts_see_the_specs(scripts: Path):
    command = [sys.executable, "-m", "archdsl.timm_models", "--spec", "mine.arch", "script.py", "--model"]
    done = subprocess.run([*command, "archdsl/mine", "archdsl/vit_ti"], cwd=scripts, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (5, "3 archdsl/mine\n3 archdsl/vit_ti\n"), done.stderr


def test_what_goes_wrong_in_a_script_has_no_traceback(scripts: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["script.py", "--model", "archdsl/nobodys"]) == 1
    assert capsys.readouterr().err.startswith("error: unknown model 'archdsl/nobodys'\n  = help: ")
    assert main(["train.py"]) == 1
    assert capsys.readouterr().err.startswith("error: no file 'train.py'\n  = help: ")
    (scripts / "wrong.arch").write_text("stage(8)[MM]")
    assert main(["--spec", "wrong.arch", "script.py"]) == 1
    assert capsys.readouterr().err.startswith("wrong.arch:1:10: error: unknown block 'MM'\n")
    with pytest.raises(SystemExit, match="2"):
        main([])


def test_networks_are_our_kind(small: str):
    model = timm.create_model(small)
    assert type(model) is TimmNetwork
    assert sum(p.numel() for p in model.parameters()) == model.architecture.params
