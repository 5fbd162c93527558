"""What a search has come to goes in; `results.json`, `trials.csv`, `best.arch`, `pareto/` and the report come out."""

from __future__ import annotations

import datetime
import logging
import math
import shlex
import time
from dataclasses import dataclass
from typing import Any

import torch

from archdsl import report, space
from archdsl.base.errors import DiskFullError, StudyError
from archdsl.base.files import is_full
from archdsl.study.distributed import Shared
from archdsl.study.runner import Runner
from archdsl.study.snapshot import kinds
from archdsl.study.store import RunFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
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
    facts: Facts,
    finalists: list[dict[str, Any]],
    *,
    finished: bool,
    left_out: int = 0,
) -> dict[str, Any]:
    """All files of the run, from what the runner has; `left_out` final trainings were not begun for want of time."""
    results = _document(runner, facts, _earlier_seconds(folder)) | {
        "finalists": finalists, "finals_left_out": left_out, "finished": finished,
    }  # fmt: skip
    front = results["pareto"] if len(runner.plan.objectives) > 1 else []
    folder.write_json("results.json", results)
    report.write_csv(results, folder.path / "trials.csv")
    folder.write_architectures(
        _best_text(runner, finalists, results["best"]),
        {f"trial-{number:03d}": _annotated(runner.trials[number]) for number in front},
    )
    try:
        report.write(folder.path)
    except Exception as error:  # the results are safe on disk; a page that cannot be drawn must not lose them
        if is_full(error):
            raise DiskFullError(
                f"the disk is full: the report in '{folder.path}' is not written, the results are",
                "free some space; the same command writes it",
            ) from None
        log.exception("the report could not be drawn; 'archdsl report %s' tries again", folder.path)
    runner.watch.written(results)
    return results


def _document(runner: Runner | Shared, facts: Facts, earlier: float) -> dict[str, Any]:
    """What `results.json` says of the search but for its finals; `earlier` seconds were spent by earlier calls."""
    plan, data = runner.plan, runner.pool.data
    budget = max(facts.budget, len(runner.trials))  # of an earlier call, where it was larger
    return {
        "archdsl": plan.versions.get("archdsl"),
        "language": plan.language,
        "command": repeating(facts.command, budget, plan.workers),
        "versions": plan.versions,
        "started": datetime.datetime.fromtimestamp(facts.started, datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - facts.began + earlier, 1),
        "device": device_text(runner.pool.device, plan.workers),
        "seed": plan.seed,
        "sampler": plan.sampler,
        "budget": budget,
        "spec": {
            "name": plan.spec_name, "text": plan.spec_text, "hash": plan.spec_hash, "size": facts.extent.size,
            "feasible": facts.extent.feasible,
        },
        "data": {
            "name": data.name, "digest": data.digest, "input": list(data.input), "classes": data.classes,
            "train": len(data.train), "validation": len(data.validation), "test": len(data.test),
        },
        "recipe": plan.recipe.model_dump(),
        "objectives": [{"name": name, "direction": direction} for name, direction in plan.objectives],
        "decisions": [{"name": d.name, "choices": list(d.choices)} for d in space.decisions(runner.spec)],
        "kinds": kinds(runner.spec),
        "trials": runner.trials,
        "best": runner.best(),
        "pareto": runner.front(),
    }  # fmt: skip


def _earlier_seconds(folder: RunFolder) -> float:
    """Time already spent in earlier sessions of this run; none where no file says so, or a damaged one."""
    try:
        seconds = float(report.load(folder.path)["seconds"])
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
