"""Runs a trial, one training of a network in a search, and measures it; what goes wrong is a reason, not a crash."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archdsl import analyses
from archdsl.base.device import out_of_memory
from archdsl.base.errors import DiskFullError, RunError
from archdsl.base.interrupts import as_interrupt
from archdsl.base.metrics import Metrics
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.ir.scores import SCORES
from archdsl.network import Architecture
from archdsl.network.model import Network
from archdsl.study.cache import Cache, Entry, Point, analysis_key, key_for
from archdsl.study.plan import Plan
from archdsl.study.rungs import YARDSTICKS, Rungs
from archdsl.training.experiment import recipe_of, seeded
from archdsl.training.loop import Epoch, evaluate, train


@dataclass(frozen=True)
class Task:
    """One training and what to measure after it.

    Attributes:
        wanted: scores that need an analysis, for the search.
        until: the epoch after which the training stops for now, its state kept in `checkpoint`; None for never.
        trained: epochs that are done already, and that `checkpoint` should hold; cached: unless they were taken from a
            cache, which keeps no weights.
        final: whether to test it too; analyse: whether to keep whole analyses.
        caches: folders in which to look for what the task would come to, and to keep it; see `archdsl.study.cache`.
    """

    architecture: Architecture
    recipe: Recipe
    seed: int
    checkpoint: Path
    wanted: tuple[str, ...] = ()
    until: int | None = None
    trained: int = 0
    cached: bool = False
    final: bool = False
    analyse: bool = False
    caches: tuple[Path, ...] = ()


def task_of(
    architecture: Architecture, seed: int, checkpoint: Path, before: Mapping[str, Any] | None = None, **more: Any
) -> Task:
    """The task of training a network by its own recipe.

    Args:
        architecture: the network.
        seed: of its training.
        checkpoint: keeps its state.
        before: the record so far, of a network that was promoted.
        more: see `Task`.
    """
    trained, cached = (0, False) if before is None else (before["epochs"], "cached" in before)
    return Task(architecture, recipe_of(architecture), seed, checkpoint, trained=trained, cached=cached, **more)


def search_task(
    plan: Plan, architecture: Architecture, number: int, checkpoint: Path, before: Mapping[str, Any] | None,
    caches: tuple[Path, ...],
) -> Task:  # fmt: skip
    """The task of training a network of a search up to where it waits next; see `task_of`.

    Args:
        plan: of the search.
        architecture, checkpoint, before: as for any task.
        number: of the network in the search; the first are trained to the end.
        caches: folders of trainings that are not done again.
    """
    done = 0 if before is None else before["epochs"]
    until = Rungs(plan.objectives, plan.halving).next(done, recipe_of(architecture).epochs)
    return task_of(
        architecture, plan.seed, checkpoint, before, wanted=tuple(name for name, _ in plan.objectives), caches=caches,
        until=None if number < YARDSTICKS else until,
    )  # fmt: skip


def run_trial(
    task: Task, data: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Train a network, and measure what the task asks for; failures are reasons in the result.

    Returns:
        `state`, `reason`, `scores` (accuracy, NLL, ECE, costs, and those wanted), `curve`, `seconds`; for a final also
        `test`, and `analyses` where they were asked for; `cached` where all of it was found, not done; `anew` why a
        training that should have gone on began again.
    """
    architecture = task.architecture
    outcome: dict[str, Any] = {
        "state": "complete", "reason": None, "curve": [], "seconds": 0.0,
        "scores": {"params": float(architecture.params), "macs": float(architecture.macs)},
    }  # fmt: skip
    began = time.perf_counter()
    cache = Cache(task.caches)
    try:
        with as_interrupt():
            key = key_for(architecture, task.recipe, data, task.seed, device)
            known = cache.find(key)
            if known is not None and _serves(known, task):
                outcome["cached"] = True
            else:
                there = task.checkpoint.exists()
                network, curve, stopped, first = _train(task, data, device, on_step)
                if task.trained and first == 1 and (there or not task.cached):
                    outcome["anew"] = f"its checkpoint was {'corrupt' if there else 'gone'}"
                _enter(outcome, curve)  # which stays, should an analysis fail
                known = Entry(key=key, curve=curve) if known is None else known.model_copy(update={"curve": curve})
                if not stopped:
                    known = _measured(network, known, task, data, device)
                    cache.keep(known)
            _take(outcome, known, task)
    except DiskFullError:
        raise  # no fault of this candidate: the search ends here, and goes on when there is room
    except RunError as error:
        outcome["state"], outcome["reason"] = "failed", error.message
    except Exception as error:  # a defect met by one network must not end the search of the others
        outcome["state"] = "failed"
        if out_of_memory(error):  # while it was built or analysed; a training says so itself
            outcome["reason"] = f"memory ran out: {error}".splitlines()[0]
        else:
            outcome["reason"] = f"{type(error).__name__}: {error}".splitlines()[0]
            outcome["traceback"] = traceback.format_exc()
    if outcome["state"] != "stopped":  # a stopped network may be promoted, and goes on from its checkpoint
        task.checkpoint.unlink(missing_ok=True)
    outcome["seconds"] = time.perf_counter() - began
    return outcome


