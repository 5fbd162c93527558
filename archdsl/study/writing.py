"""Writes the files of a run: `results.json`, `trials.csv`, `best.arch`, `pareto/`."""

from __future__ import annotations

import datetime
import math
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archdsl import ir, space
from archdsl.base.errors import StudyError
from archdsl.blocks.composites.definition import attends
from archdsl.study.distributed import Shared
from archdsl.study.history import History
from archdsl.study.plan import Plan
from archdsl.study.results import load
from archdsl.study.runner import Runner
from archdsl.study.store import RunFolder
from archdsl.study.trials_csv import write_csv


@dataclass(frozen=True)
class Call:
    """What a run's files say of the call that made them.

    Attributes:
        extent: of the space.
        budget: how many networks were to be trained.
        command: how to call this search.
        started: a date for the reader; began: `time.monotonic()`, which durations are taken from.
    """

    extent: space.Extent
    budget: int
    command: str
    started: float
    began: float


def repeating(command: str, budget: int, workers: int) -> str:
    """The command that does all of a search again, elsewhere too: with its whole budget, and as many processes.

    >>> repeating("archdsl search a.arch --budget=4 --seed 1", 7, 2)
    'archdsl search a.arch --budget 7 --seed 1 --workers 2'
    >>> repeating("archdsl.search(…)", 7, 2)
    'archdsl.search(…)'
    """
    words = shlex.split(command)
    if words[:2] != ["archdsl", "search"]:
        return command
    for option, value in (("--budget", budget), ("--workers", workers)):
        at = next((at for at, word in enumerate(words) if word.partition("=")[0] == option), len(words))
        length = 1 if at < len(words) and "=" in words[at] else 2
        words[at : at + length] = [option, str(value)]
    return shlex.join(words)


def device_text(device: torch.device, workers: int) -> str:
    """Where a search trains, in words."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    return f"cpu, {workers} process{'es' * (workers > 1)} of one thread"


def write_results(
    runner: Runner | Shared,
    folder: RunFolder,
    call: Call,
    finalists: list[dict[str, Any]],
    draw: Callable[[Path], object],
    *,
    finished: bool,
    left_out: int = 0,
) -> dict[str, Any]:
    """All files of the run, from what the runner has, and then its page.

    Args:
        runner: has searched.
        folder: of the run.
        call: that searched.
        finalists: what was trained again.
        draw: draws the page of the results that lie in a folder.
        finished: False for a search that was interrupted.
        left_out: final trainings that were not begun for want of time.
    """
    results = _of_this_call(runner, call, _earlier_seconds(folder)) | {
        "finalists": finalists, "finals_left_out": left_out, "finished": finished,
    }  # fmt: skip
    front = results["pareto"] if len(runner.plan.objectives) > 1 else []
    folder.write_json("results.json", results)
    write_csv(results, folder.path / "trials.csv")
    folder.write_architectures(
        _best_text(runner, finalists, results["best"]),
        {f"trial-{number:03d}": _annotated(runner.history.trials[number]) for number in front},
    )
    draw(folder.path)
    runner.watch.written(results)
    return results


def document(plan: Plan, spec: ir.Spec, history: History) -> dict[str, Any]:
    """What `results.json` says of a search that its plan and its records tell: all but this call and the finals.

    Args:
        plan: of the study.
        spec: the space.
        history: what was trained.
    """
    return {
        "archdsl": plan.versions.get("archdsl"),
        "language": plan.language,
        "command": "",
        "versions": plan.versions,
        "started": "",
        "seconds": None,
        "device": "",
        "seed": plan.seed,
        "sampler": plan.sampler,
        "budget": None,
        "spec": {"name": plan.spec_name, "text": plan.spec_text, "hash": plan.spec_hash},
        "data": {"name": plan.data, "digest": plan.data_digest},
        "recipe": plan.recipe.model_dump(),
        "objectives": [{"name": name, "direction": direction} for name, direction in plan.objectives],
        "decisions": [{"name": d.name, "choices": list(d.choices)} for d in space.decisions(spec)],
        "kinds": _kinds(spec),
        "trials": history.trials,
        "best": history.best(),
        "pareto": history.front(),
        "finalists": [],
        "finished": False,
    }


def _kinds(spec: ir.Spec) -> dict[str, str]:
    """What each label of a spec does, so that the report colours a space's own letters too."""
    blocks = [node for node in ir.walk(spec.stages) if isinstance(node, ir.BlockSpec)]
    return {b.names[0]: "msa" if attends(b, spec.blocks) else "conv" for b in blocks}


def _of_this_call(runner: Runner | Shared, call: Call, earlier: float) -> dict[str, Any]:
    """What this call adds to the document; `earlier` seconds were spent by earlier ones."""
    plan, data = runner.plan, runner.pool.data
    budget = max(call.budget, len(runner.history.trials))  # of an earlier call, where it was larger
    found = document(plan, runner.spec, runner.history)
    sizes = {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)}
    return found | {
        "command": repeating(call.command, budget, plan.workers),
        "started": datetime.datetime.fromtimestamp(call.started, datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - call.began + earlier, 1),
        "device": device_text(runner.pool.device, plan.workers),
        "budget": budget,
        "spec": found["spec"] | {"size": call.extent.size, "feasible": call.extent.feasible},
        "data": {"name": data.name, "digest": data.digest, "input": list(data.input), "classes": data.classes, **sizes},
    }


def _earlier_seconds(folder: RunFolder) -> float:
    """Time already spent in earlier sessions of this run; none where no file says so, or a damaged one."""
    try:
        seconds = float(load(folder.path)["seconds"])
    except (StudyError, KeyError, TypeError, ValueError, OverflowError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def _best_text(runner: Runner | Shared, finalists: list[dict[str, Any]], best: dict[str, Any] | None) -> str | None:
    """`best.arch`: the winner of the finals if there were any, else the best trial."""
    if finalists:
        winner = finalists[0]
        means = {
            split: sum(seed[split]["accuracy"] for seed in winner["seeds"]) / len(winner["seeds"])
            for split in ("validation", "test")
        }
        trained = f"accuracy over {len(winner['seeds'])} trainings"
        return (
            f"# found by archdsl on {runner.pool.data.name}, seed {runner.plan.seed}\n"
            f"# {trained}: validation {means['validation']:.4f}, test {means['test']:.4f}\n{winner['spec']}"
        )
    return None if best is None else _annotated(best)


def _annotated(trial: dict[str, Any]) -> str:
    """A trial's text with its scores in comments."""
    lines = [f"# {name} = {value:.6g}" for name, value in trial["scores"].items()]
    return "\n".join([f"# trial {trial['number']}, {trial['state']}", *lines, trial["spec"]])
