"""Logs of a search in other programs: what TensorBoard and MLflow read back is what the search found."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from rough_analyses import rough_analyses_here_and_in_workers  # noqa: F401

import archdsl
from archdsl.base.errors import RunError, UnknownNameError, UsageError
from archdsl.cli.main import run as command
from archdsl.study.tracking import TRACKERS, Tracker, Watches, make
from archdsl.study.watch import Watch

TINY = """
model tiny
defaults(head_dim=4)
stem patch(4, k=4)
stage(4, heads=1) [{C|M}*2]
train(epochs=2, batch=32)
"""

pytestmark = pytest.mark.usefixtures("rough_analyses")


def has(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(
        bool(missing), reason=f"{', '.join(missing)} not installed; an extra of archdsl brings it"
    )


def search(folder: Path, images: Path, budget: int, *trackers: Tracker, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"workers": 1, "device": "cpu", "sampler": "random", "final_seeds": 1} | options
    watch = Watches(Watch(), trackers)
    return archdsl.search(TINY, budget=budget, data=f"npz:{images}", run=folder, watch=watch, **given)


def close(values: list[float]) -> Any:
    return pytest.approx(values, rel=1e-6)  # TensorBoard keeps single precision


# ---------------------------------------------------------------- TensorBoard


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) by tag, as TensorBoard's own reader finds them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    reader = EventAccumulator(str(folder))
    reader.Reload()
    found = {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    for tag in reader.Tags()["tensors"]:
        for event in reader.Tensors(tag):
            value = tensor_util.make_ndarray(event.tensor_proto)
            found.setdefault(tag, []).append((event.step, value.item() if value.size == 1 else value))
    return found


@has("tensorboard")
def test_tensorboard_reads_curves_scores_and_finals(little: Path, tmp_path: Path) -> None:
    results = search(tmp_path / "run", little, 3, *make(["tensorboard"]))
    logs = tmp_path / "run/tensorboard"
    for trial in results["trials"]:
        found = events(logs / f"trial-{trial['number']:04d}")
        assert [step for step, _ in found["accuracy"]] == list(range(1, len(trial["curve"]) + 1))
        assert [value for _, value in found["accuracy"]] == close(trial["curve"])
        assert [value for _, value in found["nll"]] == close(trial["curve_nll"])
        assert found["params"][0][1] == trial["params"]
        assert found["accuracy/end"][0][1] == pytest.approx(trial["scores"]["accuracy"], rel=1e-6)
        text = found["network/text_summary"][0][1]
        assert all(line in text.decode() for line in trial["spec"].splitlines())
    (seed,) = results["finalists"][0]["seeds"]
    final = events(logs / f"final-winner-seed-{seed['seed']}")
    assert final["test/accuracy"][0][1] == pytest.approx(seed["test"]["accuracy"], rel=1e-6)
    best = events(logs / "search")["best/accuracy"]
    assert best[-1][1] == pytest.approx(results["best"]["scores"]["accuracy"], rel=1e-6)


@has("tensorboard")
def test_tensorboard_gets_the_decisions_as_hyperparameters(little: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    results = search(tmp_path / "run", little, 2, *make(["tensorboard"]), final_seeds=0)
    reader = EventAccumulator(str(tmp_path / "run/tensorboard/trial-0001"))
    reader.Reload()
    content = reader.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert {name: value.string_value for name, value in start.hparams.items()} == results["trials"][1]["decisions"]


@has("tensorboard")
def test_a_promoted_network_has_one_curve_in_tensorboard(little: Path, tmp_path: Path) -> None:
    results = search(tmp_path / "run", little, 1, final_seeds=0)
    (tracker,) = make(["tensorboard"])
    tracker.opened(tmp_path, {})
    whole = results["trials"][0]
    short = whole | {"state": "stopped", "reason": "waits", "epochs": 1, "curve": whole["curve"][:1], "curve_nll": []}
    tracker.result(short, None)
    tracker.result(whole, None)
    found = events(tmp_path / "tensorboard/trial-0000")
    assert [value for _, value in found["accuracy"]] == close(whole["curve"])


# ---------------------------------------------------------------- MLflow


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def runs(place: str) -> dict[str, Any]:
    """All runs of the only experiment, by what they hold."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=place)
    (experiment,) = (e for e in client.search_experiments() if e.name.startswith("archdsl "))
    return {run.data.tags["archdsl.name"]: run for run in client.search_runs([experiment.experiment_id])}


