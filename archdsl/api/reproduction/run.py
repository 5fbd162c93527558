"""Carries out all trainings of a rerun, or takes them from its folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from archdsl.api.reproduction.folder import Folder
from archdsl.api.reproduction.plan import Training, trainings
from archdsl.api.reproduction.scale import Scale
from archdsl.api.reproduction.training import carry_out, job
from archdsl.base.errors import RunError
from archdsl.data import Dataset
from archdsl.study.pool import Pool

Say = Callable[[str], None]


def train_all(
    scale: Scale, data: Dataset, folder: Folder, *, workers: int, root: Path | None, device: torch.device,
    on_step: Callable[[float, float], None], say: Say,
) -> list[dict[str, Any]]:  # fmt: skip
    """The records of all trainings, in the order of the plan; those that failed are left out, with a word.

    Args:
        scale: what to train.
        data: on what; workers load it by its name from `root`.
        folder: keeps every record as soon as it is there, and the states of unfinished trainings.
        workers: processes; 1 trains in this one.
        root: where data sets lie.
        device: where to train.
        on_step: told (done, total) in a unit of about equal work.
        say: told what was trained.

    Raises:
        RunError: every training failed.
    """
    wanted = trainings(scale, data)
    records = {training.name: record for training in wanted if (record := folder.record(training)) is not None}
    todo = [training for training in wanted if training.name not in records]
    if records:
        say(f"{len(records)} of {len(wanted)} trainings are done already")
    total = sum(training.effort for training in wanted)
    done = total - sum(training.effort for training in todo)
    on_step(done, total)
    pool = Pool(carry_out, workers, data, (data.name, root), device)
    progress = _Progress(len(todo), say)
    failed = ""
    try:
        for training in todo:
            pool.submit(job(training, folder))
        for training in todo:
            record = pool.take()
            failed = record.get("failed") or record.get("died") or ""
            if failed:
                say(f"{training.name} failed: {failed}")
            else:
                records[training.name] = record
                progress.tell(training, record)
            done += training.effort
            on_step(done, total)
    finally:
        pool.close()
    if not records:
        raise RunError(f"all trainings failed, the last one: {failed}")
    return [records[training.name] for training in wanted if training.name in records]


class _Progress:
    """A line per training, with the time left by the trainings so far."""

    def __init__(self, count: int, say: Say) -> None:
        self.count, self.say = count, say
        self.done = 0
        self.began = time.monotonic()

    def tell(self, training: Training, record: dict[str, Any]) -> None:
        """A training is done."""
        self.done += 1
        left = (time.monotonic() - self.began) / self.done * (self.count - self.done)
        self.say(
            f"{self.done:>4}/{self.count}  {training.name:<28} accuracy {record['test']['accuracy']:.4f}  "
            f"{record['seconds']:.0f} s" + (f", about {left / 60:.0f} min left" if left > 60 else "")
        )
        for note in record["notes"]:
            self.say(f"      {note}")
