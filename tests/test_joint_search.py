"""Layout, widths, depths and recipe searched together, in a space of more than 10^15 members."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from rough_analyses import rough_analyses_here_and_in_workers  # noqa: F401

import archdsl
from archdsl import space
from archdsl.base.errors import SpecError
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.report.headline import headline
from archdsl.space import attempt
from archdsl.study.baselines import baselines
from archdsl.study.record import key_of
from archdsl.study.results import read
from archdsl.training.experiment import recipe_of
from archdsl.training.usual import usual_recipe

JOINT = """
model joint
defaults(head_dim=4, down=conv)
stem patch({4..16 step 4}, k=4)
stage({4..32 step 4}, heads=1) [{C(k={3|5})|M(heads={1|2})}*{1..5}]
stage({4..32 step 4}, heads=1) [{C(k={3|5})|M(heads={1|2})}*{1..5}]
stage({4..32 step 4}, heads=1) [{C(k={3|5})|M(heads={1|2})}*{1..5}]
stage({4..32 step 4}, heads=1) [{C(k={3|5})|M(heads={1|2})}*{1..5}]
train(epochs=1, batch=32, lr={1e-4..1e-2 log}, weight_decay={1e-3..1e-1 log})
"""


def outline(results: dict[str, Any]) -> list[tuple[str, dict[str, str], float]]:
    return [(trial["hash"], trial["decisions"], trial["scores"]["accuracy"]) for trial in results["trials"]]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "tpe", "evolution", "nsga2", "gp", "bayes"])
def test_a_joint_search(little: Path, tmp_path: Path, sampler: str):
    """Really trained, nothing twice, every kind of hole decided; stopped and resumed it is the same search."""
    assert space.size(parse(JOINT)) > 10**15
    options: dict[str, Any] = {
        "data": f"npz:{little}", "workers": 1, "device": "cpu", "final_seeds": 0, "sampler": sampler,
    }  # fmt: skip
    whole = archdsl.search(JOINT, budget=7, run=tmp_path / "whole", **options)
    assert len({(key, *decided.values()) for key, decided, _ in outline(whole)}) == len(whole["trials"]) == 7
    assert all(trial["state"] == "complete" for trial in whole["trials"])
    for name in ("train.lr", "train.weight_decay", "stem.block1.width", "stage1.width", "stage4.block1.times"):
        assert len({trial["decisions"].get(name) for trial in whole["trials"]}) > 1, name
    archdsl.search(JOINT, budget=5, run=tmp_path / "parts", **options)
    assert outline(archdsl.search(JOINT, budget=7, run=tmp_path / "parts", **options)) == outline(whole)


# ---- what a candidate is -------------------------------------------------------------------------------

SMALL = """
model small
defaults(head_dim=4)
stem patch(4, k=4)
stage(4, heads=1) [{C|M}]
stage(8, heads=2, down=conv) [{C|M}]
"""


def small(train: str, before: str = "") -> str:
    return f"{before}{SMALL}train({train})\n"


HOPELESS, GOOD = 2**-17, 2**-5  # rates of learning
SEARCHED = {  # the holes of a recipe by where they stand, and the recipes that there are
    "one": small("epochs=2, batch=32, lr={7.62939453125e-06|0.03125}"),
    "let": small("epochs=2, batch=32, lr=rate", "let rate = {7.62939453125e-06|0.03125}\n"),
    "calculated": small("epochs=2, batch=32, lr={1|4096}*7.62939453125e-06"),
}


@pytest.mark.parametrize("text", SEARCHED.values(), ids=SEARCHED)
def test_members_of_one_network_differ_by_their_recipe_wherever_its_hole_stands(text: str):
    members = list(space.members(parse(text), key_of))
    assert len(members) == 8
    assert len({member.hash for member in members}) == 4
    assert {recipe_of(member) for member in members} == {
        Recipe(epochs=2, batch=32, lr=lr) for lr in (HOPELESS, GOOD)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("hole", "value"),
    [
        ("lr={1e-5..3e-2 log}", 2e-3), ("lr={1e-2..1e-1 log}", 1e-2), ("lr={1e-5..1e-4 log}", 1e-4),
        ("epochs={1..100}", 10), ("epochs={4..90 step 5}", 9), ("epochs={20..90}", 20), ("epochs={2..8 step 4}", 6), ("epochs={3..17 step 14}", 3), ("epochs={8..16 step 4}", 8),
        ("batch={64|128|256}", 128), ("batch={64|256}", 64), ("epochs={2|6}", 6), ("flip={false|true}", True), ("shift={1|2}", 2),
        ("precision={bf16|auto}", "auto"), ("lr={1|2}*1e-3", 1e-3),
    ],
)  # fmt: skip
def test_baselines_are_trained_as_near_to_the_default_recipe_as_the_space_allows(hole: str, value: Any):
    spec = parse(small(hole))
    name = hole.partition("=")[0]
    found = baselines(spec)
    assert list(found) == ["all C", "all M", "alternating"]
    assert {getattr(recipe_of(member), name) for member in found.values()} == {value}
    others = {field: default for field, default in Recipe().model_dump().items() if field != name}
    assert recipe_of(found["all C"]).model_dump() == others | {name: value}


def test_a_recipe_that_is_calculated_counts_and_its_bounds_hold():
    assert archdsl.hash(small("lr={1|2}*1e-3"))
    member = attempt(parse(small("batch=classes*2")), lambda hole: 0)
    assert member is not None
    assert recipe_of(member).batch == 20
    wrong = attempt(parse(small("warmup=classes*1")), lambda hole: 0)
    assert wrong is not None
    with pytest.raises(SpecError, match=r"train\(warmup=10\) cannot be"):
        recipe_of(wrong)
    assert usual_recipe(parse(small("batch=classes*2"))) == {}


# ---- real searches -------------------------------------------------------------------------------------


def options(little: Path, **others: Any) -> dict[str, Any]:
    return {"data": f"npz:{little}", "workers": 1, "device": "cpu", "final_seeds": 0} | others


def trained(spec: str, little: Path, folder: Path, seed: int) -> list[float]:
    """Validation accuracies that `archdsl train` gives for a text, epoch by epoch."""
    folder.mkdir(exist_ok=True)
    (folder / "a.arch").write_text(spec)
    curve: list[float] = []
    archdsl.train(
        folder / "a.arch", data=f"npz:{little}", seed=seed, device="cpu", out=folder / f"{seed}.safetensors",
        on_epoch=lambda epoch: curve.append(epoch.metrics.accuracy),
    )  # fmt: skip
    return curve


@pytest.mark.usefixtures("rough_analyses")
@pytest.mark.parametrize("text", [SEARCHED["one"], SEARCHED["let"]], ids=["one", "let"])
def test_the_finals_train_network_and_recipe_that_the_search_found(text: str, little: Path, tmp_path: Path):
    """Of every layout there are a good and a hopeless recipe, so that a network alone says nothing."""
    run = tmp_path / "run"
    results = archdsl.search(text, budget=8, run=run, halving=False, **options(little, final_seeds=2))
    assert len(results["trials"]) == 8
    assert {trial["recipe"]["lr"] for trial in results["trials"]} == {HOPELESS, GOOD}
    best, winner = results["best"], results["finalists"][0]
    assert best["recipe"]["lr"] == winner["recipe"]["lr"] == GOOD
    assert winner["tuned"] == {"lr": GOOD}
    finals = json.loads((run / "finals.json").read_text())
    assert {f"{best['key']}-{seed}" for seed in (1, 2)} <= set(finals)
    for finalist in results["finalists"]:
        assert [len(seed["curve"]) for seed in finalist["seeds"]] == [2, 2]
        assert trained(finalist["spec"], little, tmp_path / finalist["name"], 1) == finalist["seeds"][0]["curve"]
    assert all(finalist["recipe"]["lr"] == HOPELESS for finalist in results["finalists"][1:])  # the first option
    assert trained((run / "best.arch").read_text(), little, tmp_path / "best", 2) == winner["seeds"][1]["curve"]
    # A baseline of the winner's layout is another candidate, and the report says so.
    assert winner["key"] not in {finalist["key"] for finalist in results["finalists"][1:]}
    said = str(headline(read(json.loads((run / "results.json").read_text()))))
    assert said.startswith("The found layout, ")
    assert " at lr=0.0312, scores" in said
    assert "lr=0.0312" in (run / "report.html").read_text()
    again = archdsl.search(text, budget=8, run=run, halving=False, **options(little, final_seeds=2))
    assert again["finalists"] == results["finalists"]
    # What is kept of a training is found by its recipe, too.
    kept = [json.loads(file.read_text())["key"] for file in (run / "cache").iterdir()]
    assert {(key["hash"], key["recipe"]["lr"], key["seed"]) for key in kept} >= {
        (trial["hash"], trial["recipe"]["lr"], 0) for trial in results["trials"]
    }  # fmt: skip
    assert (
        len(kept) == len({json.dumps(key) for key in kept}) == 8 + 2 * len({key.rpartition("-")[0] for key in finals})
    )


EPOCHS = small("epochs={1|2|6}, batch=64, lr=0.02")


def told(results: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (t["number"], t["key"], t["state"], t["curve"], t["values"], t["recipe"]["epochs"]) for t in results["trials"]
    ]  # fmt: skip


@pytest.mark.parametrize("sampler", ["random", "bayes"])
def test_halving_where_the_epochs_are_searched(sampler: str, little: Path, tmp_path: Path):
    """Every candidate is trained for its own epochs or waits at its own rung; stopped and resumed it is the same."""
    given = options(little, sampler=sampler, seed=3)
    whole = archdsl.search(EPOCHS, budget=11, run=tmp_path / "whole", **given)
    assert len({trial["key"] for trial in whole["trials"]}) == len(whole["trials"]) == 11
    for trial in whole["trials"]:
        epochs = trial["recipe"]["epochs"]
        if trial["state"] == "complete":
            assert trial["epochs"] == len(trial["curve"]) == epochs
        else:
            assert trial["state"] == "stopped"
            assert trial["epochs"] in {2: (1,), 6: (2, 3)}[epochs]  # and of one epoch nobody waits
        assert all(math.isfinite(value) for value in trial["values"])
    assert {trial["recipe"]["epochs"] for trial in whole["trials"]} == {1, 2, 6}
    archdsl.search(EPOCHS, budget=6, run=tmp_path / "parts", **given)
    parts = archdsl.search(EPOCHS, budget=11, run=tmp_path / "parts", **given)
    assert told(parts) == told(whole)
    assert told(archdsl.search(EPOCHS, budget=11, run=tmp_path / "parts", **given)) == told(whole)


@pytest.mark.usefixtures("rough_analyses")
@pytest.mark.parametrize("text", [small("epochs=4, batch=64, lr=0.02"), EPOCHS, SMALL], ids=["said", "hole", "unsaid"])
def test_files_say_the_epochs_that_were_asked_for(text: str, little: Path, tmp_path: Path):
    run = tmp_path / "run"
    objectives = ("accuracy", "params")
    results = archdsl.search(text, budget=4, epochs=2, run=run, objectives=objectives, **options(little, final_seeds=1))
    assert not any(name.startswith("train") for trial in results["trials"] for name in trial["decisions"])
    assert all(trial["epochs"] == 2 for trial in results["trials"] if trial["state"] == "complete")
    files = [run / "best.arch", *(run / "pareto").iterdir()]
    assert len(files) == 1 + len(results["pareto"])
    for file in files:
        assert parse(file.read_text()).train["epochs"] == 2, file
    trial = results["trials"][results["pareto"][0]]
    assert trained(trial["spec"], little, tmp_path / "one", 0) == trial["curve"]
    winner = results["finalists"][0]
    assert trained((run / "best.arch").read_text(), little, tmp_path / "best", 1) == winner["seeds"][0]["curve"]
