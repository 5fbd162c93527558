"""`analyze`: a spec or a checkpoint in; scores, raw arrays and figures of its analyses out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archdsl import analyses
from archdsl.analyses import ANALYSES, Result
from archdsl.data import load
from archdsl.device import pick_device
from archdsl.errors import ArchdslError, RunError
from archdsl.experiment import DEFAULT_DATA
from archdsl.files import write_atomically
from archdsl.model import Network
from archdsl.recipe import Recipe
from archdsl.train_spec import DATA_KEY, RECIPE_KEY, prepare, restore, run


def analyze(
    file: str | Path, *, data: str | None = None, data_root: Path | None = None, download: bool = False,
    only: Sequence[str] = (), epochs: int | None = None, seed: int = 0, device: str = "auto", out: Path | None = None,
    batches: int | None = None, size: int | None = None,
    on_step: Callable[[int, int], None] | None = None, say: Callable[[str], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measure a network with the analyses of `archdsl.analyses`: spectrum, Fourier, variance, noise, lesion and others.

    Args:
        file: a checkpoint of `archdsl train` (`….safetensors`), or a spec, which is trained first by its own recipe
            (and taken from its checkpoint when it was trained before).
        data: data set; by default the one it was trained on.
        data_root, download: where torchvision's data sets lie, and whether to fetch them.
        only: names of analyses; by default all that the network can have (no variance of maps of 1 x 1, say).
        epochs: of the training of a spec, in place of its recipe's.
        seed: of the batches, and of the training of a spec.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        out: folder for `scores.json`, `….npz`, `….json` and the figures; by default beside the checkpoint.
        batches, size: how many batches of how many images, in place of each analysis's own numbers; quality always
            looks at the whole split.
        on_step: for a progress display of the training.
        say: is told what is being done.

    Returns:
        `scores`, their `standard_errors`, and the `files` written.

    Raises:
        ArchdslError: the file, the data or an option is wrong, or an analysis failed.
    """
    say = say or (lambda text: None)
    for name in only:
        ANALYSES[name]
    path = Path(file)
    if path.suffix == ".safetensors":
        pick_device(device)
        network, metadata = restore(path, device)
        dataset = load(data or metadata.get(DATA_KEY, DEFAULT_DATA), root=data_root, download=download)
        recipe = Recipe.model_validate_json(metadata[RECIPE_KEY]) if RECIPE_KEY in metadata else Recipe()
    else:
        job = prepare(file, data=data, data_root=data_root, download=download, epochs=epochs, seed=seed, device=device)
        path, dataset, recipe = job.checkpoint, job.data, job.recipe
        say(f"training {job.architecture.name} on {dataset.name} (or taking it from {path})")
        network, _ = run(job, path, on_step=on_step)
    folder = out or path.parent / "analysis"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder '{folder}': {error.strerror}", "choose another with --out") from None
    results, files = _measure(network, dataset, recipe, folder, only, seed, device, batches, size, say)
    scores = {
        "scores": analyses.scores(results),
        "standard_errors": analyses.standard_errors(results),
        "name": network.architecture.name,
        "hash": network.architecture.hash,
        "params": network.architecture.params,
        "data": dataset.name,
        "seed": seed,
    }
    write_atomically(folder / "scores.json", json.dumps(scores, indent=1) + "\n")
    return scores | {"folder": str(folder), "files": ["scores.json", *files]}


def _measure(
    network: Network, data: Any, recipe: Recipe, folder: Path, only: Sequence[str], seed: int, device: str,
    batches: int | None, size: int | None, say: Callable[[str], None],
) -> tuple[dict[str, Result], list[str]]:  # fmt: skip
    files: list[str] = []
    failures: list[ArchdslError] = []

    def keep(name: str, result: Result) -> None:
        say(f"{name}: done")
        for note in getattr(result, "notes", ()):
            say(f"{name}: {note}")
        content = result.to_json()
        write_atomically(folder / f"{name}.json", json.dumps(content) + "\n")
        arrays = io.BytesIO()
        np.savez(arrays, allow_pickle=False, **_arrays(content))
        write_atomically(folder / f"{name}.npz", arrays.getvalue())
        files.extend([f"{name}.json", f"{name}.npz"])
        files.extend(_figures(name, result, folder))

    def leave_out(name: str, error: ArchdslError) -> None:
        failures.append(error)
        say(f"{name}: left out: {error.message}")

    results = analyses.measure_all(
        network, data, units=network.architecture.units, only=list(only) or None, seed=seed,
        device=pick_device(device), batches=batches, size=size,
        options={name: {"weight_decay": recipe.weight_decay} for name in ("hessian", "landscape")},
        on_result=keep, on_failure=None if only else leave_out,
    )  # fmt: skip
    if failures and not results:
        raise failures[0]
    return results, files


def _arrays(content: Any, prefix: str = "") -> dict[str, np.ndarray[Any, Any]]:
    """The numeric lists of a JSON document as arrays, named by their path."""
    if isinstance(content, dict):
        return {k: v for key, value in content.items() for k, v in _arrays(value, f"{prefix}{key}.").items()}
    array = None
    if isinstance(content, (list, int, float)) and not isinstance(content, bool):
        try:
            array = np.asarray(content, dtype=float)
        except (ValueError, TypeError):
            array = None
    if array is not None:
        return {prefix.removesuffix("."): array}
    if isinstance(content, list):
        return {k: v for i, value in enumerate(content) for k, v in _arrays(value, f"{prefix}{i}.").items()}
    return {}


def _figures(name: str, result: Result, folder: Path) -> list[str]:
    """Draw a result into files of its own, one per view, as SVG and PNG; their names."""
    from matplotlib.figure import Figure

    files = []
    usual, *others = ANALYSES[name].views or (None,)
    for view, stem in ((usual, name), *((view, f"{name}-{view}") for view in others)):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot(projection="3d" if view == "surface" else None)
        ANALYSES[name].plot(result, axes, **({} if view is None else {"view": view}))
        for format in ("svg", "png"):
            drawn = io.BytesIO()
            figure.savefig(drawn, format=format, dpi=160)
            write_atomically(folder / f"{stem}.{format}", drawn.getvalue())
            files.append(f"{stem}.{format}")
    return files