@has("mlflow", "sqlalchemy")
@pytest.mark.usefixtures("at_home")
def test_mlflow_reads_the_search_its_networks_and_its_files(little: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    folder = tmp_path / "run"
    search(folder, little, 1, final_seeds=0)  # without the log; its network comes at the end
    results = search(folder, little, 3, *make(["mlflow"]), final_seeds=0)
    place = f"sqlite:///{folder / 'mlflow.db'}"
    found = runs(place)
    client = MlflowClient(tracking_uri=place)
    assert sorted(found) == ["search", "trial-0000", "trial-0001", "trial-0002"]
    for trial in results["trials"]:
        run = found[f"trial-{trial['number']:04d}"]
        history = client.get_metric_history(run.info.run_id, "accuracy")
        assert [m.value for m in sorted(history, key=lambda m: m.step)] == trial["curve"]
        assert run.data.metrics["score.nll"] == trial["scores"]["nll"]
        assert {name: run.data.params[name] for name in trial["decisions"]} == trial["decisions"]
        assert run.data.tags["mlflow.parentRunId"] == found["search"].info.run_id
        assert run.info.status == "FINISHED"
    search_run = found["search"]
    assert search_run.data.params["seed"] == "0"
    assert search_run.data.metrics["best.accuracy"] == results["best"]["scores"]["accuracy"]
    files = [file.path for file in client.list_artifacts(search_run.info.run_id)]
    assert sorted(files) == ["best.arch", "report.html", "results.json", "trials.csv"]
    again = search(folder, little, 3, *make(["mlflow"]), final_seeds=0)
    assert again["trials"] == results["trials"]
    assert sorted(runs(place)) == sorted(found)  # resumed, and nothing twice


@has("mlflow", "sqlalchemy")
def test_mlflow_logs_where_its_variable_says_and_an_unusable_place_is_an_error(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    monkeypatch.chdir(tmp_path)
    search(tmp_path / "run", little, 1, *make(["mlflow"]), final_seeds=0)
    assert "trial-0000" in runs(place)
    assert not (tmp_path / "run/mlflow.db").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'no/such/folder.db'}")
    (tracker,) = make(["mlflow"])
    with pytest.raises(RunError, match="cannot be used") as caught:
        tracker.opened(tmp_path, {"spec_name": "x"})
    assert "MLFLOW_TRACKING_URI" in str(caught.value.help)


# ---------------------------------------------------------------- all of them


def test_a_name_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(TRACKERS) == ["mlflow", "tensorboard"]
    with pytest.raises(UnknownNameError, match="unknown log 'tensorbord'"):
        make(["tensorbord"])
    assert command(["search", "--log", "tensorbord", "--run", str(tmp_path / "run")]) == 1
    assert "did you mean 'tensorboard'?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_program_that_is_not_installed_names_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, name, None)  # what Python itself notes of a module that is not there
    with pytest.raises(UsageError, match=f"--log {name} needs the package '{name}'") as caught:
        make([name])
    assert caught.value.help == f"pip install 'archdsl[{name}]'"


def test_a_log_that_breaks_is_left_out_and_the_search_goes_on(little: Path, tmp_path: Path) -> None:
    class Breaking(Tracker):
        seen = 0

        def opened(self, folder: Path, plan: dict[str, Any]) -> None:
            self.plan = plan

        def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
            self.seen += 1
            raise ConnectionError("the server is gone")

    class Listening(Watch):
        said = ""

        def say(self, text: str) -> None:
            self.said += text + "\n"

    broken, view = Breaking(), Listening()
    results = archdsl.search(
        TINY, budget=2, data=f"npz:{little}", run=tmp_path / "run", workers=1, device="cpu", sampler="random",
        final_seeds=0, watch=Watches(view, [broken]),
    )  # fmt: skip
    assert len(results["trials"]) == 2
    assert broken.seen == 1
    assert broken.plan["seed"] == 0
    assert "is left out from here on: the server is gone" in view.said
