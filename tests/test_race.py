"""The sequential rule of `compare --race`: its guarantee by simulation and by enumeration, and races really run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rough_analyses import rough_analyses_here_and_in_workers  # noqa: F401
from scipy.integrate import quad
from small_networks import one_thread  # noqa: F401
from torch import nn

import archdsl
from archdsl.analyses.curvature.loss_hessian import LossHessian
from archdsl.analyses.measuring.parts import Parts
from archdsl.analyses.results.hessian import HessianResult
from archdsl.analyses.subjects.race import Race, evidence, race, settled, tally
from archdsl.analyses.subjects.subject import Options, Subject
from archdsl.api.train import restore
from archdsl.base.errors import RunError, UsageError
from archdsl.cli.main import run
from archdsl.data.dataset import Dataset, Split

ALPHA, BATCHES = 0.05, 200


def test_the_evidence_is_the_mixture_of_all_biased_coins() -> None:
    for wins, losses in ((0, 0), (3, 1), (5, 5), (2, 9)):

        def likelihood(p: float, wins: int = wins, losses: int = losses) -> float:
            return (2 * p) ** wins * (2 * (1 - p)) ** losses / (np.pi * np.sqrt(p * (1 - p)))

        assert evidence(wins, losses) == pytest.approx(quad(likelihood, 0, 1)[0], rel=1e-6)


def test_a_fair_game_on_every_batch() -> None:
    """A martingale: what the next batch brings is, in the mean, nothing."""
    for wins in range(12):
        for losses in range(12):
            both = (evidence(wins + 1, losses) + evidence(wins, losses + 1)) / 2
            assert both == pytest.approx(evidence(wins, losses), rel=1e-12)


def test_false_verdicts_by_enumeration() -> None:
    """The exact probability that two alike are ever told apart, over all sequences of 200 fair coins."""
    open_, wrong = {0: 1.0}, 0.0  # probability by the number of wins, of what is not settled yet
    for number in range(1, BATCHES + 1):
        nxt: dict[int, float] = {}
        for wins, chance in open_.items():
            for more in (wins, wins + 1):
                nxt[more] = nxt.get(more, 0.0) + chance / 2
        over = {wins for wins in nxt if settled(wins, number - wins, ALPHA)}
        wrong += sum(nxt.pop(wins) for wins in over)
        open_ = nxt
    assert 0.01 < wrong <= ALPHA


@pytest.mark.parametrize("shape", ["normal", "cauchy", "growing"])
def test_false_verdicts_by_simulation(shape: str) -> None:
    """Paired log_ape of two networks that are alike: whatever their distribution, also where batches differ in it."""
    rng = np.random.default_rng(3)
    gaps = rng.standard_cauchy((2000, 60)) if shape == "cauchy" else rng.standard_normal((2000, 60))
    if shape == "growing":
        gaps *= np.exp(np.arange(60) / 5)
    wins = np.cumsum(gaps > 0, axis=1)
    table = np.array([[settled(w, max(n - w, 0), ALPHA) for w in range(61)] for n in range(1, 61)])
    ever = table[np.arange(60), wins].any(axis=1).mean()
    assert ever <= ALPHA
    biased = np.cumsum(rng.random((2000, 60)) < 0.9, axis=1)
    assert table[np.arange(60), biased].any(axis=1).mean() > 0.95  # and it does tell what is unlike


def test_how_many_batches_it_takes_at_five_percent() -> None:
    assert [settled(n, 0, 0.05) for n in range(9)] == [False] * 7 + [True] * 2
    assert settled(0, 7, 0.05)
    assert [settled(w, n, 0.05) for w, n in ((10, 1), (11, 1), (13, 2), (14, 2))] == [False, True, False, True]


def test_evidence_has_no_largest_value() -> None:
    assert settled(1100, 0, 0.05)
    assert settled(0, 100_000, 1e-300)
    assert not settled(50_000, 50_000, 0.05)
    assert evidence(1100, 0) == np.inf


@pytest.fixture
def spectra(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Race]:
    """A race on given eigenvalues, one per network and batch; nan: the Hessian cannot be measured from there on."""
    split = Split(torch.zeros(40, 1, 2, 2, dtype=torch.uint8), torch.zeros(40, dtype=torch.long))
    data = Dataset("none", 2, split, split, split, (0.5,), (0.5,), False, "")

    def run_race(*rows: Sequence[float], **options: Any) -> Race:
        models = [nn.Linear(1, 1) for _ in rows]
        subjects = [Subject("", model, (), data, [], 2, None, 0.0, "", None, "") for model in models]

        def measure(model: nn.Module, batches: Sequence[Any], *, parts: Parts, **_: Any) -> HessianResult:
            values = np.array(rows[models.index(model)][: len(batches)])
            if np.isnan(values).any():
                raise RunError("its loss is nan")
            parts.done = list(values)
            return _result(values[:, None].tolist())

        monkeypatch.setattr("archdsl.analyses.subjects.race.hessian.measure", measure)
        kept = [Parts() for _ in rows]
        return race(subjects, Options(batches=len(rows[0]), batch_size=1), 0.05, kept, **options)

    return run_race


def test_a_verdict_is_not_forgotten(spectra: Callable[..., Race]) -> None:
    """The second is sharper on the first 10 batches and flatter on all later ones; the third is never told apart."""
    first = [1.0] * 30
    found = spectra(first, [2.0] * 10 + [0.5] * 20, [2.0, 0.5] * 15)
    assert found.verdicts == ("sharper", None)
    assert found.batches == 30
    assert found.wins == ((8, 0), (15, 15))  # settled at 0.025
    assert [len(result.eigenvalues) for result in found.results] == [30, 8, 30]
    assert not settled(10, 20, 0.025)


def test_a_hessian_that_cannot_be_measured_is_left_out(spectra: Callable[..., Race]) -> None:
    nan, even = float("nan"), [1.0] * 9
    with pytest.raises(RunError, match="its loss is nan"):
        spectra(even, [2.0] * 9, [2.0, nan, 2.0] * 3)
    found = spectra(even, [2.0] * 9, [2.0, nan, 2.0] * 3, strict=False)
    assert found.verdicts == ("sharper", None)
    assert [result is None for result in found.results] == [False, False, True]
    assert "c is left out of the race: its loss is nan" in found.document("abc")["notes"]
    found = spectra([1.0, nan], [2.0] * 2, [2.0] * 2, strict=False)
    assert found.results == (None,) * 3
    assert found.verdicts == (None, None)
    assert found.document("abc")["notes"] == ["a is left out of the race: its loss is nan"]


def test_batches_are_compared_in_pairs() -> None:
    one = _result([[4.0, -9.0], [2.0, 1.0], [-1.0, -2.0], [-1.0, 0.0]])
    other = _result([[5.0, -1.0], [1.0, 1.0], [3.0, -2.0], [-5.0, 0.0]])
    assert tally(one, other) == (2, 1)  # no positive eigenvalue on either: a tie
    assert tally(other, one) == (1, 2)


def _result(rows: list[list[float]]) -> HessianResult:
    values = np.array(rows)
    none = np.zeros(len(values))
    return HessianResult(values, np.zeros_like(values), values.min(1), values.max(1), none, none, none, 10, 4, 0.0)


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory, little: Path) -> list[str]:
    """Two networks whose sharpness differs clearly, trained, and the first once more."""
    folder = tmp_path_factory.mktemp("race")
    made = []
    for name, rate in (("one", 1e-3), ("two", 3e-2)):
        path = folder / f"{name}.arch"
        path.write_text(f"model {name} stem patch(4, k=4) stage(4)[C] train(epochs=10, batch=32, lr={rate})")
        archdsl.train(path, data=f"npz:{little}", device="cpu", out=folder / f"{name}.safetensors")
        made.append(str(folder / f"{name}.safetensors"))
    return made


def test_a_race_stops_when_it_is_settled_and_goes_on_where_it_was(
    specs: list[str], little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ["compare", *specs, "--data", f"npz:{little}", "--device", "cpu", "--only", "hessian,quality"]
    common += ["--batches", "12", "--batch-size", "4", "--race", "0.2", "--out", str(tmp_path), "--json"]
    assert run(common) == 0
    found = json.loads(capsys.readouterr().out)
    raced = found["race"]
    more, less = raced["wins"]["two"]
    assert raced["batches"] == more + less <= raced["limit"] == 12
    assert (raced["verdicts"]["two"] is None) == (raced["batches"] == 12 and not settled(more, less, 0.2))
    assert raced["batches"] < 12, "these two should be told apart"
    assert any("two is" in note and "do not allow for the stopping" in note for note in found["notes"])
    (stored, _) = (json.loads(path.read_text()) for path in sorted(tmp_path.glob("*/analysis/hessian.json")))
    assert len(stored["result"]["eigenvalues"]) == raced["batches"] == stored["identity"]["batches"]
    assert any(row["score"] == "log_ape" for row in found["table"])
    assert any(row["score"] == "accuracy" for row in found["table"])
    assert "until settled" in (tmp_path / "comparison.html").read_text()

    def never(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr("archdsl.analyses.hessian.LossHessian", never)
    assert run(common) == 0
    assert json.loads(capsys.readouterr().out)["race"] == raced
    monkeypatch.undo()
    whole = [argument for argument in common if argument not in ("--race", "0.2")]
    assert run(whole) == 0  # measures what the race has left open
    capsys.readouterr()
    files = sorted(tmp_path.glob("*/analysis/hessian.json"))
    assert [len(json.loads(path.read_text())["result"]["eigenvalues"]) for path in files] == [12, 12]
    monkeypatch.setattr("archdsl.analyses.hessian.LossHessian", never)
    for command in (common, whole):  # a race destroys nothing, and is decided from what there is
        assert run(command) == 0
        capsys.readouterr()
    longer = [*common, "--batches", "20"]
    assert run(longer) == 0
    assert json.loads(capsys.readouterr().out)["race"] == raced | {"limit": 20}


@pytest.mark.usefixtures("rough_analyses")
def test_one_failed_hessian_does_not_end_a_comparison(
    specs: list[str], little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = restore(Path(specs[1]), "cpu")
    weight = next(bad.parameters())

    def build(model: nn.Module, *given: Any, **options: Any) -> LossHessian:
        if torch.equal(next(model.parameters()), weight):
            raise RunError("its loss is nan")
        return LossHessian(model, *given, **options)

    monkeypatch.setattr("archdsl.analyses.hessian.LossHessian", build)
    options: dict[str, Any] = {"data": f"npz:{little}", "device": "cpu", "batches": 2, "batch_size": 4, "out": tmp_path}
    said: list[str] = []
    found = archdsl.compare(specs, race=0.2, say=said.append, **options)
    assert "two is left out of the race: its loss is nan" in found["notes"]
    assert "two: hessian: left out: its loss is nan" in said
    assert found["race"]["verdicts"] == {"two": None}
    scores = [set(network["scores"]) for network in found["networks"]]
    assert scores[0] - scores[1] >= {"log_ape", "lambda_max"}
    assert "landscape_rise" in scores[1]
    with pytest.raises(RunError, match="its loss is nan"):
        archdsl.compare(specs, race=0.2, only=["hessian"], **options)


def test_alike_networks_are_not_told_apart(specs: list[str], little: Path, tmp_path: Path) -> None:
    found = archdsl.compare(
        [specs[0], specs[0]], data=f"npz:{little}", device="cpu", only=["hessian"], batches=3, batch_size=4, race=0.05,
        out=tmp_path,
    )  # fmt: skip
    (verdict,) = found["race"]["verdicts"].values()
    assert verdict is None
    assert found["race"]["batches"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"race": 0.0}, "no probability of a mistake"),
        ({"race": 1.5}, "no probability of a mistake"),
        ({"race": 0.1, "only": ["quality"]}, "--only leaves it out: quality"),
        ({"race": 0.1, "seeds": 2}, "there are 2 of each network"),
    ],
)
def test_bad_input(options: dict[str, object], message: str, specs: list[str], little: Path) -> None:
    with pytest.raises(UsageError, match=message):
        archdsl.compare(specs, data=f"npz:{little}", device="cpu", **options)
