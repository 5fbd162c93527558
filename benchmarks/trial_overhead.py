"""What a trial costs beyond its training: proposing, filtering, recording; in one warm process, by sampler.

    python benchmarks/trial_overhead.py [--trials 40] [--out benchmarks/results/trial_overhead.json]

One search per sampler over the shipped placement space with trainings of a single epoch on a few images; the overhead
of a trial is the time between two results minus the seconds its training took, as recorded with it. The same is timed
for a study on SQLite, which is what a user would write today. With several workers the trainings fill the cores, so
there it is the processor time of the parent, which proposes and records, that is taken. Goals: at most 50 ms each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from machine import describe

import archdsl
from archdsl.data import load
from archdsl.study.watch import Watch


class Clock(Watch):
    """Takes the time at every result."""

    def __init__(self) -> None:
        self.last: tuple[float, float] | None = None
        self.overheads: list[float] = []
        self.computed: list[float] = []  # by this process alone

    def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        now, used = time.perf_counter(), time.process_time()
        if self.last is not None:
            self.overheads.append(now - self.last[0] - record["seconds"])
            self.computed.append(used - self.last[1])
        self.last = now, used


def little(folder: Path) -> Path:
    """A data set on which a training takes a fraction of a second."""
    data = load("fashion")
    path = folder / "little.npz"
    images, labels = data.train.images[:160, 0].numpy(), data.train.labels[:160].numpy()
    np.savez(path, x_train=images, y_train=labels, x_test=images[:40], y_test=labels[:40])
    return path


def ours(data: Path, folder: Path, sampler: str, trials: int, workers: int = 1) -> list[float]:
    clock = Clock()
    archdsl.search(
        "placement", budget=trials, data=f"npz:{data}", sampler=sampler, epochs=1, run=folder, workers=workers,
        device="cpu", final_seeds=0, watch=clock,
    )  # fmt: skip
    return clock.overheads if workers == 1 else clock.computed


def naive(folder: Path, trials: int) -> list[float]:
    """An SQLite study with the default sampler and no training at all: everything is overhead."""
    study = optuna.create_study(storage=f"sqlite:///{folder}/study.db", direction="maximize")
    found = []
    for _ in range(trials):
        began = time.perf_counter()
        trial = study.ask()
        layout = [trial.suggest_categorical(f"slot{i}", ["C", "M"]) for i in range(8)]
        trial.set_user_attr("layout", "".join(layout))
        study.tell(trial, layout.count("M") / 8)
        found.append(time.perf_counter() - began)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = little(folder)
        for sampler in ("random", "tpe", "bayes", "gp"):
            found[f"archdsl, {sampler}"] = ours(data, folder / sampler, sampler, options.trials)
        many = ours(data, folder / "many", "bayes", options.trials, options.workers)
        found[f"archdsl, bayes, {options.workers} workers, processor time of the parent"] = many
        found["SQLite study, TPE, proposals alone"] = naive(folder, options.trials)
    result = {
        "machine": describe(),
        "trials": options.trials,
        "milliseconds": {
            name: {"median": 1e3 * statistics.median(s), "max": 1e3 * max(s)} for name, s in found.items()
        },
    }
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
