"""Searches that ask for latency: what is too slow is turned away before training, and latency as an objective."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import torch
from faulty_searches import command, search, start

import archdsl
from archdsl import space
from archdsl.base.errors import RunError
from archdsl.data import load
from archdsl.language import parse
from archdsl.network.latency import Latencies
from archdsl.study.record import RECORD
from archdsl.study.timing import Timing
from archdsl.study.watch import Watch
from archdsl.training.experiment import fit_to_data

SPACE = """
model timed
defaults(head_dim=4)
stem patch(4, k=4)
stage(4, heads=1) [{C|M}*3]
train(epochs=1, batch=32)
"""


class Heard(Watch):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def run(text: str, folder: Path, images: Path, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"budget": 20, "data": f"npz:{images}", "run": folder, "workers": 1, "device": "cpu"}
    return archdsl.search(text, **(given | {"final_seeds": 0} | options))


@pytest.fixture(scope="module")
def measured(little: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A file of measured blocks, and the latency of every member, by hash."""
    path = tmp_path_factory.mktemp("measured") / "latency.json"
    latencies = Latencies(torch.device("cpu"), path)
    spec = fit_to_data(parse(SPACE), load(f"npz:{little}"), "x")
    return path, {member.hash: latencies.of(member) for member in space.members(spec)}


def limit(times: dict[str, float], kept: int) -> float:
    """Between the slowest of the `kept` quickest members and the next."""
    ordered = sorted(times.values())
    assert ordered[kept - 1] < ordered[kept]
    return (ordered[kept - 1] + ordered[kept]) / 2


def steps(times: dict[str, float]) -> list[int]:
    """How many members there are below each gap between two times."""
    ordered = sorted(times.values())
    return [i for i in range(1, len(ordered)) if ordered[i] > ordered[i - 1] * 1.001]


