"""The search: its decisions one by one, and whole searches of real, if tiny, trainings."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from quick_workers import workers_of_a_server  # noqa: F401
from rough_analyses import rough_analyses_here_and_in_workers  # noqa: F401
from tiny_space import tiny

import archdsl
from archdsl import space
from archdsl.base.errors import ArchdslError, StudyError, UsageError
from archdsl.data import load
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.network import resolve_model
from archdsl.study.baselines import baselines, placements
from archdsl.study.plan import objectives_of
from archdsl.study.pool import Pool
from archdsl.study.trial import Task, run_trial
from archdsl.training.experiment import fit_to_data, seeded

TINY = tiny(epochs=1)


def run(text: str, folder: Path | None, images: Path, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"budget": 5, "data": f"npz:{images}", "run": folder, "workers": 1, "device": "cpu"}
    return archdsl.search(text, **(given | {"final_seeds": 0} | options))


def outline(results: dict[str, Any]) -> list[tuple[str, float]]:
    return [(trial["hash"], trial["scores"]["accuracy"]) for trial in results["trials"]]


# ---- parts -----------------------------------------------------------------------------------------------


def test_placements_are_choices_between_one_conv_and_one_attention_block():
    spec = parse("stage[{C|M} {M|C} {C|M C} {C|C(k=5)} C(k={3|5})] stage[{basic|T}]")
    assert list(placements(spec)) == ["stage1.block1", "stage1.block2", "stage2.block1"]


def test_baselines_of_a_space():
    found = baselines(parse("stage[{C|M} C {M|C} {C|M}] stage[{C|M}*3]"))
    assert {name: member.layout for name, member in found.items()} == {
        "all C": [["C", "C", "C", "C"], ["C", "C", "C"]],
        "all M": [["M", "C", "M", "M"], ["M", "M", "M"]],
        "alternating": [["C", "C", "M", "C"], ["C", "M", "C"]],
    }


def test_baselines_that_break_a_requirement_are_left_out():
    assert list(baselines(parse("stage[{C|M}*3] require count(M) >= 1"))) == ["all M", "alternating"]
    assert baselines(parse("stage[C {C|C C}]")) == {}


def test_objectives_come_from_flags_or_the_file():
    spec = parse("stage[C] maximize accuracy minimize params")
    assert objectives_of(spec, ()) == (("accuracy", "maximize"), ("params", "minimize"))
    assert objectives_of(spec, ("nll", "minimize:high_freq")) == (("nll", "minimize"), ("high_freq", "minimize"))
    assert objectives_of(parse("stage[C]"), ()) == (("accuracy", "maximize"),)
    for flag, help in (
        ("acuracy", "did you mean 'accuracy'?"),
        ("high_freq", "maximize:high_freq"),
        ("up:nll", "maximize:nll"),
    ):
        with pytest.raises(UsageError, match=r".") as caught:
            objectives_of(spec, (flag,))
        assert help in str(caught.value)


def test_a_file_may_leave_input_and_classes_to_the_data(little: Path):
    data = load(f"npz:{little}")
    fitted = fit_to_data(parse("stage[C]"), data, "x")
    assert (fitted.input, fitted.classes) == ((1, 28, 28), 10)
    with pytest.raises(ArchdslError, match="says input 3x32x32, but the data set"):
        fit_to_data(parse("input 3x32x32 stage[C]"), data, "x")


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before():
    architecture = resolve_model(parse("stage(4)[C]"))
    torch.manual_seed(1)
    first = seeded(architecture, 7)
    torch.rand(100)
    second = seeded(architecture, 7)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


# ---- the pool --------------------------------------------------------------------------------------------


def answer(task: Task, data: Any, device: Any, on_step: Any) -> dict[str, Any]:
    """Work for a pool: says who did it; seed 13 kills its process, seed 12 only the first time."""
    if task.seed == 12 and not task.checkpoint.exists():
        task.checkpoint.write_text("tried")
        os.kill(os.getpid(), signal.SIGKILL)
    if task.seed == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"seed": task.seed, "threads": torch.get_num_threads(), "images": len(data.train)}


def test_workers_answer_in_order_with_one_thread_and_survive_a_kill(little: Path, tmp_path: Path):
    source = f"npz:{little}"
    pool = Pool(answer, 2, load(source), (source, None), torch.device("cpu"))
    architecture = resolve_model(parse("stage(4)[C]"))
    for seed in (11, 12, 10):
        pool.submit(Task(architecture, Recipe(), seed, tmp_path / str(seed)))
    found = [pool.take() for _ in range(3)]
    assert [one.get("seed") for one in found] == [11, 12, 10]
    assert {one["threads"] for one in found} == {1}
    pool.submit(Task(architecture, Recipe(), 13, tmp_path / "13"))
    assert "killed twice" in pool.take()["died"]
    pool.close()
    assert len(pool) == 0


# ---- whole searches --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("rough_analyses")
def test_a_small_space_is_searched_whole_and_leaves_its_files(little: Path, tmp_path: Path):
    results = run(
        TINY.replace("[{C|M}*2]\nstage", "[C {C|M}]\nstage"), tmp_path / "run", little, budget=50, final_seeds=2
    )
    assert len(results["trials"]) == 8
    assert len({trial["hash"] for trial in results["trials"]}) == 8
    assert results["sampler"] == "exhaustive"
    folder = tmp_path / "run"
    for name in ("best.arch", "trials.csv", "report.html", "results.json", "study.json", "journal.log"):
        assert (folder / name).stat().st_size > 0, name
    best = resolve_model(parse((folder / "best.arch").read_text()))
    winner = results["finalists"][0]
    assert winner["name"] == "winner"
    assert best.hash == winner["hash"]
    means = {f["name"]: sum(s["validation"]["accuracy"] for s in f["seeds"]) / 2 for f in results["finalists"]}
    assert set(means) == {"winner", "all C", "all M", "alternating"}
    assert means["winner"] == max(means.values())
    assert all(len(f["seeds"]) == 2 and f["hessian"] and f["fourier"] for f in results["finalists"])
    with (folder / "trials.csv").open() as file:
        assert [int(row["number"]) for row in csv.DictReader(file)] == list(range(8))
    # Any Optuna tool reads the study.
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "journal.log")))
    study = optuna.load_study(study_name="tiny", storage=storage)
    assert study.best_value == pytest.approx(results["best"]["scores"]["accuracy"])
    assert set(study.best_params) == {"stage1.block2", "stage2.block1", "stage2.block2"}
    assert not any(folder.joinpath("checkpoints").iterdir())


def test_the_same_seed_gives_the_same_search_and_more_budget_goes_on(little: Path, tmp_path: Path):
    spec = TINY + "stage(8, stride=1, heads=2) [{C|M}*2]"
    whole = run(spec, tmp_path / "a", little, budget=14)
    part = run(spec, tmp_path / "b", little, budget=6)
    assert outline(part) == outline(whole)[:6]
    assert outline(run(spec, tmp_path / "b", little, budget=14)) == outline(whole)
    less = run(spec, tmp_path / "b", little, budget=6)  # nothing is taken back, and results say so
    assert (less["budget"], outline(less)) == (14, outline(whole))
    assert len({hash for hash, _ in outline(whole)}) == 14


def test_a_larger_budget_goes_on_with_the_sampler_that_the_study_was_begun_with(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    first = run(TINY, None, little, budget=5)
    more = run(TINY, None, little, budget=8)  # for which another one would have been chosen
    assert (first["sampler"], more["sampler"]) == ("bayes", "bayes")
    assert more["run"] == first["run"]
    assert outline(more)[:5] == outline(first)
    assert len(more["trials"]) == 8
    with pytest.raises(StudyError, match=r"sampler \(there bayes, here exhaustive\)"):
        run(TINY, tmp_path / first["run"], little, budget=8, sampler="exhaustive")


@pytest.mark.usefixtures("quick_workers")
def test_two_workers_repeat_themselves(little: Path, tmp_path: Path):
    spec = TINY + "stage(8, stride=1, heads=2) [{C|M}*2]"
    first = run(spec, tmp_path / "a", little, budget=8, workers=2)
    assert outline(first) == outline(run(spec, tmp_path / "b", little, budget=8, workers=2))


def test_idle_decisions_and_misfits_cost_no_budget(little: Path, tmp_path: Path):
    spec = TINY.replace("heads=2, down", "heads={2|3}, down") + "require count(M) <= 3"
    members = list(space.members(fit_to_data(parse(spec), load(f"npz:{little}"), "x")))
    results = run(spec, tmp_path, little, budget=60, sampler="random")
    assert {t["hash"] for t in results["trials"]} == {m.hash for m in members}
    assert len(results["trials"]) == len(members) == 4 * (1 + 3 * 2) - 2


def test_several_objectives_give_a_front(little: Path, tmp_path: Path):
    results = run(TINY, tmp_path, little, budget=10, objectives=["accuracy", "params"], sampler="gp")
    points = {t["number"]: (-t["scores"]["accuracy"], t["params"]) for t in results["trials"]}
    front = {n for n, p in points.items() if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points.values())}
    assert set(results["pareto"]) == front
    files = sorted(p.name for p in (tmp_path / "pareto").iterdir())
    assert files == [f"trial-{n:03d}.arch" for n in sorted(front)]
    for number in front:
        text = (tmp_path / "pareto" / f"trial-{number:03d}.arch").read_text()
        assert resolve_model(parse(text)).hash == results["trials"][number]["hash"]
        assert "# accuracy = " in text


def test_a_score_of_an_analysis_can_be_an_objective(little: Path, tmp_path: Path):
    results = run(TINY, tmp_path, little, budget=2, objectives=["minimize:high_freq"])
    assert all("high_freq" in trial["scores"] for trial in results["trials"])


def test_holes_of_the_recipe_are_searched(little: Path, tmp_path: Path):
    spec = "stem patch(4, k=4) stage(4)[C] train(epochs=1, lr={1e-4..1e-1 log}, batch={32|64})"
    results = run(spec, tmp_path, little, budget=4)
    rates = {trial["decisions"]["train.lr"] for trial in results["trials"]}
    assert len(rates) == 4
    assert all(1e-4 <= float(rate) <= 1e-1 for rate in rates)
    assert "train(" in results["best"]["spec"]
    assert "lr=" in results["best"]["spec"]


def test_a_network_that_diverges_is_recorded_with_its_reason(little: Path, tmp_path: Path):
    spec = "stem patch(4, k=4) stage(4)[{C|M}] train(epochs=4, batch=32, clip=0, weight_decay=100.0, lr={1e-3|100.0})"
    results = run(spec, tmp_path, little, budget=4)
    failed = [t for t in results["trials"] if t["state"] == "failed"]
    assert len(results["trials"]) == 4
    assert [t["decisions"]["train.lr"] for t in failed] == ["100.0", "100.0"]
    assert all("loss" in t["reason"] for t in failed)
    assert results["best"]["decisions"]["train.lr"] == "0.001"


def test_stopped_networks_are_never_the_best(little: Path, tmp_path: Path):
    results = run(TINY.replace("epochs=1", "epochs=4"), tmp_path, little, budget=12, sampler="random")
    stopped = [t for t in results["trials"] if t["state"] == "stopped"]
    assert stopped
    assert all(t["epochs"] < 4 and "others did better" in t["reason"] for t in stopped)
    complete = [t["scores"]["accuracy"] for t in results["trials"] if t["state"] == "complete"]
    assert results["best"]["scores"]["accuracy"] == max(complete)
    unhalved = run(
        TINY.replace("epochs=1", "epochs=4"), tmp_path / "all", little, budget=6, sampler="random", halving=False
    )
    assert {t["state"] for t in unhalved["trials"]} == {"complete"}


def command(folder: Path, data: Path, budget: int, spec: Path) -> list[str]:
    options = f"--budget {budget} --data npz:{data} --run {folder} --workers 1 --device cpu --final-seeds 0 --json"
    return [sys.executable, "-m", "archdsl", "search", str(spec), *options.split()]


LONGER = (TINY + "stage(8, stride=1, heads=2) [{C|M}*2]").replace("epochs=1", "epochs=3")


@pytest.fixture(scope="module")
def not_ended(little: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The search of fourteen that nobody ends."""
    return run(LONGER, tmp_path_factory.mktemp("whole") / "run", little, budget=14)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_search_that_is_ended_goes_on_as_if_it_was_not(
    little: Path, tmp_path: Path, how: signal.Signals, not_ended: dict[str, Any]
):
    spec = tmp_path / "tiny.arch"
    spec.write_text(LONGER)
    folder = tmp_path / "run"
    process = subprocess.Popen(
        command(folder, little, 14, spec),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A test run in the background of a shell ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    journal = folder / "journal.log"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and (not journal.exists() or journal.read_text().count('"trained"') < 3):
        time.sleep(0.02)
    process.send_signal(how)
    said = process.communicate(timeout=300)[1].decode()
    assert process.returncode == (3 if how == signal.SIGINT else -signal.SIGKILL), said
    if how == signal.SIGINT:
        assert "all of them are kept" in said
        assert json.loads((folder / "results.json").read_text())["finished"] is False
    done = subprocess.run(command(folder, little, 14, spec), capture_output=True, text=True, timeout=300, check=True)
    assert "going on from" in done.stderr
    resumed = json.loads(done.stdout)
    assert [(t["hash"], t["scores"]["accuracy"]) for t in resumed["trials"]] == outline(not_ended)


def test_promoted_networks_are_trained_as_if_they_had_never_waited(little: Path, tmp_path: Path):
    text = TINY.replace("epochs=1", "epochs=4")
    halved = run(text, tmp_path / "halved", little, budget=10, sampler="random")
    whole = run(text, tmp_path / "whole", little, budget=10, sampler="random", halving=False)
    curves = {t["key"]: t["curve"] for t in whole["trials"]}
    promoted = [t for t in halved["trials"] if t["kind"] == "continued"]
    assert any(t["state"] == "complete" for t in promoted)
    for trial in halved["trials"]:
        if trial["key"] in curves:
            assert trial["curve"] == curves[trial["key"]][: trial["epochs"]]
    # What waits keeps its state, for a larger budget; nothing else does.
    waiting = [t for t in halved["trials"] if t["state"] == "stopped"]
    assert 0 < len(waiting) == len(list((tmp_path / "halved" / "checkpoints").iterdir()))


def test_larger_budgets_train_nothing_anew_and_the_end_of_the_space_frees_the_disk(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    epochs: list[int] = []

    def counted(task: Task, *rest: Any) -> dict[str, Any]:
        outcome = run_trial(task, *rest)
        epochs.append(len(outcome["curve"]) - (0 if "anew" in outcome else task.trained))
        return outcome

    monkeypatch.setattr("archdsl.study.session.run_trial", counted)
    promoted = 0
    for budget in (6, 9, 12, 15):
        results = run(tiny(epochs=4), tmp_path / "run", little, budget=budget, sampler="random")
        waiting = [t for t in results["trials"] if t["state"] == "stopped"]
        promoted += sum(t["kind"] == "continued" for t in results["trials"][: budget - 3])
        assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == len(waiting)
    assert promoted
    assert not any("anew" in trial for trial in results["trials"])
    assert sum(epochs) == sum(trial["epochs"] for trial in results["trials"])  # each epoch of each network once
    results = run(tiny(epochs=4), tmp_path / "run", little, budget=30, sampler="random")
    assert len(results["trials"]) == 16
    assert any(trial["state"] == "stopped" for trial in results["trials"])
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_draws_are_even_over_decisions():
    spec = parse("stage[{C|M} {C|M}]")
    rng = random.Random(0)
    drawn = [space.draw(spec, rng) for _ in range(400)]
    share = sum(member is not None and member.layout[0][0] == "M" for member in drawn) / 400
    assert 0.4 < share < 0.6
