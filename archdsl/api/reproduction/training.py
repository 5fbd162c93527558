"""Carries out one training of a rerun: trains, keeps the weights of some epochs, tests and measures."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.analyses import measure_all
from archdsl.api.reproduction.folder import Folder, rounded
from archdsl.api.reproduction.plan import POINTS, Training
from archdsl.api.reproduction.scale import warmed_up
from archdsl.base import checkpoint
from archdsl.base.errors import RunError, StudyError
from archdsl.base.files import write_atomically
from archdsl.base.interrupts import as_interrupt
from archdsl.data import Dataset
from archdsl.data.dataset import Split, hold_out
from archdsl.network.model import Network
from archdsl.study.trial import Task
from archdsl.training.experiment import seeded
from archdsl.training.loop import Epoch, TrainResult, evaluate, train

WATCHED = 500  # validation images after every epoch; the figures of a record are of all of them


@dataclass(frozen=True)
class Job(Task):
    """A training as the worker pool takes it.

    Attributes:
        checkpoint: lies in a folder of its own, which is emptied at the end.
        record: the file to which the record goes; by the worker, so that none waits for a slower training to be kept.
        batches, size: of the analyses, in place of their own.
    """

    training: Training | None = None
    record: Path = Path()
    batches: int | None = None
    size: int | None = None


def job(training: Training, folder: Folder) -> Job:
    """The job of a training in a run's folder."""
    plan, state = folder.plan, folder.work / training.name / "state.safetensors"
    return Job(
        training.architecture, training.recipe, training.seed, state, training=training, record=folder.file(training),
        batches=plan.batches, size=plan.size,
    )  # fmt: skip


