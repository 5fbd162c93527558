"""What a search refuses before it begins, what it says where nothing could be trained, and where its time ends."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from quick_workers import workers_of_a_server  # noqa: F401
from rough_analyses import rough_analyses_here_and_in_workers  # noqa: F401
from test_study import TINY, outline, run
from tiny_space import tiny

from archdsl.base.errors import ArchdslError, RunError, SpecError, StudyError, UsageError
from archdsl.study.plan import Plan
from archdsl.study.pool import Pool
from archdsl.study.runner import Runner
from archdsl.study.snapshot import snapshot
from archdsl.study.store import RunFolder
from archdsl.study.watch import Watch


def test_a_folder_of_another_study_is_refused_and_left_alone(little: Path, tmp_path: Path):
    run(TINY, tmp_path / "run", little, budget=1)
    before = (tmp_path / "run" / "journal.log").read_bytes()
    with pytest.raises(StudyError, match=r"another study; different: .*seed \(there 0, here 5\)"):
        run(TINY, tmp_path / "run", little, seed=5)
    with pytest.raises(StudyError, match="spec hash"):
        run(TINY.replace("patch(4", "patch(8"), tmp_path / "run", little)
    assert (tmp_path / "run" / "journal.log").read_bytes() == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(StudyError, match=r"holds other files \(thesis.tex\)"):
        run(TINY, tmp_path / "full", little)


def test_data_that_changed_since_the_study_began_are_refused(little: Path, tmp_path: Path):
    copy, folder = tmp_path / "copy.npz", tmp_path / "run"
    copy.write_bytes(little.read_bytes())
    run(TINY, folder, copy, budget=2)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    arrays = dict(np.load(copy, allow_pickle=False))
    arrays["x_train"][0, 0, 0] ^= 1  # one pixel
    np.savez(copy, **arrays)
    with pytest.raises(StudyError, match=r"holds another study; different: data digest"):
        run(TINY, folder, copy, budget=3)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_damaged_journal_and_a_busy_folder(little: Path, tmp_path: Path):
    run(TINY, tmp_path, little, budget=1)
    import fcntl

    with (tmp_path / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StudyError, match="another process"):
            run(TINY, tmp_path, little)
    lines = (tmp_path / "journal.log").read_text().splitlines()
    (tmp_path / "journal.log").write_text("\n".join(["{broken", *lines]) + "\n")
    before = (tmp_path / "journal.log").read_bytes()
    with pytest.raises(StudyError, match="damaged"):
        run(TINY, tmp_path, little)
    assert (tmp_path / "journal.log").read_bytes() == before


@pytest.mark.parametrize("field", ["recipe", "decisions"])
def test_records_that_another_version_wrote(field: str, little: Path, tmp_path: Path):
    run(TINY, tmp_path, little, budget=1)
    lines = [json.loads(line) for line in (tmp_path / "journal.log").read_text().splitlines()]
    for line in lines:
        line.get("user_attr", {}).get("archdsl", {}).pop(field, None)
    older = "".join(json.dumps(line) + "\n" for line in lines)
    assert older != (tmp_path / "journal.log").read_text()
    (tmp_path / "journal.log").write_text(older)
    (tmp_path / "results.json").unlink()
    for look in (lambda: run(TINY, tmp_path, little, budget=2), lambda: snapshot(tmp_path)):
        with pytest.raises(StudyError, match=f"another version of archdsl: a record has no '{field}'"):
            look()
    assert (tmp_path / "journal.log").read_text().startswith(older)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"budget": 0}, UsageError, "trains nothing"),
        ({"budget": -3}, UsageError, "trains nothing"),
        ({"budget": 2**31}, UsageError, "--budget"),
        ({"timeout": 0.0}, UsageError, "--timeout"),
        ({"timeout": float("nan")}, UsageError, "not nan"),
        ({"timeout": float("inf")}, UsageError, "leave --timeout out for no limit"),
        ({"trial_timeout": float("inf")}, UsageError, "leave --trial-timeout out"),
        ({"trial_timeout": -1.0}, UsageError, "--trial-timeout"),
        ({"seed": -1}, UsageError, "--seed"),
        ({"study": "x"}, UsageError, "--study names a study in a storage"),
        ({"objectives": ["accuracy", "minimize:accuracy"]}, UsageError, "'accuracy' is an objective already"),
        ({"seed": 2**63}, UsageError, "--seed"),
        ({"workers": 0}, UsageError, "--workers"),
        ({"epochs": 0}, UsageError, "--epochs"),
        ({"sampler": "pg"}, ArchdslError, "did you mean 'gp'"),
        ({"objectives": ["acc"]}, UsageError, "unknown score"),
        ({"device": "tpu"}, UsageError, "unknown device"),
        ({"data": "npz:nowhere.npz"}, ArchdslError, "nowhere.npz"),
        ({"cache": Path(__file__)}, UsageError, "test_study_limits.py' is no folder"),
        ({"run": Path(__file__)}, StudyError, "test_study_limits.py' is no folder"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(
    little: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
):
    with pytest.raises(error) as caught:
        run(TINY, tmp_path / "run", little, **options)
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("sampler", ["auto", "tpe", "random", "nsga2"])
def test_seeds_larger_than_numpy_takes(sampler: str, little: Path, tmp_path: Path):
    given = {"budget": 5, "sampler": sampler}
    large = run(tiny(epochs=4), tmp_path / "large", little, seed=5_000_000_000, **given)
    assert len(large["trials"]) == 5
    assert large["seed"] == 5_000_000_000
    other = run(tiny(epochs=4), tmp_path / "other", little, seed=5_000_000_000 % 2**32, **given)
    assert outline(large) != outline(other)


def test_a_time_limit_of_a_training_longer_than_the_system_waits_at_a_time(little: Path, tmp_path: Path):
    assert len(run(TINY, tmp_path / "run", little, budget=1, trial_timeout=1e9)["trials"]) == 1


def test_a_space_without_a_feasible_member(little: Path, tmp_path: Path):
    with pytest.raises(SpecError, match="here params goes from"):
        run(TINY + "require params <= 10", tmp_path / "run", little)
    with pytest.raises(SpecError, match="here params goes from 9,246 to 36,996"):
        run("stem patch(4, k=4) stage(4, heads=1)[{C|M}*30] require params <= 10", tmp_path / "run", little)
    assert not (tmp_path / "run").exists()


def test_when_every_network_fails_that_is_said(little: Path, tmp_path: Path):
    spec = "stem patch(4, k=4) stage(4)[{C|M}] train(epochs=4, batch=32, clip=0, lr=100.0, weight_decay=100.0)"
    with pytest.raises(RunError, match=r"none of the 2 networks could be trained: .*loss"):
        run(spec, tmp_path, little, budget=2)
    assert len(json.loads((tmp_path / "results.json").read_text())["trials"]) == 2


def test_the_time_limit_is_kept(little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Slow(Watch):
        def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
            clock.now += 0.15

    clock = SimpleNamespace(now=7.0, monotonic=lambda: clock.now)  # nothing but results takes time
    monkeypatch.setattr("archdsl.study.session.time", clock)
    monkeypatch.setattr("archdsl.study.runner.time", clock)
    assert len(run(TINY, tmp_path / "a", little, budget=16, timeout=0.2, watch=Slow())["trials"]) == 2
    monkeypatch.setattr(clock, "monotonic", iter([7.0, 8.0, 8.0, 8.0, 8.0, 8.0]).__next__)
    with pytest.raises(RunError, match="the time was used up before a network was trained"):
        run(TINY, tmp_path / "b", little, budget=16, timeout=0.2)


def test_a_folder_in_which_another_search_begins_this_very_moment_is_no_folder_of_others(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run(TINY, tmp_path, little, budget=1)
    plan = Plan.model_validate_json((tmp_path / "study.json").read_text())
    seen, exists = iter([False]), Path.exists  # at the first look its plan is not there yet
    monkeypatch.setattr(Path, "exists", lambda path: next(seen, True) if path.name == "study.json" else exists(path))
    assert RunFolder(tmp_path, plan).plan == plan


@pytest.mark.usefixtures("rough_analyses", "quick_workers")
@pytest.mark.parametrize("workers", [1, 2])
def test_no_final_is_trained_after_the_time_limit_and_they_are_made_up_for_later(
    workers: int, little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Heard(Watch):
        def __init__(self) -> None:
            self.said: list[str] = []
            self.begun = 0

        def say(self, text: str) -> None:
            self.said.append(text)

        def finals(self, done: int, total: int, name: str) -> None:
            self.begun += 1

    submitted: list[int] = []
    submit = Pool.submit
    late = Runner.late
    monkeypatch.setattr(Pool, "submit", lambda pool, task: (submitted.append(task.final), submit(pool, task))[1])
    # The time is up as soon as three finals are handed in, whatever the machine.
    monkeypatch.setattr(Runner, "late", lambda runner: sum(submitted) >= 3 or late(runner))
    watch = Heard()
    given = {"budget": 4, "final_seeds": 2, "workers": workers}
    results = run(TINY, tmp_path / "run", little, timeout=600, watch=watch, **given)
    left_out = results["finals_left_out"]
    assert sum(submitted) == watch.begun == 3
    assert f"the time is used up: {left_out} of {left_out + 3} final trainings are left out" in watch.said
    assert f"{left_out} final trainings were left out" in (tmp_path / "run" / "report.html").read_text()
    monkeypatch.undo()
    again = run(TINY, tmp_path / "run", little, **given)
    assert again["finals_left_out"] == 0
    assert "left out" not in (tmp_path / "run" / "report.html").read_text()
    assert again["finalists"] == run(TINY, tmp_path / "whole", little, **given)["finalists"]
