"""Makes a subject of what users name: a spec, which is trained, or a checkpoint, with its data, to be measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from archdsl.analyses.subjects.subject import Subject, of_network
from archdsl.api.train import DATA_KEY, RECIPE_KEY, Job, restore, run
from archdsl.base.device import pick_device
from archdsl.data import DEFAULT_DATA, Dataset, load
from archdsl.ir.recipe import Recipe


def is_checkpoint(file: Any) -> bool:
    """Whether a file is named that holds weights, and no spec."""
    return isinstance(file, (str, Path)) and Path(file).suffix == ".safetensors"


def of_checkpoint(
    path: Path, *, data: str | Dataset | None, data_root: Path | None = None, download: bool = False,
    device: str = "auto",
) -> Subject:  # fmt: skip
    """A checkpoint of `archdsl train` or of an export, on the data it was trained on, or other.

    Raises:
        ArchdslError: the file or the data is wrong, or they do not fit together.
    """
    pick_device(device)
    network, metadata = restore(path, device)
    if not isinstance(data, Dataset):
        data = load(data or metadata.get(DATA_KEY, DEFAULT_DATA), root=data_root, download=download)
    recipe = Recipe.model_validate_json(metadata[RECIPE_KEY]) if RECIPE_KEY in metadata else None
    return of_network(network, data, recipe)


def of_job(job: Job, checkpoint: Path, on_step: Callable[[int, int], None] | None) -> Subject:
    """The network of a spec, trained into a checkpoint or taken from it."""
    network, _ = run(job, checkpoint, on_step=on_step)
    return of_network(network, job.data, job.recipe)
