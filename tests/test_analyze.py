"""`analyze` of a spec's checkpoint and of any module: what is kept, what is found, what is written, what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import hybrid, one_thread  # noqa: F401
from torch import nn

import archdsl
from archdsl.analyses.subjects import folder as analysis_folder
from archdsl.analyses.subjects.folder import network_digest
from archdsl.base import checkpoint
from archdsl.cli.main import run
from archdsl.data import load

SPEC = "model tiny stem patch(4, k=4) stage(4, heads=1, head_dim=4)[C M] train(epochs=1, batch=32)"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, little: Path) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.arch").write_text(SPEC)
    archdsl.train(folder / "tiny.arch", data=f"npz:{little}", device="cpu", out=folder / "tiny.safetensors")
    return folder / "tiny.safetensors"


def analyze(weights: Path, little: Path, out: Path, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """The result, and what was said."""
    said: list[str] = []
    options = {"only": ["quality", "fourier"], "batches": 2, "batch_size": 8} | options
    found = archdsl.analyze(weights, data=f"npz:{little}", device="cpu", out=out, say=said.append, **options)
    return found, said


def test_what_is_finished_is_kept_as_long_as_nothing_changes(weights: Path, little: Path, tmp_path: Path) -> None:
    first, said = analyze(weights, little, tmp_path)
    assert {"quality: done", "fourier: done"} <= set(said)
    stamp = (tmp_path / "fourier.json").stat().st_mtime_ns
    again, said = analyze(weights, little, tmp_path)
    assert said == ["quality: kept from before", "fourier: kept from before"]
    assert again == first
    assert (tmp_path / "fourier.json").stat().st_mtime_ns == stamp
    for changed in ({"seed": 1}, {"batch_size": 4}, {"compat": "parkkim"}):
        assert "fourier: done" in analyze(weights, little, tmp_path, **changed)[1]
    analyze(weights, little, tmp_path)
    for name in ("fourier.json", "quality.json"):  # cut short, as by a power failure
        path = tmp_path / name
        path.write_text(path.read_text()[:-40])
    (tmp_path / "fourier-depth.svg").unlink()
    assert {"quality: done", "fourier: done"} <= set(analyze(weights, little, tmp_path)[1])
    (tmp_path / "fourier-depth.svg").unlink()  # of a kept result, its figure is drawn again
    assert "fourier: kept from before" in analyze(weights, little, tmp_path)[1]
    assert (tmp_path / "fourier-depth.svg").stat().st_size > 1000


def test_freezing_parameters_makes_another_hessian(little: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "blocks": ["0"],
        "data": f"npz:{little}",
        "only": ["hessian"],
        "batches": 1,
        "batch_size": 4,
    }
    torch.manual_seed(0)
    side = load(f"npz:{little}").input[1]
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * side * side, 10))
    whole = archdsl.analyze(model, out=tmp_path, **options)["scores"]
    model[2].requires_grad_(False)
    said: list[str] = []
    frozen = archdsl.analyze(model, out=tmp_path, say=said.append, **options)["scores"]
    assert "hessian: done" in said
    assert 0 < frozen["lambda_max"] < whole["lambda_max"]
    assert archdsl.analyze(model, out=tmp_path, say=said.append, **options)["scores"] == frozen
    assert said[-1] == "hessian: kept from before"


def test_notes_are_told_of_what_is_kept_too(weights: Path, little: Path, tmp_path: Path) -> None:
    first, again = (analyze(weights, little, tmp_path, only=["hessian_density"])[1] for _ in range(2))
    assert any("standard error of the probes alone" in text for text in first)
    assert again == ["hessian_density: kept from before", *first[1:]]


def test_page_and_scores_hold_what_earlier_calls_found(weights: Path, little: Path, tmp_path: Path) -> None:
    def stored() -> set[str]:
        return set(json.loads((tmp_path / "scores.json").read_text())["scores"])

    fourier, quality, variance = {"high_freq"}, {"accuracy", "nll", "ece"}, {"variance_change_msa"}
    analyze(weights, little, tmp_path, only=["fourier"])
    assert stored() >= fourier
    found, said = analyze(weights, little, tmp_path, only=["quality"])
    assert said == ["quality: done"]
    assert set(found["scores"]) == quality  # what was asked for
    assert stored() >= fourier | quality
    assert {"fourier.json", "quality.json", "fourier-depth.svg"} <= set(found["files"])
    page = (tmp_path / "analysis.html").read_text()
    assert "high_freq" in page
    assert "accuracy" in page
    analyze(weights, little, tmp_path, only=["variance"], seed=1)  # other images: what was found on these is not theirs
    assert stored() >= variance
    assert not stored() & (fourier | quality)


def test_the_digest_is_of_structure_and_weights() -> None:
    model = hybrid()
    one = network_digest(model, "a")
    assert one == network_digest(model, "a")
    assert one != network_digest(model, "b")
    with torch.no_grad():
        model.head.bias[0] += 1e-12
    assert one != network_digest(model, "a")
    assert network_digest(nn.BatchNorm2d(2), "") != network_digest(nn.BatchNorm2d(3), "")  # counters have no shape


def started(command: list[str]) -> subprocess.Popen[str]:
    """A process that hears Ctrl-C, also where a shell runs these tests in the background and makes children deaf."""
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "compare", "reproduce"])
def test_ctrl_c_is_exit_code_3(name: str, little: Path, tmp_path: Path) -> None:
    spec = tmp_path / "tiny.arch"
    spec.write_text(SPEC)
    common = ["--data", f"npz:{little}", "--device", "cpu"]
    options = {
        "train": [str(spec), *common, "--epochs", "900", "--out", str(tmp_path / "tiny.safetensors")],
        "compare": [str(spec), str(spec), *common, "--epochs", "900", "--out", str(tmp_path)],
        "reproduce": ["--quick", *common, "--run", str(tmp_path), "--workers", "1"],
    }[name]
    process = started([sys.executable, "-m", "archdsl", name, *options])
    assert process.stderr is not None
    said = process.stderr.readline()  # it is at work
    process.send_signal(signal.SIGINT)
    errors = said + process.communicate(timeout=300)[1]
    assert process.returncode == 3, errors
    assert errors.endswith("interrupted; the same command goes on from what is finished\n")
    assert "Traceback" not in errors


# The command, whose landscape is not over before the blow, however late that comes.
LONG_LANDSCAPE = """
import time
from dataclasses import replace
from archdsl.__main__ import main
from archdsl.analyses import ANALYSES

