"""Carries out trainings: trained with the weights of some epochs kept, tested, measured, their records written."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.analyses import measure_all
from archdsl.api.reproduction.plan import Training
from archdsl.api.reproduction.results import known, rounded
from archdsl.base import checkpoint
from archdsl.base.errors import RunError, StudyError
from archdsl.base.files import write_atomically
from archdsl.base.interrupts import as_interrupt
from archdsl.data import Dataset
from archdsl.data.dataset import Split, hold_out
from archdsl.network.model import Network
from archdsl.study.pool import Pool
from archdsl.training.experiment import seeded
from archdsl.training.loop import Epoch, TrainResult, evaluate, train

WATCHED = 500  # validation images after every epoch; the figures of a record are of all of them
OnStep = Callable[[int, int], None] | None


def carry_out(task: Training, data: Dataset, device: torch.device, on_step: OnStep = None) -> dict[str, Any]:
    """Train and measure; the result is the record, which is in its file by then, or `{"failed": reason}`."""
    began, computed = time.perf_counter(), time.process_time()
    try:
        with as_interrupt():
            record = _record(task, data, device, on_step)
    except (RunError, StudyError) as error:  # the training, or a snapshot that was damaged meanwhile
        return {"failed": error.message}
    record["seconds"] = round(time.perf_counter() - began, 1)
    record["cpu_seconds"] = round(time.process_time() - computed, 1)  # of all threads; tells on a loaded machine, too
    kept: dict[str, Any] = rounded(record)
    write_atomically(task.record, json.dumps(kept) + "\n")
    for file in task.state.parent.glob("*.safetensors"):
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
    part = _drawn(data.train, share, f"archdsl reproduce {seed}")
    digest = hashlib.sha256(f"{data.digest} {share} {seed}".encode()).hexdigest()
    return replace(data, train=part, digest=digest)


def watched(data: Dataset) -> Split:
    """The validation images that are looked at after every epoch: as many of every class, always the same.

    With a tenth of the training images, a look at all of them takes longer than the epoch's training.

    >>> from archdsl.data import load
    >>> len(watched(load("fashion")))
    500
    """
    whole = data.validation
    return whole if len(whole) <= WATCHED else _drawn(whole, WATCHED / len(whole), "archdsl reproduce")


def _drawn(split: Split, share: float, seed: str) -> Split:
    """A share of a split, of every class alike; the split stays as it is."""
    return hold_out(Split(split.images.clone(), split.labels), share, seed)[1]


def _record(training: Training, data: Dataset, device: torch.device, on_step: OnStep) -> dict[str, Any]:
    part = subset(data, training.share, training.seed)
    network, result = _train(training, replace(part, validation=watched(data)), device, on_step)
    splits = {"train": part.train, "validation": data.validation, "test": data.test}
    quality = {name: asdict(evaluate(network, split, data, device=device)) for name, split in splits.items()}
    notes: list[str] = []
    analyses = _measure(network, training, part, training.analyses, device, notes)
    if "hessian" in training.analyses:
        early = _load(training, training.warmed_up, device)
        found = _measure(early, training, part, ("hessian",), device, notes)
        analyses |= {f"{name}_early": result for name, result in found.items()}
    record = {
        "network": training.network, "share": training.share, "seed": training.seed,
        "hash": training.architecture.hash, "params": training.architecture.params,
        "macs": training.architecture.macs, "epochs": training.recipe.epochs, "images": len(part.train),
        "curve": [{"loss": e.train_loss, "accuracy": e.metrics.accuracy, "nll": e.metrics.nll} for e in result.curve],
        "training_seconds": round(result.seconds, 1), **quality, "notes": notes, "analyses": analyses,
    }  # fmt: skip
    return record | ({"path": _path(training)} if training.path else {})


def _train(training: Training, part: Dataset, device: torch.device, on_step: OnStep) -> tuple[Network, TrainResult]:
    """Train, or go on, with the weights of the epochs that are needed later kept in files of their own."""
    for again in (False, True):
        network = seeded(training.architecture, training.seed)

        def on_epoch(epoch: Epoch, network: nn.Module = network) -> bool:
            if epoch.number in training.kept_epochs:
                checkpoint.save(_snapshot(training, epoch.number), network.state_dict(), {})
            return True

        result = train(
            network, part, training.recipe, seed=training.seed, device=device, on_epoch=on_epoch, on_step=on_step,
            checkpoint=training.state, metadata={"reproduce": training.name},
        )  # fmt: skip
        # Stopped between the state of an epoch and its weights, a run that goes on would lack these.
        if again or all(_snapshot(training, number).is_file() for number in training.kept_epochs):
            break
        training.state.unlink()
    return network, result


def _snapshot(training: Training, epoch: int) -> Path:
    return training.state.parent / f"epoch{epoch}.safetensors"


def _load(training: Training, epoch: int, device: torch.device | str = "cpu") -> Network:
    """The network as it was after an epoch."""
    network = seeded(training.architecture, training.seed)
    network.load_state_dict(checkpoint.load(_snapshot(training, epoch))[0])
    return network.to(device).eval()


def _measure(
    network: Network, training: Training, part: Dataset, names: tuple[str, ...], device: torch.device, notes: list[str]
) -> dict[str, Any]:
    """Results as plain data; what this network cannot have is left out, with a note.

    Images are drawn from seed 0 for all; directions of a landscape from the training's seed.
    """
    options: dict[str, dict[str, Any]] = {
        "hessian": {"weight_decay": training.recipe.weight_decay},
        "landscape": {"weight_decay": training.recipe.weight_decay, "seed": training.seed},
    }
    found = measure_all(
        network, part, units=training.architecture.units, only=names, device=device, batches=training.batches,
        size=training.size, options={name: given for name, given in options.items() if name in names},
        on_failure=lambda name, error: notes.append(f"{name}: {error.message}"),
    )  # fmt: skip
    return {name: result.to_json() for name, result in found.items()}


def _path(training: Training) -> dict[str, list[float]]:
    """The way to the final weights w*: d_t = w_t - w*, its length against d_0's, and the angle between them."""
    last = _weights(_load(training, training.recipe.epochs))
    start = _weights(seeded(training.architecture, training.seed)) - last
    epochs, lengths, angles = [0], [1.0], [0.0]
    for number in training.kept_epochs:
        here = _weights(_load(training, number)) - last
        length = float(here.norm())
        epochs.append(number)
        lengths.append(length / float(start.norm()))
        # In the end there is no direction left; the last one stands.
        cosine = float(here @ start) / (length * float(start.norm())) if length else math.cos(angles[-1])
        angles.append(math.acos(min(1.0, max(-1.0, cosine))))
    return {"epoch": [float(e) for e in epochs], "length": lengths, "angle": angles}


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().double().flatten() for p in network.parameters()])


