"""One candidate: built, trained, scored; what went wrong is a reason, not a crash."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import torch

from archdsl import analyses, ir, space
from archdsl.architecture import Architecture
from archdsl.data import Dataset
from archdsl.errors import DiskFullError, RunError, StudyError
from archdsl.language import write
from archdsl.model import Network, build
from archdsl.recipe import Recipe
from archdsl.scores import SCORES
from archdsl.study.pool import Task
from archdsl.training import Epoch, train
from archdsl.training import evaluate as test


def recipe_for(recipe: Recipe, architecture: Architecture) -> Recipe:
    """The recipe with the holes of `train(…)` as this member decided them."""
    decided = {name: value for name, value in architecture.train.items() if f"train.{name}" in architecture.choices}
    return recipe.model_copy(update=decided) if decided else recipe


def key_of(architecture: Architecture) -> str:
    """What makes two candidates the same: the network, and what was decided of its recipe."""
    decided = [f"{name}={word}" for name, word in architecture.decisions.items() if name.startswith("train.")]
    return " ".join([architecture.hash, *decided])


def seeded(architecture: Architecture, seed: int) -> Network:
    """The network with weights drawn from a seed, whatever the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(architecture)


def evaluate(
    task: Task, data: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Train a candidate, and measure what the task asks for; failures are reasons in the result.

    Returns:
        `state`, `reason`, `scores` (accuracy, NLL, ECE, costs, and those wanted), `curve`, `seconds`; for a final also
        `test`, and `analyses` where they were asked for.
    """
    architecture = task.architecture
    outcome: dict[str, Any] = {
        "state": "complete", "reason": None, "curve": [], "seconds": 0.0,
        "scores": {"params": float(architecture.params), "macs": float(architecture.macs)},
    }  # fmt: skip
    began = time.perf_counter()

    def on_epoch(epoch: Epoch) -> bool:
        return task.until is None or epoch.number < task.until

    try:
        network = seeded(architecture, task.seed)
        result = train(
            network, data, task.recipe, seed=task.seed, device=device, on_epoch=on_epoch, on_step=on_step,
            checkpoint=task.checkpoint,
        )  # fmt: skip
        metrics = result.metrics
        outcome["scores"] |= {"accuracy": metrics.accuracy, "nll": metrics.nll, "ece": metrics.ece}
        outcome["curve"] = [{"accuracy": e.metrics.accuracy, "nll": e.metrics.nll} for e in result.curve]
        if result.stopped:
            outcome["state"] = "stopped"
            outcome["reason"] = f"waits after epoch {len(result.curve)}; others did better there"
        else:
            outcome["scores"] |= _wanted(network, task, data, device)
        if task.final:
            tested = test(network, data.test, data, device=device)
            outcome["test"] = {"accuracy": tested.accuracy, "nll": tested.nll, "ece": tested.ece}
        if task.analyse:
            outcome |= _analyse(network, task, data, device)
    except DiskFullError:
        raise  # no fault of this candidate: the search ends here, and goes on when there is room
    except RunError as error:
        outcome["state"], outcome["reason"] = "failed", error.message
    except Exception as error:  # a defect met by one network must not end the search of the others
        outcome["state"], outcome["reason"] = "failed", f"{type(error).__name__}: {error}".splitlines()[0]
        outcome["traceback"] = traceback.format_exc()
    if outcome["state"] != "stopped":  # a stopped network may be promoted, and goes on from its checkpoint
        task.checkpoint.unlink(missing_ok=True)
    outcome["seconds"] = time.perf_counter() - began
    return outcome


def _wanted(network: Network, task: Task, data: Dataset, device: torch.device) -> dict[str, float]:
    """The wanted scores that need an analysis.

    Raises:
        RunError: an analysis failed, or gave no such score for this network.
    """
    needed = [name for name in task.wanted if SCORES[name].source not in ("training", "cost", "latency")]
    if not needed:
        return {}
    found = analyses.scores(_measure(network, task, data, device, sorted({SCORES[name].source for name in needed})))
    for name in needed:
        if name not in found:
            raise RunError(f"'{name}' cannot be measured for this network", "see the notes of 'archdsl analyze'")
    return found


def _analyse(network: Network, task: Task, data: Dataset, device: torch.device) -> dict[str, Any]:
    """Spectrum and Fourier curves whole, for the report; what cannot be measured is left out, with a note."""
    found: dict[str, Any] = {"analyses": {}, "measured": {}, "notes": []}
    for name in ("hessian", "fourier"):
        try:
            results = _measure(network, task, data, device, [name])
        except RunError as error:
            found["notes"].append(f"{name}: {error.message}")
            continue
        found["measured"] |= analyses.scores(results)
        found["analyses"] |= {key: result.to_json() for key, result in results.items()}
    return found


def _measure(network: Network, task: Task, data: Dataset, device: torch.device, names: list[str]) -> dict[str, Any]:
    # The batches are drawn from seed 0 for every candidate, so that all are measured on the same images.
    return analyses.measure_all(
        network, data, units=task.architecture.units, only=names, device=device,
        options={"hessian": {"weight_decay": task.recipe.weight_decay}} if "hessian" in names else None,
    )  # fmt: skip


def member_of(entry: dict[str, Any], spec: ir.Spec) -> Architecture:
    """The member of a space that a record is about.

    Raises:
        StudyError: the record's decisions mean nothing in this space.
    """
    choices = entry["choices"]
    found = (
        None
        if set(choices) - {hole.name for hole in ir.holes(spec)}
        else space.attempt(spec, lambda hole: choices[hole.name])
    )
    if found is None:
        raise StudyError(f"trial {entry['number']} is no member of this space", "choose another folder with --run")
    return found


def record(
    number: int, architecture: Architecture, outcome: dict[str, Any], before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A trial's entry in `results.json`, and in the study.

    Args:
        number: of the trial.
        architecture: what was trained.
        outcome: of `evaluate`, or `{"died": reason}`.
        before: the entry so far, of a network that was promoted.
    """
    if "died" in outcome:
        outcome = {"state": "failed", "reason": outcome["died"], "curve": [], "seconds": 0.0, "scores": {}}
    return {
        "kind": "trained" if before is None else "continued",
        "key": key_of(architecture),
        "number": number,
        "state": outcome["state"],
        "hash": architecture.hash,
        "spec": write(architecture),
        "layout": architecture.layout,
        "decisions": dict(architecture.decisions),
        "choices": dict(architecture.choices),
        "params": architecture.params,
        "macs": architecture.macs,
        "epochs": len(outcome["curve"]),
        "seconds": round(outcome["seconds"] + (0.0 if before is None else before["seconds"]), 3),
        "reason": outcome["reason"],
        "scores": outcome["scores"],
        "curve": [point["accuracy"] for point in outcome["curve"]],
        "curve_nll": [point["nll"] for point in outcome["curve"]],
    }