measure = lambda *given, **options: time.sleep(600)
ANALYSES._entries["landscape"] = replace(ANALYSES["landscape"], measure=measure)
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_an_analysis_that_is_killed_goes_on_where_it_was(
    blow: signal.Signals, weights: Path, little: Path, tmp_path: Path
) -> None:
    command = [
        *("archdsl", "analyze", str(weights), "--data", f"npz:{little}", "--device", "cpu", "--batches", "2"),
        *("--only", "fourier,quality,landscape", "--batch-size", "4", "--out", str(tmp_path)),
    ]
    process = started([sys.executable, "-c", LONG_LANDSCAPE, *command[1:]])
    while process.poll() is None and not (tmp_path / "quality.json").exists():
        time.sleep(0.02)
    process.send_signal(blow)
    _, errors = process.communicate(timeout=300)
    assert process.returncode != 0, "it was over before the blow"
    assert not (tmp_path / "landscape.json").exists()
    assert not (tmp_path / "scores.json").exists()
    if blow is signal.SIGINT:
        assert process.returncode == 3
        assert errors.endswith("interrupted; the same command goes on from what is finished\n")
        assert f"are kept in {tmp_path}" in errors
        assert "Traceback" not in errors
    stamps = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "quality: kept from before" in done.stderr
    assert "landscape: done" in done.stderr
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in stamps} == stamps
    assert {"landscape_rise", "high_freq", "accuracy"} <= set(
        json.loads((tmp_path / "scores.json").read_text())["scores"]
    )


def test_the_page_holds_results_of_other_numbers_of_batches(weights: Path, little: Path, tmp_path: Path) -> None:
    analyze(weights, little, tmp_path, only=["quality", "fourier", "variance"], batches=2)
    _, said = analyze(weights, little, tmp_path, only=["quality", "fourier"], batches=100_000)
    assert {"quality: kept from before", "fourier: done"} <= set(said)  # quality looks at the whole split
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    assert {"accuracy", "high_freq", "variance_change_conv"} <= set(scores)
    page = (tmp_path / "analysis.html").read_text()
    with np.load(tmp_path / "fourier.npz", allow_pickle=False) as arrays:
        there = len(arrays["images"])
    assert f"2 (variance); {there} (fourier)" in page
    assert "100000" not in page.replace(",", "")