# ---------------------------------------------------------------- all of them


def train_all(
    wanted: Sequence[Training], pool: Pool, on_step: Callable[[float, float], None], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """The records of all trainings, in the order of the plan; those that failed are left out, with a word.

    Args:
        wanted: what to train; records lie in the run's folder as soon as they are there.
        pool: of processes that work with `carry_out`; closed at the end.
        on_step: told (done, total) in a unit of about equal work.
        say: told what was trained.

    Raises:
        RunError: every training failed.
    """
    records = {training.name: record for training in wanted if (record := known(training)) is not None}
    todo = [training for training in wanted if training.name not in records]
    if records:
        say(f"{len(records)} of {len(wanted)} trainings are done already")
    total = sum(training.effort for training in wanted)
    done = total - sum(training.effort for training in todo)
    on_step(done, total)
    began, failed = time.monotonic(), ""
    try:
        for training in todo:
            pool.submit(training)
        for number, training in enumerate(todo, start=1):
            record = pool.take()
            failed = record.get("failed") or record.get("died") or ""
            if failed:
                say(f"{training.name} failed: {failed}")
            else:
                records[training.name] = record
                left = (time.monotonic() - began) / number * (len(todo) - number)
                say(_line(f"{number:>4}/{len(todo)}  {training.name:<28}", record, left))
            done += training.effort
            on_step(done, total)
    finally:
        pool.close()
    if not records:
        raise RunError(f"all trainings failed, the last one: {failed}")
    return [records[training.name] for training in wanted if training.name in records]


def _line(name: str, record: dict[str, Any], left: float) -> str:
    """How a training went, with the seconds left by the trainings so far, and its notes below."""
    tail = f", about {left / 60:.0f} min left" if left > 60 else ""
    line = f"{name} accuracy {record['test']['accuracy']:.4f}  {record['seconds']:.0f} s{tail}"
    return "\n".join([line, *(f"      {note}" for note in record["notes"])])