def carry_out(
    task: Task, data: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Train and measure; the result is the record, which is in its file by then, or `{"failed": reason}`."""
    if not isinstance(task, Job) or task.training is None:
        raise TypeError("not a job of the reproduction")
    began, computed = time.perf_counter(), time.process_time()
    part = subset(data, task.training.share, task.training.seed)
    try:
        with as_interrupt():
            record = _record(task, task.training, part, data, device, on_step)
    except (RunError, StudyError) as error:  # the training, or a snapshot that was damaged meanwhile
        return {"failed": error.message}
    record["seconds"] = round(time.perf_counter() - began, 1)
    record["cpu_seconds"] = round(time.process_time() - computed, 1)  # of all threads; tells on a loaded machine, too
    kept: dict[str, Any] = rounded(record)
    write_atomically(task.record, json.dumps(kept) + "\n")
    for file in task.checkpoint.parent.glob("*.safetensors"):
        file.unlink()
    return kept


def subset(data: Dataset, share: float, seed: int) -> Dataset:
    """The data set with a share of its training images, as many of every class, drawn from the seed.

    Validation, test, and the figures images are normalised with stay, so that networks see the same numbers.

    >>> from archdsl.data import load
    >>> part = subset(load("fashion"), 0.1, seed=0)
    >>> len(part.train), part.train.labels.bincount().unique().tolist()
    (600, [60])
    """
    if share == 1:
        return data
    whole = Split(data.train.images.clone(), data.train.labels)
    _, part = hold_out(whole, share, f"archdsl reproduce {seed}")
    digest = hashlib.sha256(f"{data.digest} {share} {seed}".encode()).hexdigest()
    return replace(data, train=part, digest=digest)


def watched(data: Dataset) -> Split:
    """The validation images that are looked at after every epoch: as many of every class, always the same.

    With a tenth of the training images, a look at all of them takes longer than the epoch's training.

    >>> from archdsl.data import load
    >>> len(watched(load("fashion")))
    500
    """
    validation = data.validation
    if len(validation) <= WATCHED:
        return validation
    whole = Split(validation.images.clone(), validation.labels)
    return hold_out(whole, WATCHED / len(validation), "archdsl reproduce")[1]


def _record(
    task: Job, training: Training, part: Dataset, data: Dataset, device: torch.device,
    on_step: Callable[[int, int], None] | None,
) -> dict[str, Any]:  # fmt: skip
    network, result = _train(task, training, replace(part, validation=watched(data)), device, on_step)
    splits = {"train": part.train, "validation": data.validation, "test": data.test}
    quality = {name: evaluate(network, split, data, device=device) for name, split in splits.items()}
    record: dict[str, Any] = {
        "network": training.network, "share": training.share, "seed": training.seed,
        "hash": training.architecture.hash, "params": training.architecture.params,
        "macs": training.architecture.macs, "epochs": training.recipe.epochs, "images": len(part.train),
        "curve": [{"loss": e.train_loss, "accuracy": e.metrics.accuracy, "nll": e.metrics.nll} for e in result.curve],
        "training_seconds": round(result.seconds, 1),
    }  # fmt: skip
    record |= {name: {"accuracy": m.accuracy, "nll": m.nll, "ece": m.ece} for name, m in quality.items()}
    notes: list[str] = []
    record["notes"] = notes
    record["analyses"] = _measure(network, task, training, part, training.analyses, device, notes)
    if "hessian" in training.analyses:
        early = _load(training, _snapshot(task, warmed_up(training.recipe)), device)
        found = _measure(early, task, training, part, ("hessian",), device, notes)
        record["analyses"] |= {f"{name}_early": result for name, result in found.items()}
    if training.path:
        record["path"] = _path(task, training)
    return record


def _train(
    task: Job, training: Training, part: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None
) -> tuple[Network, TrainResult]:
    """Train, or go on, with the weights of the epochs that are needed later kept in files of their own."""
    kept = kept_epochs(training)
    for again in (False, True):
        network = seeded(training.architecture, training.seed)

        def on_epoch(epoch: Epoch, network: nn.Module = network) -> bool:
            if epoch.number in kept:
                checkpoint.save(_snapshot(task, epoch.number), network.state_dict(), {})
            return True

        result = train(
            network, part, training.recipe, seed=training.seed, device=device, on_epoch=on_epoch, on_step=on_step,
            checkpoint=task.checkpoint, metadata={"reproduce": training.name},
        )  # fmt: skip
        # Stopped between the state of an epoch and its weights, a run that goes on would lack these.
        if again or all(_snapshot(task, number).is_file() for number in kept):
            break
        task.checkpoint.unlink()
    return network, result


def kept_epochs(training: Training) -> list[int]:
    """Epochs whose weights are needed: the end of the warm-up for the Hessian, some from first to last for the way."""
    epochs = training.recipe.epochs
    found = {warmed_up(training.recipe)} if "hessian" in training.analyses else set()
    if training.path:
        count = min(POINTS, epochs)
        found |= {max(1, round(epochs * (i + 1) / count)) for i in range(count)}
    return sorted(found)


def _snapshot(task: Job, epoch: int) -> Path:
    return task.checkpoint.parent / f"epoch{epoch}.safetensors"


def _load(training: Training, path: Path, device: torch.device) -> Network:
    network = seeded(training.architecture, training.seed)
    network.load_state_dict(checkpoint.load(path)[0])
    return network.to(device).eval()


def _measure(
    network: Network, task: Job, training: Training, part: Dataset, names: tuple[str, ...], device: torch.device,
    notes: list[str],
) -> dict[str, Any]:  # fmt: skip
    """Results as plain data; what this network cannot have is left out, with a note.

    Images are drawn from seed 0 for all; directions of a landscape from the training's seed.
    """
    options: dict[str, dict[str, Any]] = {
        "hessian": {"weight_decay": training.recipe.weight_decay},
        "landscape": {"weight_decay": training.recipe.weight_decay, "seed": training.seed},
    }
    found = measure_all(
        network, part, units=training.architecture.units, only=names, device=device, batches=task.batches,
        size=task.size, options={name: given for name, given in options.items() if name in names},
        on_failure=lambda name, error: notes.append(f"{name}: {error.message}"),
    )  # fmt: skip
    return {name: result.to_json() for name, result in found.items()}


def _path(task: Job, training: Training) -> dict[str, list[float]]:
    """The way to the final weights w*: d_t = w_t - w*, its length against d_0's, and the angle between them."""
    last = _weights(_load(training, _snapshot(task, training.recipe.epochs), torch.device("cpu")))
    start = _weights(seeded(training.architecture, training.seed)) - last
    epochs, lengths, angles = [0], [1.0], [0.0]
    for number in kept_epochs(training):
        here = _weights(_load(training, _snapshot(task, number), torch.device("cpu"))) - last
        length = float(here.norm())
        epochs.append(number)
        lengths.append(length / float(start.norm()))
        # In the end there is no direction left; the last one stands.
        cosine = float(here @ start) / (length * float(start.norm())) if length else math.cos(angles[-1])
        angles.append(math.acos(min(1.0, max(-1.0, cosine))))
    return {"epoch": [float(e) for e in epochs], "length": lengths, "angle": angles}


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().double().flatten() for p in network.parameters()])
