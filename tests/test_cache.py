"""The cache of trainings: what makes two the same, what is taken from it, and that it changes no result."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

import archdsl
from archdsl import analyses
from archdsl.data import Dataset, load
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.network import resolve
from archdsl.study import trial
from archdsl.study.cache import Cache, Entry, Key, Point, analysis_key, key_for
from archdsl.study.trial import Task, run_trial
from archdsl.training.experiment import fit_to_data

SPACE = """
model cached
defaults(head_dim=4)
stem patch(4, k=4)
stage(4, heads=1) [{C|M}*3]
train(epochs=4, batch=64)
"""
CPU = torch.device("cpu")
KEY = Key(
    language=1, hash="ab", recipe=Recipe().model_dump(), data="cd", seed=0, device="cpu", threads=1, archdsl="1", torch="2"
)  # fmt: skip
CURVE = (Point(accuracy=0.5, nll=1.0, ece=0.1), Point(accuracy=0.6, nll=0.75, ece=0.125))


@pytest.fixture(scope="module")
def data(little: Path) -> Dataset:
    return load(f"npz:{little}")


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hash of every network whose training is begun."""
    begun: list[str] = []
    train = trial.train

    def counted(network: Any, *arguments: Any, **options: Any) -> Any:
        begun.append(network.architecture.hash)
        return train(network, *arguments, **options)

    monkeypatch.setattr(trial, "train", counted)
    return begun


# ---- keys ------------------------------------------------------------------------------------------------


def test_a_key_is_the_network_its_recipe_its_data_and_what_computes(data: Dataset) -> None:
    network = resolve(parse("input 1x28x28 stem patch(4, k=4) stage(4)[C]"))
    alike = resolve(parse("input 1x28x28 let X = basic(order=pre) stem patch(4, k=4) stage(4)[X]"))
    other = resolve(parse("input 1x28x28 stem patch(4, k=4) stage(4)[C C]"))
    key = key_for(network, Recipe(), data, 0, CPU)
    assert key == key_for(alike, Recipe(), data, 0, CPU)
    assert key.device == "cpu"
    assert key.threads == torch.get_num_threads()
    different = [
        key_for(other, Recipe(), data, 0, CPU),
        key_for(network, Recipe(epochs=11), data, 0, CPU),
        key_for(network, Recipe(lr=1e-3), data, 0, CPU),
        key_for(network, Recipe(), data, 1, CPU),
        *(key.model_copy(update={name: value}) for name, value in
          {"data": "x", "torch": "9", "archdsl": "9", "device": "cuda", "threads": 2, "language": 9}.items()),
    ]  # fmt: skip
    assert len({key.digest, *(one.digest for one in different)}) == 1 + len(different)


def test_the_precision_of_a_key_is_the_one_that_is_computed_in(data: Dataset) -> None:
    network = resolve(parse("input 1x28x28 stage(4)[C]"))
    keys = [key_for(network, Recipe(precision=name), data, 0, CPU) for name in ("auto", "float32", "bf16")]
    assert keys[0] in keys[1:]
    assert keys[1] != keys[2]


# ---- files -----------------------------------------------------------------------------------------------


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    cache = Cache([tmp_path / "a", tmp_path / "b"])
    assert cache.find(KEY) is None
    entry = Entry(key=KEY, curve=CURVE, scores={analysis_key("fourier", {}): {"high_freq": -1.5}})
    cache.keep(entry)
    assert cache.find(KEY) == Cache([tmp_path / "b"]).find(KEY) == entry
    assert Cache([tmp_path / "b"]).find(KEY.model_copy(update={"seed": 1})) is None
    assert Cache([]).find(KEY) is None


def test_entries_of_one_training_are_joined(tmp_path: Path) -> None:
    cache = Cache([tmp_path])
    hessian, fourier = analysis_key("hessian", {"weight_decay": 0.05}), analysis_key("fourier", {})
    cache.keep(Entry(key=KEY, curve=CURVE, scores={hessian: {"ape": 3.0}}))
    cache.keep(Entry(key=KEY, curve=CURVE, scores={fourier: {"high_freq": -1.5}}, test=CURVE[0]))
    cache.keep(Entry(key=KEY, curve=CURVE))
    found = cache.find(KEY)
    assert found is not None
    assert found.scores == {hessian: {"ape": 3.0}, fourier: {"high_freq": -1.5}}
    assert found.test == CURVE[0]
    other = Cache([tmp_path / "other"])
    other.keep(Entry(key=KEY, curve=CURVE, analysed={"notes": []}))
    both = Cache([tmp_path, tmp_path / "other"]).find(KEY)
    assert both is not None
    assert (both.analysed, both.test) == ({"notes": []}, CURVE[0])


