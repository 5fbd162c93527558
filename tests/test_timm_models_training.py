"""Specs in timm's own code: weights from files, its training loop, its scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import create_dataset, create_loader, resolve_data_config
from timm.models import load_checkpoint
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter, CheckpointSaver, ModelEmaV3, accuracy
from timm_specs import SMALL, register_small  # noqa: F401
from torch import nn

import archdsl
import archdsl.timm_models
from archdsl.base.checkpoint import load_weights
from archdsl.base.errors import StudyError
from archdsl.timm_models import main, register

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
