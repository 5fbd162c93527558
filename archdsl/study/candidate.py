"""One candidate: built, trained, scored; what went wrong is a reason, not a crash."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from archdsl import analyses
from archdsl.architecture import Architecture
from archdsl.data import Dataset
from archdsl.errors import RunError
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
        bar, accuracy = task.bars.get(epoch.number), epoch.metrics.accuracy
        if bar is None or accuracy >= bar:
            return True
        outcome["state"] = "stopped"
        outcome["reason"] = (
            f"stopped after epoch {epoch.number}: accuracy {accuracy:.4f} is below the others' {bar:.4f}"
        )
        return False

    try:
        network = seeded(architecture, task.seed)
        result = train(
            network, data, task.recipe, seed=task.seed, device=device, on_epoch=on_epoch, on_step=on_step,
            checkpoint=task.checkpoint,
        )  # fmt: skip
        metrics = result.metrics
        outcome["scores"] |= {"accuracy": metrics.accuracy, "nll": metrics.nll, "ece": metrics.ece}
        outcome["curve"] = [{"accuracy": e.metrics.accuracy, "nll": e.metrics.nll} for e in result.curve]
        if outcome["state"] == "complete":
            outcome["scores"] |= _wanted(network, task, data, device)
        if task.final:
            tested = test(network, data.test, data, device=device)
            outcome["test"] = {"accuracy": tested.accuracy, "nll": tested.nll, "ece": tested.ece}
        if task.analyse:
            outcome |= _analyse(network, task, data, device)
    except RunError as error:
        outcome["state"], outcome["reason"] = "failed", error.message
    task.checkpoint.unlink(missing_ok=True)
    outcome["seconds"] = time.perf_counter() - began
    return outcome


def _wanted(network: Network, task: Task, data: Dataset, device: torch.device) -> dict[str, float]:
    """The wanted scores that need an analysis.

    Raises:
        RunError: an analysis failed, or gave no such score for this network.
    """
    needed = [name for name in task.wanted if SCORES[name].source not in ("training", "cost")]
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


def record(number: int, architecture: Architecture, outcome: dict[str, Any]) -> dict[str, Any]:
    """A trial's entry in `results.json`."""
    return {
        "number": number,
        "state": outcome["state"],
        "hash": architecture.hash,
        "spec": write(architecture),
        "layout": architecture.layout,
        "decisions": dict(architecture.decisions),
        "params": architecture.params,
        "macs": architecture.macs,
        "epochs": len(outcome["curve"]),
        "seconds": round(outcome["seconds"], 3),
        "reason": outcome["reason"],
        "scores": outcome["scores"],
        "curve": [point["accuracy"] for point in outcome["curve"]],
        "curve_nll": [point["nll"] for point in outcome["curve"]],
    }
