"""Carries out all trainings of a plan that are not done yet, several at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from archdsl.api.reproduction.plan import Training
from archdsl.api.reproduction.results import known
from archdsl.base.errors import RunError
from archdsl.study.pool import Pool


def train_all(
    wanted: Sequence[Training], pool: Pool, on_step: Callable[[float, float], None], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """The records of all trainings, in the order of the plan; those that failed are left out, with a word.

    Args:
        wanted: what to train; records lie in the run's folder as soon as they are there.
        pool: of processes that work with `training.carry_out`; closed at the end.
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
