"""One candidate: built, trained, scored; what went wrong is a reason, not a crash."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
from archdsl.train import Epoch, train


@dataclass
class Outcome:
    """What became of a candidate; `record` is its entry in `results.json`."""

    state: str
    scores: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    reason: str | None = None


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
    architecture: Architecture, data: Dataset, recipe: Recipe, wanted: Sequence[str], *, seed: int,
    device: torch.device, checkpoint: Path | None = None, stops: Callable[[int, float], str | None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> tuple[Outcome, Network | None]:  # fmt: skip
    """Train a candidate and give it the scores that are wanted.

    Args:
        architecture: the candidate.
        data: trained on its training split, scored on its validation split.
        recipe: with this candidate's own decisions already in it.
        wanted: names of scores; accuracy, NLL, ECE and the costs come anyway.
        seed: of weights and training.
        device: where.
        checkpoint: where the state of the training is kept, so that an interrupted one goes on.
        stops: given (epoch, accuracy), says why the training ends here, or None.
        on_step: for progress bars.

    Returns:
        The outcome, and the trained network if there is one.
    """
    outcome = Outcome("complete", {"params": float(architecture.params), "macs": float(architecture.macs)})
    began = time.perf_counter()

    def on_epoch(epoch: Epoch) -> bool:
        if stops is not None and (reason := stops(epoch.number, epoch.metrics.accuracy)) is not None:
            outcome.state, outcome.reason = "stopped", reason
            return False
        return True

    try:
        network = seeded(architecture, seed)
        result = train(
            network, data, recipe, seed=seed, device=device, on_epoch=on_epoch, on_step=on_step, checkpoint=checkpoint
        )
        metrics = result.metrics
        outcome.scores |= {"accuracy": metrics.accuracy, "nll": metrics.nll, "ece": metrics.ece}
        outcome.curve = [{"accuracy": e.metrics.accuracy, "nll": e.metrics.nll} for e in result.curve]
        if outcome.state == "complete":
            outcome.scores |= analysed(network, architecture, data, recipe, wanted, seed=seed, device=device)
    except RunError as error:
        outcome.state, outcome.reason = "failed", error.message
        network = None  # type: ignore[assignment]
    outcome.seconds = time.perf_counter() - began
    return outcome, network


def analysed(
    network: Network, architecture: Architecture, data: Dataset, recipe: Recipe, wanted: Sequence[str], *, seed: int,
    device: torch.device,
) -> dict[str, float]:  # fmt: skip
    """The wanted scores that need an analysis.

    Raises:
        RunError: an analysis failed, or gave no such score for this network.
    """
    needed = [name for name in wanted if SCORES[name].source not in ("training", "cost")]
    if not needed:
        return {}
    results = analyses.measure_all(
        network, data, units=architecture.units, only=sorted({SCORES[name].source for name in needed}), seed=seed,
        device=device, options={"hessian": {"weight_decay": recipe.weight_decay}},
    )  # fmt: skip
    found = analyses.scores(results)
    for name in needed:
        if name not in found:
            raise RunError(f"'{name}' cannot be measured for this network", "see the notes of 'archdsl analyze'")
    return found


def record(number: int, architecture: Architecture, outcome: Outcome) -> dict[str, Any]:
    """A trial's entry in `results.json`."""
    return {
        "number": number,
        "state": outcome.state,
        "hash": architecture.hash,
        "spec": write(architecture),
        "layout": architecture.layout,
        "decisions": dict(architecture.decisions),
        "params": architecture.params,
        "macs": architecture.macs,
        "epochs": len(outcome.curve),
        "seconds": round(outcome.seconds, 3),
        "reason": outcome.reason,
        "scores": outcome.scores,
        "curve": [point["accuracy"] for point in outcome.curve],
        "curve_nll": [point["nll"] for point in outcome.curve],
    }
