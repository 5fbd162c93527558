"""The paper's rerun: the rule of its verdicts on made-up numbers, its networks' sizes, and the whole command, small."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rough_analyses import rough_analyses_here_and_in_workers, roughly  # noqa: F401

from archdsl.analyses.lesion import LesionResult, UnitLesion
from archdsl.analyses.noise import NoiseResult
from archdsl.analyses.results.fourier import FourierResult, UnitCurve
from archdsl.analyses.results.hessian import HessianResult
from archdsl.api.reproduction import reproduce
from archdsl.api.reproduction.claims import CLAIMS, judge, judged
from archdsl.api.reproduction.plan import FULL, NETWORKS, QUICK, SMALL, Plan, Scale, Training, trainings
from archdsl.api.reproduction.records import Record, Records, end_against_middle, kept_at_high_frequencies, pooled
from archdsl.api.reproduction.training import carry_out, subset
from archdsl.base.errors import StudyError, UsageError
from archdsl.base.statistics import mean_interval
from archdsl.cli.main import run
from archdsl.data import Dataset, load

# ---------------------------------------------------------------- the rule


def test_the_interval_is_students() -> None:
    from scipy.stats import ttest_1samp

    values = [0.3, -0.1, 0.4, 0.2, 0.25]
    found = mean_interval(values)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1.0, 1.1, 0.9], "seen"),
        ([-1.0, -1.1, -0.9], "not seen"),
        ([1.0, -1.0, 0.5], "unclear here"),
        ([1.0, 1.0], "unclear here"),
        ([], "unclear here"),
        ([0.0, 0.0, 0.0], "unclear here"),
        ([0.5, 0.5, 0.5], "seen"),
        ([1.0, math.nan, 1.0], "unclear here"),
    ],
)
def test_verdicts_follow_the_rule(values: list[float], verdict: str) -> None:
    assert judge(values) == verdict


def test_empty_claims_are_rarely_decided() -> None:
    """Of numbers around 0, one in twenty is taken for a finding, half of them on either side."""
    draws = np.random.default_rng(0).normal(size=(4000, 5))
    found = [judge(list(row)) for row in draws]
    assert found.count("seen") / 4000 == pytest.approx(0.025, abs=0.008)
    assert found.count("not seen") / 4000 == pytest.approx(0.025, abs=0.008)


# ---------------------------------------------------------------- networks, shares, epochs


@pytest.mark.parametrize("scale", [SMALL, FULL], ids=["small", "full"])
def test_networks_are_matched_by_parameters(scale: Any) -> None:
    data = load("fashion")
    if scale is FULL:
        images = torch.zeros(20, 3, 32, 32, dtype=torch.uint8)
        data = replace(data, train=replace(data.train, images=images, labels=torch.arange(20) % 10))
    networks = scale.fitted(data)
    sizes = {name: networks[name].params for name in NETWORKS}
    assert max(sizes.values()) / min(sizes.values()) < 1.05, sizes
    layouts = {name: networks[name].layout for name in ("resnet", "alternet", "alternet_front")}
    kinds = [sum(stage.count("M") for stage in layouts[name]) for name in layouts]
    assert kinds == [0, 2, 2]
    assert [stage[-1] for stage in layouts["alternet"][1:]] == ["M", "M"]
    assert [stage[0] for stage in layouts["alternet_front"][1:]] == ["M", "M"]


def test_shares_of_the_data_are_stratified_and_seeded() -> None:
    data = load("fashion")
    before = data.train.images.clone()
    one, again, other = (subset(data, 0.25, seed) for seed in (0, 0, 1))
    assert torch.equal(one.train.images, again.train.images)
    assert not torch.equal(one.train.images, other.train.images)
    assert one.train.labels.bincount().tolist() == [150] * 10
    assert one.digest != other.digest != data.digest
    assert subset(data, 1.0, 3) is data
    assert torch.equal(data.train.images, before), "the whole data set stays as it was"
    assert (one.mean, one.std) == (data.mean, data.std)


def planned(scale: Scale, data: Dataset, folder: Path) -> list[Training]:
    return trainings(scale, scale.fitted(data), folder)


def plan(scale: Scale, data: Dataset) -> Plan:
    return Plan.of(scale, data, scale.fitted(data))


def test_the_plan_trains_what_the_claims_compare() -> None:
    found = planned(SMALL, load("fashion"), Path("run"))
    assert len(found) == SMALL.seeds * 13 == len({training.name for training in found})
    per_share = {t.share: t.recipe.epochs for t in found}
    assert per_share == {1.0: 12, 0.5: 17, 0.25: 24, 0.1: 38}
    vit = next(t for t in found if t.network == "vit" and t.share == 1)
    assert vit.kept_epochs == list(range(1, 13))
    assert vit.warmed_up == 2
    long = replace(vit, recipe=vit.recipe.model_copy(update={"epochs": 300}))
    assert len(long.kept_epochs) <= 17
    assert {long.warmed_up, 300} <= set(long.kept_epochs)


# ---------------------------------------------------------------- claims on made-up records


def hessian(eigenvalues: list[list[float]]) -> dict[str, Any]:
    values = np.array(eigenvalues)
    zeros = np.zeros(len(values))
    largest, smallest = values.max(1), values.min(1)
    return HessianResult(values, 0 * values, smallest, largest, zeros, zeros, zeros, 10, 16, 0.0).to_json()


def fourier(changes: list[tuple[str, float]]) -> dict[str, Any]:
    """Blocks that change the amplitude at the highest frequency by so much."""
    units = tuple(
        UnitCurve(f"b{i}", "T", kind, 1, (4, 4), np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.0, change]), np.array([3.0, 0.0, 2.0]))  # type: ignore[arg-type]
        for i, (kind, change) in enumerate(changes)
    )  # fmt: skip
    return FourierResult(units, np.ones(1), np.zeros(1), np.zeros(1), ()).to_json()


def record(network: str, seed: int, share: float = 1.0, accuracy: float = 0.5, **analyses: Any) -> dict[str, Any]:
    quality = {"accuracy": accuracy, "nll": 1 - accuracy, "ece": 0.0}
    return {
        "network": network, "seed": seed, "share": share, "train": quality, "test": quality, "validation": quality,
        "analyses": analyses,
    }  # fmt: skip


def verdict_of(name: str, contents: list[dict[str, Any]]) -> dict[str, Any]:
    (claim,) = [claim for claim in CLAIMS if claim.name == name]
    return judged(claim, Records(contents))


def test_a_difference_is_paired_by_seed() -> None:
    """Seeds differ more than networks do, and still the difference is told from 0; what has no partner is left out."""
    contents = [record("resnet", s, accuracy=0.5 + 0.05 * s) for s in range(5)]
    contents += [record("alternet", s, accuracy=0.51 + 0.05 * s + 0.001 * (s % 2)) for s in (4, 2, 0, 1)]
    found = verdict_of("alternet-100", contents)
    assert (found["verdict"], found["seeds"]) == ("seen", 4)
    assert found["values"] == pytest.approx([0.01, 0.011, 0.01, 0.01])
    assert [group["name"] for group in found["groups"]] == ["AlterNet", "ResNet"]
    swapped = copy.deepcopy(contents)
    for content in swapped:
        content["network"] = {"resnet": "alternet", "alternet": "resnet"}[content["network"]]
    assert verdict_of("alternet-100", swapped)["verdict"] == "not seen"
    assert verdict_of("alternet-50", contents)["verdict"] == "unclear here"


def test_claims_about_eigenvalues() -> None:
    sharp, flat = [[100.0, 90.0, 80.0, 70.0, 60.0]], [[10.0, 8.0, -6.0, -5.0, 4.0]]
    contents = [record("resnet", s, hessian_early=hessian(sharp), hessian=hessian(flat)) for s in range(3)]
    contents += [record("vit", s, hessian_early=hessian(flat), hessian=hessian(sharp)) for s in range(3)]
    negative, positive = (verdict_of(name, contents) for name in ("negative-early", "positive-early"))
    assert (negative["verdict"], positive["verdict"]) == ("seen", "seen")
    assert negative["mean"] == pytest.approx(0.4)
    assert positive["mean"] == pytest.approx(math.log(80) - math.log(22 / 3))
    shown = {group["name"]: group["values"][0] for group in positive["groups"]}
    assert shown == pytest.approx({"ViT": math.log(22 / 3), "ResNet": math.log(80)}), "with their own signs"
    assert [verdict_of(name, contents)["verdict"] for name in ("negative-late", "positive-late")] == ["not seen"] * 2


def test_claims_about_blocks_count_them() -> None:
    """The curves start at relative amplitude -1; of twelve MSA blocks nine end below, of MLP blocks eight above."""
    changes = [("msa", -1.0)] * 9 + [("msa", 1.0)] * 3 + [("mlp", 1.0)] * 8 + [("mlp", -1.0)] * 4
    contents = [record("vit", s, fourier=fourier(changes)) for s in range(3)]
    low, high = (verdict_of(name, contents) for name in ("msa-low-pass", "mlp-high-pass"))
    assert (low["verdict"], low["blocks"], low["mean"]) == ("seen", [27, 36], 0.25)
    assert (high["verdict"], high["blocks"]) == ("seen", [24, 36])
    half = [record("vit", s, fourier=fourier([("msa", -1.0), ("msa", 1.0)])) for s in range(3)]
    assert verdict_of("msa-low-pass", half)["verdict"] == "unclear here"


def test_numbers_of_noise_and_lesion() -> None:
    frequency = np.arange(1, 11) / 10
    correct = np.where(frequency > 0.5, 30.0, 60.0)[:, None]
    noise = NoiseResult(frequency, correct, np.array([80.0]), np.array([100.0]), 0.1, ())
    assert kept_at_high_frequencies(Record(record("vit", 0, noise=noise.to_json()))) == pytest.approx(30 / 80)
    units = tuple(
        UnitLesion(f"b{i}", "C", kind, stage, (4, 4), np.array([right]), last=kind == "msa")  # type: ignore[arg-type]
        for i, (kind, stage, right) in enumerate([("conv", 1, 10), ("msa", 2, 10), ("conv", 2, 70.0), ("msa", 2, 50.0)])
    )
    lesion = LesionResult(units, np.array([80.0]), np.array([100.0]), ())
    assert end_against_middle(Record(record("alternet", 0, lesion=lesion.to_json()))) == pytest.approx(0.2)
    assert end_against_middle(Record(record("alternet", 0))) is None


def test_pooled_results_are_those_of_all_batches() -> None:
    a, b = (HessianResult.from_json(hessian([row])) for row in ([3.0, -1.0], [5.0, 2.0]))
    assert pooled("hessian", [a, b]).scores()["nep"] == 0.25
    curves = [FourierResult.from_json(fourier([("msa", change)])) for change in (1.0, 2.0)]
    assert pooled("fourier", curves).units[0].after.tolist() == [1.0, 0.0, 1.5]
    assert pooled("fourier", []) is None


# ---------------------------------------------------------------- the whole path


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """Forty 28 x 28 images of two classes that a network can tell apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (rng.integers(0, 90, (60, 28, 28)) + 120 * labels[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "tiny.npz", x_train=images[:40], y_train=labels[:40], x_test=images[40:], y_test=labels[40:])
    return f"npz:{tmp_path / 'tiny.npz'}"


@pytest.mark.slow
@pytest.mark.usefixtures("rough_analyses")
def test_the_command_trains_goes_on_and_draws(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    command = ["reproduce", "--quick", "--data", tiny, "--run", str(folder), "--workers", "1", "--device", "cpu"]
    assert run([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {claim["verdict"] for claim in document["claims"]} == {"unclear here"}, "one seed decides nothing"
    assert len(document["networks"]) == 6
    assert "these numbers mean nothing" in (folder / "report.html").read_text()
    results = json.loads((folder / "results.json").read_text())
    measured = {n: set(r["analyses"]) for r in results["records"] if r["share"] == 1 for n in [r["network"]]}
    assert measured["vit"] == {
        "hessian", "hessian_early", "fourier", "variance", "noise", "lesion", "landscape"
    }  # fmt: skip
    path = next(r["path"] for r in results["records"] if r["network"] == "vit" and r["share"] == 1)
    assert (path["length"], path["epoch"]) == ([1.0, 0.0], [0.0, 1.0])
    page = (folder / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("<figure") == 10
    for name in ("landscapes", "frequencies", "spectra", "fits", "constraints", "amplitudes", "variances", "regimes"):
        assert f"]({name}.svg)" in (folder / "index.md").read_text()
        assert (folder / f"{name}.svg").read_bytes().startswith(b"<?xml")
    assert not list((folder / "work").rglob("*.safetensors")), "states of finished trainings are removed"

    # One training is lost and one broken: they alone are done again, to the same numbers.
    (folder / "records/resnet-100-seed0.json").unlink()
    (folder / "records/vit-10-seed0.json").write_text("{")
    assert run(command) == 0
    captured = capsys.readouterr()
    assert "11 of 13 trainings are done already" in captured.err
    again = json.loads((folder / "results.json").read_text())
    for old, new in zip(results["records"], again["records"], strict=True):
        assert without_times(old) == without_times(new)
    assert run([*command, "--epochs", "2"]) == 1
    assert "holds another run (recipe differ" in capsys.readouterr().err

    figure = (folder / "spectra.svg").read_bytes()
    (folder / "spectra.svg").unlink()
    assert run(["reproduce", "--render", "--run", str(folder)]) == 0
    assert (folder / "spectra.svg").read_bytes() == figure, "from results.json alone, to the byte"


def without_times(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if "seconds" not in name}


@pytest.mark.slow
def test_snapshots_lost_between_two_writes_are_made_again(tiny: str, tmp_path: Path) -> None:
    data = load(tiny)
    scale = QUICK.model_copy(update={"batches": 1, "size": 4})
    plan(scale, data).claim(tmp_path)
    (training,) = [t for t in planned(scale, data, tmp_path) if t.network == "vit_gap"]
    first = carry_out(training, data, torch.device("cpu"))
    # A checkpoint of the finished training, and no weights of its epoch.
    from archdsl.training.experiment import seeded
    from archdsl.training.loop import train

    train(
        seeded(training.architecture, 0), data, training.recipe, seed=0, checkpoint=training.state,
        metadata={"reproduce": training.name},
    )  # fmt: skip
    again = carry_out(training, data, torch.device("cpu"))
    assert without_times(again) == without_times(first)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--full"], "--full needs a data set"),
        (["--full", "--quick", "--data", "fashion"], "exclude each other"),
        (["--seeds", "0"], "--seeds is from 1"),
        (["--epochs", "0"], "--epochs is from 1"),
        (["--workers", "0"], "--workers is 1 or more"),
        (["--render"], "name its folder with --run"),
        (["--data", "nothing"], "unknown data set"),
        (["--device", "tpu"], "unknown device"),
    ],
)
def test_bad_flags_are_refused(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", *flags]) in (1, 2)
    assert said in capsys.readouterr().err


def test_bad_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", "--render", "--run", str(tmp_path), "--full", "--seeds", "7"]) == 2
    assert "--full and --seeds would be ignored" in " ".join(capsys.readouterr().err.split())
    assert run(["reproduce", "--render", "--run", str(tmp_path)]) == 1
    for text in ("{", "[]", '{"reproduction": 1}'):
        (tmp_path / "results.json").write_text(text)
        assert run(["reproduce", "--render", "--run", str(tmp_path)]) == 1
    assert "Traceback" not in capsys.readouterr().err
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(StudyError, match="no plan of a reproduction"):
        plan(QUICK, load("fashion")).claim(tmp_path)
    with pytest.raises(UsageError):
        reproduce(seeds=0)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["vit", "alternet_front", "local_vit"])
def test_the_full_networks_train_on_colour_images(network: str, tmp_path: Path) -> None:
    """Their eigenvalues are left where a dozen products brings them; those of every block have tests of their own."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (24, 32, 32, 3)).astype(np.uint8)
    labels = np.arange(24) % 2
    np.savez(tmp_path / "c.npz", x_train=images, y_train=labels, x_test=images[:4], y_test=labels[:4])
    data = load(f"npz:{tmp_path / 'c.npz'}")
    scale = FULL.with_(seeds=1, epochs=1).model_copy(update={"batches": 1, "size": 2})
    plan(scale, data).claim(tmp_path / "run")
    (training,) = [t for t in planned(scale, data, tmp_path / "run") if t.network == network and t.share == 1]
    with roughly():
        found = carry_out(training, data, torch.device("cpu"))
    assert found["epochs"] == 1
    assert math.isfinite(found["test"]["nll"])
    assert {name.removesuffix("_early") for name in found["analyses"]} == set(training.analyses)


def test_the_published_page_is_what_its_records_say(tmp_path: Path):
    published = Path(__file__).parents[1] / "docs" / "reproduction"
    (tmp_path / "results.json").write_bytes((published / "results.json").read_bytes())
    assert run(["reproduce", "--render", "--run", str(tmp_path)]) == 0
    for page in ("index.md", "report.html"):
        assert (tmp_path / page).read_text(encoding="utf-8") == (published / page).read_text(encoding="utf-8")
    drawn = {file.name for file in tmp_path.glob("*.svg")}
    assert drawn == {file.name for file in published.glob("*.svg")}