def _train(
    task: Task, data: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None
) -> tuple[Network, tuple[Point, ...], bool, int | None]:
    """The network as far as the task trains it, its curve, whether there is more to come, and the first epoch done now.

    Raises:
        RunError: the training failed.
    """
    network = seeded(task.architecture, task.seed)
    epochs: list[int] = []

    def on_epoch(epoch: Epoch) -> bool:
        epochs.append(epoch.number)
        return task.until is None or epoch.number < task.until

    result = train(
        network, data, task.recipe, seed=task.seed, device=device, on_step=on_step, checkpoint=task.checkpoint,
        on_epoch=on_epoch,
    )  # fmt: skip
    curve = tuple(_point(epoch.metrics) for epoch in result.curve)
    return network, curve, result.stopped, next(iter(epochs), None)


def _measured(network: Network, entry: Entry, task: Task, data: Dataset, device: torch.device) -> Entry:
    """A training with all that the task asks for; what is known of it already is not measured again.

    Raises:
        RunError: an analysis failed.
    """
    found: dict[str, Any] = {"scores": entry.scores | _wanted(network, task, data, device, entry.scores)}
    if task.final and entry.test is None:
        found["test"] = _point(evaluate(network, data.test, data, device=device))
    if task.analyse and entry.analysed is None:
        found["analysed"] = _analyse(network, task, data, device)
    return entry.model_copy(update=found)


def _point(metrics: Metrics) -> Point:
    return Point(accuracy=metrics.accuracy, nll=metrics.nll, ece=metrics.ece)


def _stops(task: Task) -> int | None:
    """The epoch at which the task leaves a training for now; None where it goes on to the end."""
    return task.until if task.until is not None and task.until < task.recipe.epochs else None


def _serves(entry: Entry, task: Task) -> bool:
    """Whether a training that was carried through once holds all that a task asks for."""
    if len(entry.curve) != task.recipe.epochs:
        return False
    return _stops(task) is not None or (
        all(name in entry.scores.get(key, {}) for key, names in _needed(task).items() for name in names)
        and (entry.test is not None or not task.final)
        and (entry.analysed is not None or not task.analyse)
    )


def _take(outcome: dict[str, Any], entry: Entry, task: Task) -> None:
    """Enter what a training came to, as far as the task goes."""
    until = _stops(task)
    curve = entry.curve if until is None else entry.curve[:until]
    _enter(outcome, curve)
    if until is not None:
        outcome["state"], outcome["reason"] = "stopped", f"waits after epoch {len(curve)}; others did better there"
        return
    for key in _needed(task):
        outcome["scores"] |= entry.scores[key]
    if task.final and entry.test is not None:
        outcome["test"] = entry.test.model_dump()
    if task.analyse and entry.analysed is not None:
        outcome |= entry.analysed


def _enter(outcome: dict[str, Any], curve: Sequence[Point]) -> None:
    """Enter the metrics of a training."""
    outcome["curve"] = [{"accuracy": point.accuracy, "nll": point.nll} for point in curve]
    outcome["scores"] |= curve[-1].model_dump()


def _needed(task: Task) -> dict[str, list[str]]:
    """The wanted scores that need an analysis, by the analysis with its options."""
    found: dict[str, list[str]] = {}
    for name in task.wanted:
        source = SCORES[name].source
        if source not in ("training", "cost", "latency"):
            found.setdefault(analysis_key(source, _options(source, task)), []).append(name)
    return found


def _wanted(
    network: Network, task: Task, data: Dataset, device: torch.device, known: Mapping[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """The scores of the analyses that are wanted and not known, by the analysis with its options.

    Raises:
        RunError: an analysis failed, or gave no such score for this network.
    """
    missing = [key for key, names in _needed(task).items() if any(name not in known.get(key, {}) for name in names)]
    names = sorted(key.partition(" ")[0] for key in missing)
    results = _measure(network, task, data, device, names) if names else {}
    found = {analysis_key(name, _options(name, task)): result.scores() for name, result in results.items()}
    for key in missing:
        for name in _needed(task)[key]:
            if name not in found.get(key, {}):
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


def _options(name: str, task: Task) -> dict[str, Any]:
    """What an analysis is told besides the network and the images."""
    return {"weight_decay": task.recipe.weight_decay} if analyses.ANALYSES[name].takes("weight_decay") else {}


def _measure(network: Network, task: Task, data: Dataset, device: torch.device, names: list[str]) -> dict[str, Any]:
    # The batches are drawn from seed 0 for every candidate, so that all are measured on the same images.
    return analyses.measure_all(
        network, data, units=task.architecture.units, only=names, device=device,
        options={name: options for name in names if (options := _options(name, task))},
    )  # fmt: skip
