"""Reruns the paper: Park & Kim 2022 (arXiv 2202.06709) on matched networks, its figures and claims from our numbers.

reproduce()                                    the embedded data set, an hour of processor time
reproduce(full=True, data="npz:cifar10.npz")   CIFAR-10, on a GPU
render(folder)                                 page and figures again, from results.json alone
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archdsl.api.reproduction.page import write_pages
from archdsl.api.reproduction.plan import FULL, QUICK, SMALL, Plan, trainings
from archdsl.api.reproduction.results import RESULTS, assemble, load
from archdsl.api.reproduction.training import carry_out, train_all
from archdsl.base.device import one_thread, pick_device
from archdsl.base.errors import StudyError, UsageError
from archdsl.base.files import write_atomically
from archdsl.data import DEFAULT_DATA
from archdsl.data import load as load_data
from archdsl.study.pool import Pool, default_workers

__all__ = ["render", "reproduce"]


def reproduce(
    *, full: bool = False, quick: bool = False, data: str | None = None, data_root: Path | None = None,
    download: bool = False, seeds: int | None = None, epochs: int | None = None, workers: int | None = None,
    device: str = "auto", run: Path | None = None, on_step: Callable[[float, float], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Train the paper's kinds of network at matched size, measure them, judge its claims, write page and figures.

    Running it again goes on where it stopped; more seeds are added to those that are there.

    Args:
        full: larger networks, for 32 x 32 images and a GPU.
        quick: a trial of the whole path, one epoch and few images per analysis: the numbers mean nothing.
        data: data set; by default the embedded one. `full` has no default.
        data_root, download: where torchvision's data sets lie, and whether to fetch them.
        seeds: trainings of each network, 3 or more for verdicts.
        epochs: of a training on all images.
        workers: processes; by default one per core, one on a GPU.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        run: the run's folder; by default one under `runs/`.
        on_step, say: for progress displays: (done, total) in about equal work, and lines.

    Returns:
        What `results.json` holds, and under `run` the folder.

    Raises:
        ArchdslError: options, data or folder are wrong, or all trainings failed.
    """
    if full and quick:
        raise UsageError(
            "--full and --quick exclude each other", "a short run of the large networks: --full --epochs 1"
        )
    if full and data is None:
        raise UsageError("--full needs a data set", "for example --data npz:cifar10.npz")
    if workers is not None and workers < 1:
        raise UsageError("--workers is 1 or more")
    say = say or (lambda text: None)
    scale = (FULL if full else QUICK if quick else SMALL).with_(seeds=seeds, epochs=epochs)
    chosen = pick_device(device)
    dataset = load_data(data or DEFAULT_DATA, root=data_root, download=download)
    networks = scale.fitted(dataset)
    plan = Plan.of(scale, dataset, networks)
    path, count = run or plan.usual_folder, workers or default_workers(chosen)
    plan.claim(path)
    say(f"{dataset.name}, {scale.seeds} seeds, {scale.recipe.epochs} epochs; {chosen}, {count} at a time; {path}")
    pool = Pool(carry_out, count, dataset, (dataset.name, data_root), chosen)
    with one_thread(chosen):  # in this process as in the workers
        records = train_all(
            trainings(scale, networks, path), pool, on_step=on_step or (lambda done, total: None), say=say
        )
    results = assemble(plan, dataset, networks, records, chosen, count)
    write_atomically(path / RESULTS, json.dumps(results) + "\n")
    write_pages(results, path)
    return results | {"run": str(path)}


def render(path: Path) -> dict[str, Any]:
    """Write page and figures of a run again, from its `results.json`.

    Raises:
        StudyError: there are no usable results.
        RunError: the folder cannot be written.
    """
    results = load(path)
    try:
        write_pages(results, path)
    except (KeyError, TypeError, IndexError) as error:
        raise StudyError(f"the results in '{path}' are incomplete: {error!r}", "run archdsl reproduce again") from None
    return results | {"run": str(path)}
