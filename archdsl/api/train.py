"""`train`: trains a spec on a data set into a checkpoint, and tests it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archdsl import ir
from archdsl.base import checkpoint as checkpoints
from archdsl.base.checkpoint import SPEC_KEY
from archdsl.base.device import pick_device
from archdsl.base.errors import StudyError, UsageError
from archdsl.data import Dataset
from archdsl.interchange.arch_text import write
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.language.sources import read_spec
from archdsl.network import Architecture, resolve_model
from archdsl.network.latency import Latencies, check
from archdsl.network.model import Network, build
from archdsl.training.experiment import seeded, set_up
from archdsl.training.loop import Epoch, evaluate
from archdsl.training.loop import train as train_network
from archdsl.training.resume import kept_path

DATA_KEY, RECIPE_KEY = "archdsl.data", "train.recipe"


@dataclass(frozen=True)
class Job:
    """A network without holes, fitted to its data, and how to train it."""

    architecture: Architecture
    data: Dataset
    recipe: Recipe
    seed: int
    device: torch.device

    @property
    def checkpoint(self) -> Path:
        """Where its state lies unless told otherwise."""
        a = self.architecture
        return (
            Path("runs")
            / f"{a.name}-{self.data.name.partition(':')[0]}-{a.hash[:8]}-seed{self.seed}"
            / "model.safetensors"
        )

    def metadata(self) -> dict[str, str]:
        """What makes the checkpoint rebuild its network by itself."""
        return {SPEC_KEY: write(self.architecture, train=False), DATA_KEY: self.data.name}


def prepare(
    text_or_path: str | Path, *, data: str | None = None, data_root: Path | None = None, download: bool = False,
    epochs: int | None = None, seed: int = 0, device: str = "auto",
) -> Job:  # fmt: skip
    """Read a spec, its data set and its recipe; measure the latency where the spec requires one.

    Raises:
        ArchdslError: spec, data or options are wrong.
    """
    source = read_spec(text_or_path)
    spec = source.spec()
    chosen = pick_device(device)
    hole = ir.first_hole(spec)
    if hole is not None:
        resolve_model(spec, source.text, source.path)  # says that it is a space, and what to do
    spec, dataset, recipe = set_up(source, data, data_root, download, epochs)
    architecture = resolve_model(spec, source.text, source.path)
    check(spec, architecture, Latencies(chosen), source.text, source.path)
    return Job(architecture, dataset, recipe, seed, chosen)


def train(
    text_or_path: str | Path, *, data: str | None = None, data_root: Path | None = None, download: bool = False,
    epochs: int | None = None, seed: int = 0, device: str = "auto", out: Path | None = None,
    keep_every: int | None = None, on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Train a spec without holes and test it.

    An interrupted training goes on from its checkpoint; a finished one is only tested again.

    Args:
        text_or_path: a `.arch` text, a path, or a shipped name.
        data: data set; by default what the file names, else the embedded one.
        data_root, download: where torchvision's data sets lie, and whether to fetch them.
        epochs: in place of the recipe's.
        seed: of weights, order and augmentation.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        out: the checkpoint; by default `runs/NAME-DATA-HASH-seedN/model.safetensors`.
        keep_every: the weights after every so many epochs, and after the last, stay in files of their own beside the
            checkpoint (`model-epoch3.safetensors`); of epochs trained before it was asked for there are none.
        on_step, on_epoch: for progress displays.

    Returns:
        `accuracy`, `nll`, `ece` on the test split, the same on the `validation` split, `seconds`, `checkpoint`, the
        files of epochs that are `kept`, and what was trained.

    Raises:
        ArchdslError: spec, data or options are wrong, or the training failed.
    """
    if keep_every is not None and keep_every < 1:
        raise UsageError(f"the weights of every {keep_every} epochs cannot be kept", "--keep-every is from 1")
    job = prepare(
        text_or_path, data=data, data_root=data_root, download=download, epochs=epochs, seed=seed, device=device
    )
    path = out or job.checkpoint
    network, result = run(job, path, on_step=on_step, on_epoch=on_epoch, keep_every=keep_every)
    test = evaluate(network, job.data.test, job.data, device=job.device)
    valid = result["validation"]
    return {
        "accuracy": test.accuracy, "nll": test.nll, "ece": test.ece, "validation": valid, "seconds": result["seconds"],
        "images_per_second": result["images_per_second"], "checkpoint": str(path), "name": job.architecture.name,
        "hash": job.architecture.hash, "params": job.architecture.params, "data": job.data.name, "seed": seed,
        "epochs": job.recipe.epochs, "device": str(job.device),
        "kept": [str(kept) for n in range(1, job.recipe.epochs + 1) if _is_of(kept := kept_path(path, n), path)],
    }  # fmt: skip


def _is_of(kept: Path, path: Path) -> bool:
    """Whether a file holds weights of the training whose state lies at `path`, not of another one that lay there."""
    try:
        told, state = checkpoints.load_metadata(kept), checkpoints.load_metadata(path)
    except StudyError:  # absent or broken
        return False
    own = {"train.curve", "train.format"}  # in which the two differ
    return {k: v for k, v in told.items() if k not in own} == {k: v for k, v in state.items() if k not in own}


def run(
    job: Job, path: Path, on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None, keep_every: int | None = None,
) -> tuple[Network, dict[str, Any]]:  # fmt: skip
    """Train a job into a checkpoint (or take it from there), and return the network and how it went."""
    network = seeded(job.architecture, job.seed)
    began = time.perf_counter()

    def told(epoch: Epoch) -> bool:
        if on_epoch is not None:
            on_epoch(epoch)
        return True

    result = train_network(
        network, job.data, job.recipe, seed=job.seed, device=job.device, on_epoch=told, on_step=on_step,
        checkpoint=path, metadata=job.metadata(), keep_every=keep_every,
    )  # fmt: skip
    metrics = result.metrics
    return network, {
        "validation": {"accuracy": metrics.accuracy, "nll": metrics.nll, "ece": metrics.ece},
        "seconds": round(time.perf_counter() - began, 3),
        "images_per_second": round(result.images_per_second, 1),
    }


def restore(path: Path, device: str = "auto") -> tuple[Network, dict[str, str]]:
    """The trained network a checkpoint holds, rebuilt from the spec in it, and the checkpoint's metadata.

    Raises:
        StudyError: it was not written by `archdsl train`.
    """
    weights, metadata = checkpoints.load_weights(path)
    if SPEC_KEY not in metadata:
        raise StudyError(f"'{path}' holds no spec", "archdsl train writes checkpoints that do")
    network = build(resolve_model(parse(metadata[SPEC_KEY], str(path)), metadata[SPEC_KEY], str(path)))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise StudyError(
            f"the weights in '{path}' do not fit its own spec: {str(error).splitlines()[-1].strip()}"
        ) from None
    return network.to(pick_device(device)).eval(), metadata