def test_the_variant_of_a_paper(
    weights: Path, little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["analyze", str(weights), "--data", f"npz:{little}", "--device", "cpu", "--only", "fourier,noise"]
    common += ["--batches", "2", "--out", str(tmp_path), "--json"]
    assert run([*common, "--compat", "parkkim"]) == 0
    assert json.loads(capsys.readouterr().out)["compat"] == "parkkim"
    with np.load(tmp_path / "fourier.npz", allow_pickle=False) as arrays:
        assert np.allclose(arrays["units.0.frequency"], np.linspace(0, 1, 4))  # of 7 x 7, in truth 0 to 0.857
    assert run([*common, "--compat", "parkkim", "--only", "landscape"]) == 0
    said = capsys.readouterr()
    assert "the L2 term is " in said.err
    assert "the L2 term is " in (tmp_path / "analysis.html").read_text()
    assert {"high_freq", "noise_auc", "landscape_rise"} <= set(
        json.loads((tmp_path / "scores.json").read_text())["scores"]
    )
    assert run([*common, "--compat", "parkim"]) == 1
    assert "did you mean 'parkkim'?" in capsys.readouterr().err


def test_one_image_is_enough_where_it_can_be(weights: Path, little: Path, tmp_path: Path) -> None:
    found, said = analyze(weights, little, tmp_path, only=[], batches=1, batch_size=1)
    assert {"high_freq", "variance_change_msa", "lambda_max", "landscape_rise", "noise_tilt"} <= set(found["scores"])
    assert any("cka: left out: a batch of 1 images is too small" in text for text in said)
    assert not {"high_freq", "lambda_max"} & set(found["standard_errors"])


def test_analyses_that_were_named_do_not_end_each_other(
    little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "pixel.arch"
    spec.write_text("model pixel stem patch(4, k=28) stage(4)[C] train(epochs=1, batch=32)")
    common = ["analyze", str(spec), "--data", f"npz:{little}", "--device", "cpu", "--only", "fourier,quality,variance"]
    common += ["--batches", "1", "--batch-size", "4", "--out", str(tmp_path / "out")]
    for again in (False, True):
        assert run([*common, *(["--json"] if again else [])]) == 3
        printed = capsys.readouterr()
        assert "fourier: failed: no block has a map larger than 1 x 1" in printed.err
        assert "variance: failed: no block has a map larger than 1 x 1" in printed.err
        assert ("quality: kept from before" if again else "quality: done") in printed.err
        assert "\nerror: no block has a map larger than 1 x 1" in printed.err
        assert "= help: leave the analysis 'fourier' out" in printed.err
        if again:
            document = json.loads(printed.out)
            assert set(document["finished"]["scores"]) == {"accuracy", "nll", "ece"}
            assert "1 x 1" in document["errors"][0]["message"]
        else:
            assert "accuracy" in printed.out
        assert set(json.loads((tmp_path / "out" / "scores.json").read_text())["scores"]) == {"accuracy", "nll", "ece"}
        assert "accuracy" in (tmp_path / "out" / "analysis.html").read_text()


def test_a_checkpoint_whose_loss_is_not_finite(
    weights: Path, little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors, metadata = checkpoint.load(weights)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.dim() > 1:
            tensors[name] = torch.full_like(tensor, float("nan"))
    checkpoint.save(
        tmp_path / "broken.safetensors", tensors, metadata
    )  # with a digest of its own: whole, and of no use
    common = ["analyze", str(tmp_path / "broken.safetensors"), "--data", f"npz:{little}", "--device", "cpu"]
    for name in ("fourier", "variance", "quality", "landscape", "lesion", "noise", "hessian", "cka"):
        assert run([*common, "--only", name, "--batches", "1", "--batch-size", "4"]) == 3
        error = capsys.readouterr().err
        assert error.startswith("error: the ")
        assert "is nan" in error or "not finite" in error
        assert "\n  = help: " in error


def test_arrays_are_named_by_their_path() -> None:
    found = analysis_folder.arrays({"a": [[1, 2], [3, 4]], "b": {"c": 1.5, "d": "text", "e": True}, "f": [{"g": [1]}]})
    assert {name: array.shape for name, array in found.items()} == {"a": (2, 2), "b.c": (), "f.0.g": (1,)}
