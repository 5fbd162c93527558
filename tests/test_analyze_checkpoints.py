"""Weights kept along a training, and what is measured of them; and batches that an interruption leaves behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_networks import one_thread  # noqa: F401

import archdsl
from archdsl.analyses import ANALYSES
from archdsl.analyses.curvature.loss_hessian import LossHessian
from archdsl.api.analyze_checkpoints import analyze_checkpoints, ordered
from archdsl.api.train import restore
from archdsl.base.checkpoint import load_metadata, save
from archdsl.base.errors import ArchdslError, DataError, StudyError, UsageError
from archdsl.cli.main import run
from archdsl.interchange.export import export

SPEC = "model tiny stem patch(4, k=4) stage(4, heads=1, head_dim=4)[C M] train(epochs=3, batch=32, ema={ema})"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, little: Path) -> Path:
    """A folder with a training of three epochs, of which all, and one of which some, are kept."""
    folder = tmp_path_factory.mktemp("trained")
    for name, every, ema in (("all", 1, 0.9), ("some", 2, 0.0)):
        (folder / f"{name}.arch").write_text(SPEC.format(ema=ema))
        archdsl.train(
            folder / f"{name}.arch", data=f"npz:{little}", device="cpu", out=folder / f"{name}.safetensors",
            keep_every=every,
        )  # fmt: skip
    return folder


def test_weights_are_kept_every_so_many_epochs_and_at_the_end(trained: Path) -> None:
    names = sorted(path.name for path in trained.glob("*-epoch*"))
    assert names == [f"all-epoch{n}.safetensors" for n in (1, 2, 3)] + [f"some-epoch{n}.safetensors" for n in (2, 3)]
    assert not any(name.startswith("optimizer") for name in load_file(trained / "all-epoch2.safetensors"))
    for name in ("all", "some"):  # with a moving average and without: the weights that were evaluated
        last, _ = restore(trained / f"{name}-epoch3.safetensors", "cpu")
        whole, _ = restore(trained / f"{name}.safetensors", "cpu")
        assert all(torch.equal(a, b) for a, b in zip(last.parameters(), whole.parameters(), strict=True))
    before, _ = restore(trained / "all-epoch1.safetensors", "cpu")
    assert not torch.equal(next(iter(before.parameters())), next(iter(last.parameters())))


def test_weights_of_another_training_that_lay_there_are_not_listed(trained: Path, little: Path, tmp_path: Path) -> None:
    for file in trained.glob("all*"):
        shutil.copy(file, tmp_path)
    state, names = tmp_path / "all.safetensors", [str(tmp_path / f"all-epoch{n}.safetensors") for n in (1, 2, 3)]

    def kept(**options: Any) -> list[str]:
        return archdsl.train(tmp_path / "all.arch", data=f"npz:{little}", device="cpu", out=state, **options)["kept"]

    assert kept() == names
    state.unlink()
    Path(names[0]).write_bytes(b"broken")
    assert kept(seed=1) == []
    assert kept(seed=1, keep_every=1) == []  # nothing is left to train


def test_kept_weights_are_no_state_to_go_on_from(trained: Path, little: Path, tmp_path: Path) -> None:
    copy = shutil.copy(trained / "all-epoch1.safetensors", tmp_path / "model.safetensors")
    with pytest.raises(StudyError, match="format differs"):
        archdsl.train(trained / "all.arch", data=f"npz:{little}", device="cpu", out=Path(copy))
    with pytest.raises(UsageError, match="every 0 epochs"):
        archdsl.train(trained / "all.arch", data=f"npz:{little}", device="cpu", keep_every=0)


def test_a_training_is_followed(
    trained: Path, little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(trained / f"all-epoch{n}.safetensors") for n in (3, 1)]
    common = ["analyze", *files, "--data", f"npz:{little}", "--device", "cpu", "--batches", "2", "--batch-size", "4"]
    common += ["--out", str(tmp_path)]
    assert run([*common, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["epochs"] == [1, 3]
    assert found["files"] == ["along.json", "along.npz", "along.png", "along.svg"]
    with np.load(tmp_path / "along.npz", allow_pickle=False) as arrays:
        assert arrays["eigenvalues"].shape == (2, 2, 5)
        for epoch, score, largest in zip((1, 3), found["scores"], arrays["largest"], strict=True):
            alone = json.loads((tmp_path / f"epoch{epoch}" / "scores.json").read_text())["scores"]
            assert score == alone
            assert score["lambda_max"] == pytest.approx(largest.mean())
    assert (tmp_path / "along.png").stat().st_size > 5000
    assert run(common) == 0
    captured = capsys.readouterr()
    assert captured.err.count("hessian: kept from before") == 2
    assert [line.split()[0] for line in captured.out.splitlines()[:3]] == ["epoch", "1", "3"]


def test_checkpoints_of_several_trainings_are_not_one(trained: Path, tmp_path: Path) -> None:
    one, other = trained / "all-epoch2.safetensors", trained / "some-epoch3.safetensors"
    assert [snapshot.epoch for snapshot in ordered([trained / "all.safetensors", one])] == [2, 3]
    with pytest.raises(DataError, match="are not of one training: their recipe differs"):
        ordered([one, other])
    with pytest.raises(DataError, match="both of epoch 3"):
        ordered([trained / "all.safetensors", trained / "all-epoch3.safetensors"])
    metadata = load_metadata(trained / "all-epoch3.safetensors")
    later = {key: value for key, value in metadata.items() if key != "train.seed"}
    save(tmp_path / "later.safetensors", load_file(one), later)
    with pytest.raises(DataError, match="are not of one training: their seed differs"):
        ordered([trained / "all-epoch2.safetensors", tmp_path / "later.safetensors"])
    with pytest.raises(UsageError, match="is no checkpoint"):
        ordered([one, trained / "all.arch"])
    with pytest.raises(UsageError, match="two checkpoints or more"):
        ordered([one])
    with pytest.raises(StudyError, match="there is no checkpoint"):
        ordered([one, tmp_path / "none.safetensors"])
    model, _ = restore(one, "cpu")
    (exported,) = export(model, ["safetensors"], tmp_path).values()
    with pytest.raises(DataError, match="does not say how long"):
        ordered([one, exported])
    (tmp_path / "broken.safetensors").write_bytes(one.read_bytes()[:50])
    with pytest.raises(ArchdslError, match="truncated or corrupt"):
        load_metadata(tmp_path / "broken.safetensors")


@pytest.mark.parametrize("name", [name for name in ANALYSES if ANALYSES[name].takes("parts")])
def test_finished_batches_outlive_an_interruption(
    name: str, trained: Path, little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"data": f"npz:{little}", "device": "cpu", "only": [name], "batches": 3, "batch_size": 4}
    weights, said = trained / "some.safetensors", []
    whole = archdsl.analyze(weights, out=tmp_path / "whole", **options)
    measured: list[int] = []

    def build(*given: Any, **options: Any) -> LossHessian:
        if len(measured) == 2:
            raise KeyboardInterrupt  # as Ctrl-C between two batches
        measured.append(1)
        return LossHessian(*given, **options)

    monkeypatch.setattr(f"archdsl.analyses.{name}.LossHessian", build)
    with pytest.raises(KeyboardInterrupt):
        archdsl.analyze(weights, out=tmp_path / "cut", say=said.append, **options)
    assert any(f"2 batches of {name} are kept in" in text for text in said)
    monkeypatch.undo()
    said.clear()
    again = archdsl.analyze(weights, out=tmp_path / "cut", say=said.append, **options)
    assert f"{name}: 2 batches kept from before" in said
    assert again["scores"] == whole["scores"]
    assert again["standard_errors"] == whole["standard_errors"]
    assert sorted(again["files"]) == sorted(whole["files"])
    assert not list((tmp_path / "cut").glob("*.part.json"))
    longer = archdsl.analyze(weights, out=tmp_path / "long", **options | {"batches": 4})
    said.clear()
    assert archdsl.analyze(weights, out=tmp_path / "cut", say=said.append, **options | {"batches": 4}) == longer | {
        "folder": str(tmp_path / "cut")
    }
    assert f"{name}: 3 batches kept from before" in said  # a whole result serves a longer one


@pytest.mark.parametrize("files", [["a.safetensors"], ["a.safetensors", "b.safetensors"]])
def test_epochs_of_what_is_trained_already_are_refused(files: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(["analyze", *files, "--epochs", "3"]) == 2
    assert "--epochs is for specs" in capsys.readouterr().err


def test_epochs_of_a_module_are_refused():
    with pytest.raises(UsageError, match="--epochs is for specs"):
        archdsl.analyze(torch.nn.Linear(2, 2), epochs=3)


def test_a_named_analysis_that_fails_ends_neither_others_nor_epochs(little: Path, tmp_path: Path) -> None:
    spec = tmp_path / "pixel.arch"
    spec.write_text("model pixel stem patch(4, k=28) stage(4)[C] train(epochs=2, batch=32)")
    options: dict[str, Any] = {"data": f"npz:{little}", "device": "cpu"}
    kept = archdsl.train(spec, out=tmp_path / "pixel.safetensors", keep_every=1, **options)["kept"]
    with pytest.raises(ArchdslError, match="larger than 1 x 1") as caught:
        analyze_checkpoints(
            kept, only=["fourier", "hessian"], batches=1, batch_size=8, out=tmp_path / "along", **options
        )
    finished = caught.value.finished
    assert finished is not None
    assert finished["epochs"] == [1, 2]
    assert all("lambda_max" in scores for scores in finished["scores"])
    assert json.loads((tmp_path / "along" / "along.json").read_text())["epochs"] == [1, 2]
    assert (tmp_path / "along" / "along.png").stat().st_size > 1000