@pytest.mark.parametrize("harm", ["truncated", "empty", "binary", "other", "field", "type", "no curve", "folder"])
def test_damaged_files_are_told_of_and_count_as_absent(
    harm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache([tmp_path])
    entry = Entry(key=KEY, curve=CURVE)
    cache.keep(entry)
    (path,) = tmp_path.iterdir()
    text = path.read_text()
    content = json.loads(text)
    harmed = {
        "truncated": text[: len(text) // 2], "empty": "", "binary": "\0\1",
        "other": json.dumps(content | {"key": content["key"] | {"seed": 5}}),
        "field": json.dumps(content | {"surplus": 1}), "type": json.dumps(content | {"scores": {"a": {"b": "1"}}}),
        "no curve": json.dumps(content | {"curve": []}),
    }  # fmt: skip
    if harm == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_text(harmed[harm])
    with caplog.at_level(logging.WARNING):
        assert cache.find(KEY) is None
    assert "counts as absent" in caplog.text
    if harm != "folder":
        cache.keep(entry)
        assert cache.find(KEY) == entry


def test_a_folder_that_cannot_be_written_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        Cache([tmp_path / "file"]).keep(Entry(key=KEY, curve=CURVE))
        Cache([tmp_path / "good"]).keep(Entry(key=KEY, curve=(Point(accuracy=0.1, nll=float("nan"), ece=0.1),)))
    assert caplog.text.count("is not kept") == 2
    assert Cache([tmp_path / "good"]).find(KEY) is None


# ---- one training ------------------------------------------------------------------------------------------


def task(data: Dataset, folder: Path, **options: Any) -> Task:
    spec = fit_to_data(parse("defaults(head_dim=4) stem patch(4, k=4) stage(4, heads=1)[C M]"), data, "x")
    given: dict[str, Any] = {"caches": (folder / "cache",)} | options
    return Task(resolve(spec), Recipe(epochs=3, batch=64, precision="float32"), 0, folder / "c.safetensors", **given)


def same(outcome: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in outcome.items() if name not in ("seconds", "cached")}


def test_a_training_that_was_done_is_taken_up_to_any_epoch(data: Dataset, tmp_path: Path, trainings: list[str]) -> None:
    """A rung of a training that was carried through is what a training that stops there would have given."""
    fresh = {until: run_trial(task(data, tmp_path, until=until, caches=()), data, CPU) for until in (1, 2)}
    (tmp_path / "c.safetensors").unlink()
    whole = run_trial(task(data, tmp_path), data, CPU)
    assert "cached" not in whole
    begun = len(trainings)
    for until, outcome in fresh.items():
        found = run_trial(task(data, tmp_path, until=until), data, CPU)
        assert same(found) == same(outcome)
        assert found["cached"]
        assert found["state"] == "stopped"
    again = run_trial(task(data, tmp_path), data, CPU)
    assert (same(again), again["cached"]) == (same(whole), True)
    assert len(trainings) == begun


def test_a_further_score_needs_the_weights_and_is_measured_once(
    data: Dataset, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    measure_all = analyses.measure_all

    def counted(*arguments: Any, only: list[str], **options: Any) -> Any:
        measured.extend(only)
        return measure_all(*arguments, only=only, **options)

    monkeypatch.setattr(analyses, "measure_all", counted)
    first = run_trial(task(data, tmp_path), data, CPU)
    with_score = run_trial(task(data, tmp_path, wanted=("accuracy", "high_freq", "latency_ms")), data, CPU)
    assert (len(trainings), measured) == (2, ["fourier"])
    assert "cached" not in with_score
    assert with_score["scores"]["accuracy"] == first["scores"]["accuracy"]
    both = run_trial(task(data, tmp_path, wanted=("high_freq", "noise_auc")), data, CPU)
    assert (len(trainings), measured) == (3, ["fourier", "noise"]), "what is known is not measured again"
    again = run_trial(task(data, tmp_path, wanted=("noise_auc", "high_freq")), data, CPU)
    assert (again["cached"], again["scores"], len(measured)) == (True, both["scores"], 2)
    assert again["scores"]["high_freq"] == with_score["scores"]["high_freq"]
    tested = run_trial(task(data, tmp_path, final=True), data, CPU)
    assert "cached" not in tested
    assert run_trial(task(data, tmp_path, final=True), data, CPU)["test"] == tested["test"]
    assert len(trainings) == 4


def test_what_failed_is_not_kept(data: Dataset, tmp_path: Path) -> None:
    nowhere = tuple(float("nan") for _ in data.mean)
    outcome = run_trial(task(data, tmp_path), dataclasses.replace(data, mean=nowhere), CPU)
    assert (outcome["state"], "NaN" in outcome["reason"]) == ("failed", True)
    assert not (tmp_path / "cache").exists()


# ---- whole searches ------------------------------------------------------------------------------------------


def outline(results: dict[str, Any]) -> list[dict[str, Any]]:
    """The trials and finalists less what time and the cache have to do with."""
    return [
        {name: value for name, value in entry.items() if name not in ("seconds", "cached")}
        for entry in (*results["trials"], *results["finalists"])
    ]


def test_a_shared_cache_saves_trainings_and_changes_no_result(
    little: Path, tmp_path: Path, trainings: list[str]
) -> None:
    def search(folder: str, **options: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "budget": 8, "data": f"npz:{little}", "run": tmp_path / folder, "workers": 1, "device": "cpu",
            "final_seeds": 0, "seed": 1,
        }  # fmt: skip
        return archdsl.search(SPACE, **(given | options))

    alone = search("alone")
    without = len(trainings)
    first = search("first", cache=tmp_path / "shared")
    assert len(trainings) == 2 * without
    assert not any(trial.get("cached") for trial in first["trials"])
    second = search("second", cache=tmp_path / "shared")
    complete = {trial["hash"] for trial in first["trials"] if trial["state"] == "complete"}
    assert {trial["hash"] for trial in second["trials"] if trial.get("cached")} == complete
    assert set(trainings[2 * without :]) == {trial["hash"] for trial in first["trials"]} - complete
    assert outline(alone) == outline(first) == outline(second)
    assert len(list((tmp_path / "shared").iterdir())) == len(complete)
    # What a further score needs is trained once more, which is no fault of a checkpoint.
    more = search("more", cache=tmp_path / "shared", objectives=["accuracy", "maximize:high_freq"])
    assert any(trial["kind"] == "continued" for trial in more["trials"])
    assert not any("anew" in trial for trial in more["trials"])
    # Another seed is another training.
    assert not any(t.get("cached") for t in search("third", cache=tmp_path / "shared", seed=2, budget=2)["trials"])