@pytest.mark.parametrize("sampler", ["exhaustive", "tpe"])
def test_only_what_is_quick_enough_is_trained(
    sampler: str, little: Path, tmp_path: Path, measured: tuple[Path, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, times = measured
    bound = limit(times, steps(times)[len(steps(times)) // 2])
    quick = {name for name, ms in times.items() if ms <= bound}
    assert 0 < len(quick) < len(times) == 8
    monkeypatch.setattr("archdsl.study.session.Latencies", lambda device, file: Latencies(device, _copied(path, file)))
    watch = Heard()
    results = run(f"{SPACE}require latency_ms <= {bound:.9f}", tmp_path / "run", little, sampler=sampler, watch=watch)
    assert {trial["hash"] for trial in results["trials"]} == quick
    for trial in results["trials"]:
        assert trial["scores"]["latency_ms"] == pytest.approx(times[trial["hash"]])
    assert any("one thread" in text and "heed no requirement on latency_ms" in text for text in watch.said)
    assert any(f"{len(times) - len(quick)} were turned away before training" in text for text in watch.said)
    unfit = [record for record in records(tmp_path / "run") if record["kind"] == "unfit"]
    assert {record["key"] for record in unfit} == set(times) - quick
    assert all("this requirement is not met: latency_ms is" in record["reason"] for record in unfit)
    # The same command again trains nothing and measures nothing.
    again = Latencies(torch.device("cpu"), tmp_path / "run" / "latency.json")
    monkeypatch.setattr("archdsl.study.session.Latencies", lambda device, file: again)
    assert (
        run(f"{SPACE}require latency_ms <= {bound:.9f}", tmp_path / "run", little, sampler=sampler)["trials"]
        == results["trials"]
    )
    assert again.measured == 0


def _copied(path: Path, file: Path) -> Path:
    """A run's file, with the times of `measured` in it from the beginning."""
    if not file.exists():
        file.write_bytes(path.read_bytes())
    return file


def records(folder: Path) -> list[dict[str, Any]]:
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "journal.log")))
    (study,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).get_trials()
    return [trial.user_attrs[RECORD] for trial in trials if RECORD in trial.user_attrs]


def test_a_search_in_which_everything_is_too_slow_says_so(little: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="none of the 8 networks that were proposed is fit") as caught:
        run(f"{SPACE}require latency_ms < 0", tmp_path / "run", little)
    assert "latency_ms is" in str(caught.value)
    assert json.loads((tmp_path / "run" / "results.json").read_text())["trials"] == []


MANY = SPACE.replace("{C|M}*3", "{C|M}*12") + "require latency_ms < 0"  # 4,096 members, all of them too slow


def test_the_time_limit_holds_while_members_are_turned_away(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Heard()
    ticks = itertools.count()  # a look at the clock takes a hundredth of a second, whatever the machine
    clock = SimpleNamespace(monotonic=lambda: next(ticks) / 100)
    monkeypatch.setattr("archdsl.study.session.time", clock)
    monkeypatch.setattr("archdsl.study.runner.time", clock)
    with pytest.raises(RunError, match="networks that were proposed is fit"):
        run(MANY, tmp_path / "run", little, timeout=1.5, sampler="random", watch=watch)
    assert "the time is used up: 0 of 20 trained" in watch.said
    assert any("10 networks were turned away before training so far, the last for this: " in t for t in watch.said)
    assert any("at no cost to the budget; the last for this: this requirement" in text for text in watch.said)


def test_ctrl_c_ends_a_search_that_turns_all_away(little: Path, tmp_path: Path) -> None:
    spec = tmp_path / "many.arch"
    spec.write_text(MANY)
    process = start(command(tmp_path / "run", little, "--sampler", "random", spec=spec))
    assert process.stderr is not None
    said = next(line for line in process.stderr if "were turned away" in line)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=300)
    assert "the last for this: this requirement is not met" in said
    assert process.returncode == 3
    assert "stopped after 0 of 7 networks" in rest
    before = len(records(tmp_path / "run"))
    with pytest.raises(RunError, match="is fit to be trained"):
        search(tmp_path / "run", little, MANY, sampler="random", timeout=0.5)
    assert len(records(tmp_path / "run")) >= before >= 10


def test_latency_as_an_objective_of_a_pareto_search(little: Path, tmp_path: Path) -> None:
    results = run(f"{SPACE}maximize accuracy minimize latency_ms", tmp_path / "run", little)
    points = {t["number"]: (-t["scores"]["accuracy"], t["scores"]["latency_ms"]) for t in results["trials"]}
    assert len(points) == 8
    front = {
        n for n, p in points.items()
        if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points.values())
    }  # fmt: skip
    assert set(results["pareto"]) == front
    assert "# latency_ms = " in (tmp_path / "run" / "pareto" / f"trial-{min(front):03d}.arch").read_text()
    assert "latency (ms)" in (tmp_path / "run" / "report.html").read_text()


def test_baselines_that_are_too_slow_are_no_finalists(
    little: Path, tmp_path: Path, measured: tuple[Path, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, times = measured
    bound = limit(times, steps(times)[0])
    monkeypatch.setattr("archdsl.study.session.Latencies", lambda device, file: Latencies(device, _copied(path, file)))
    results = run(f"{SPACE}require latency_ms <= {bound:.9f}", tmp_path / "run", little, final_seeds=1)
    assert all(times[finalist["hash"]] <= bound for finalist in results["finalists"])
    assert results["finalists"][0]["name"] == "winner"
    assert all(f["scores"]["latency_ms"] == pytest.approx(times[f["hash"]]) for f in results["finalists"])


def test_nothing_is_measured_where_nobody_asks(little: Path, tmp_path: Path) -> None:
    results = run(SPACE, tmp_path / "run", little, budget=2)
    assert "latency_ms" not in results["trials"][0]["scores"]
    assert not (tmp_path / "run" / "latency.json").exists()
    timing = Timing(parse(SPACE), (("accuracy", "maximize"),), Latencies(torch.device("cpu")))
    timing.prepare()
    assert (timing.needed, timing.latencies.measured) == (False, 0)
