"""Shares a search among many processes through a PostgreSQL: the one that began it, and workers that join."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.study import StudyDirection
from pydantic import ValidationError

from archdsl import ir
from archdsl.base.device import pick_device
from archdsl.base.errors import ArchdslError, DataError, RunError, StudyError
from archdsl.base.interrupts import answered, ask
from archdsl.base.processes import start
from archdsl.data import Dataset
from archdsl.language.sources import Source
from archdsl.network.latency import Latencies
from archdsl.study.claims import Ledger
from archdsl.study.database import open_engine, open_storage, patiently
from archdsl.study.numbers import check_numbers
from archdsl.study.plan import Plan
from archdsl.study.pool import Pool, default_workers, end_with_parent
from archdsl.study.store import RunFolder, settle
from archdsl.study.timing import Timing
from archdsl.study.trial import run_trial
from archdsl.study.turned_away import TurnedAway, summary
from archdsl.study.watch import Watch, layout_text
from archdsl.study.worker import Recorded, Worker, recorded, worker_name
from archdsl.training.experiment import set_up

POLL = 1.0  # seconds between two looks at what was done


@dataclass(frozen=True)
class Place:
    """Where a study lives, and how its workers train.

    Attributes:
        url: of the database; study: its name there.
        data: name of the data set; root: where it lies.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        checkpoints: folder for the states of networks.
        seconds: for which nothing new is begun after; trial_timeout: seconds of one training.
        caches: folders of trainings that are not done again, see `archdsl.study.cache`.
    """

    url: str
    study: str
    data: str
    root: Path | None
    device: str
    checkpoints: Path
    seconds: float | None = None
    trial_timeout: float | None = None
    caches: tuple[Path, ...] = ()

    def open(self, plan: Plan) -> tuple[optuna.Study, Ledger]:
        """The study and its claims; both are made where they are absent."""
        engine = open_engine(self.url)
        ledger = Ledger(engine, self.study)
        storage = open_storage(self.url)
        study = optuna.create_study(
            study_name=self.study, storage=storage, load_if_exists=True,
            directions=[StudyDirection[direction.upper()] for _, direction in plan.objectives],
        )  # fmt: skip
        study.set_metric_names([name for name, _ in plan.objectives])
        return study, ledger


class Shared:
    """A search whose networks are trained by worker processes, here and elsewhere; see `runner.Runner`.

    Args:
        spec, plan, folder, budget, watch: as for a search on one machine.
        pool: trains the finalists.
        place: where the study lives.
        timing: gives the finalists their latency.
    """

    def __init__(
        self, spec: ir.Spec, plan: Plan, folder: RunFolder, pool: Pool, place: Place, *, budget: int, watch: Watch,
        timing: Timing | None = None,
    ) -> None:  # fmt: skip
        self.spec, self.plan, self.folder, self.pool = spec, plan, folder, pool
        self.place, self.budget, self.watch, self.timing = place, budget, watch, timing
        self.caches = place.caches
        ledger = Ledger(open_engine(place.url), place.study)
        there = Plan.model_validate_json(ledger.begin(plan.model_dump_json(), budget))
        if differences := plan.differences(there, besides=("workers", "finalist_seeds")):
            raise StudyError(
                f"the study '{place.study}' in the storage is another; different: {'; '.join(differences)}",
                "give this one another name with --study, or repeat the command that began it",
            )
        self.study, self.ledger = place.open(plan)
        self.history = self._read()
        self.deadline = None if place.seconds is None else time.monotonic() + place.seconds
        self.turned_away = TurnedAway(watch.say, len(self.history.turned_away))
        self._buried: set[str] = set()

    def run(self) -> None:
        """Start this machine's workers, tell what all workers do, and return when nothing is left to do."""
        self.watch.begin(len(self.history.by_number), self.budget)
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(target=_work, args=(self.place, self.plan, self.budget), daemon=False, name=f"worker {n}")
            for n in range(self.plan.workers)
        ]
        told = {(number, entry["epochs"]) for number, entry in self.history.by_number.items()}
        try:
            for worker in workers:
                start(worker)
            while any(worker.is_alive() for worker in workers):
                time.sleep(POLL)
                ask()
                self._tell(told)
                self._bury(workers)
        finally:
            for worker in workers:
                if worker.is_alive() and worker.pid is not None:
                    worker.terminate()
            for worker in workers:
                if worker.pid is not None:
                    worker.join(10)
        self._tell(told)
        if workers and all(worker.exitcode not in (0, None) for worker in workers):
            raise RunError(
                f"all workers of this machine ended; {len(self.history.by_number)} of {self.budget} networks are kept",
                "the same command goes on from here",
            )
        if not self.late():  # others may be at work still
            self.folder.remove_checkpoints(self.history.trials)
        if len(self.history.by_number) < self.budget:
            why = "the time is used up" if self.late() else "no further network that may be trained was found"
            self.watch.say(f"{why}: {len(self.history.by_number)} of {self.budget} trained")
        if turned_away := len(self.history.turned_away):
            self.watch.say(summary(self.study, turned_away))

    def late(self) -> bool:
        """Whether the time is used up."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def _read(self) -> Recorded:
        return patiently(lambda: recorded(self.study.get_trials(deepcopy=False), self.plan))

    def _tell(self, told: set[tuple[int, int]]) -> None:
        self.history = self._read()
        self.turned_away.tell(len(self.history.turned_away), self.history.last_reason)
        for entry in self.history.trials:
            if (entry["number"], entry["epochs"]) not in told:
                told.add((entry["number"], entry["epochs"]))
                self.watch.candidate(entry["number"], layout_text(entry["layout"]), entry["params"])
                self.watch.result(entry, self.history.best())

    def _bury(self, workers: Sequence[BaseProcess]) -> None:
        """Fail the trials of this machine's dead workers at once; others wait for the heartbeat to be missed."""
        dead = {worker_name(w.pid) for w in workers if w.exitcode not in (0, None)} - self._buried
        if not dead:
            return
        self._buried |= dead
        trials = patiently(lambda: self.study.get_trials(deepcopy=False))
        for claim in patiently(self.ledger.claims):
            if claim.worker in dead and not trials[claim.trial].state.is_finished():
                patiently(functools.partial(settle, self.study, claim.trial))


def join(
    url: str, study: str, *, workers: int | None = 1, data: str | None = None, data_root: Path | None = None,
    device: str = "auto", run: Path | None = None, trial_timeout: float | None = None,
    say: Callable[[str], None] | None = None,
) -> int:  # fmt: skip
    """Train for a study that another process began, until nothing is left to do; leaves at any time without loss.

    Args:
        url: the database, `postgresql+psycopg://…`.
        study: its name, as `archdsl search` prints it.
        workers: processes that train; None for one per core or GPU.
        data: where the data set is on this machine, if not where the study says; its content must be the same.
        data_root: where torchvision's data sets lie.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        run: folder for checkpoints; on a file system that all machines share, promoted networks go on anywhere.
        trial_timeout: seconds after which one training is given up, as failed.
        say: is told what is being done.

    Returns:
        How many networks the study has trained in all.

    Raises:
        ArchdslError: there is no such study, the data differ, or the storage cannot be used.
    """
    check_numbers(workers=workers, trial_timeout=trial_timeout)
    ledger = Ledger(open_engine(url), study)
    found = ledger.plan()
    if found is None:
        names = ledger.names()
        raise StudyError(
            f"there is no study '{study}' in this storage",
            f"there are: {', '.join(names)}" if names else "'archdsl search --storage' begins one",
        )
    try:
        plan = Plan.model_validate_json(found[0])
    except ValidationError:
        raise StudyError(f"the study '{study}' was begun by another version of archdsl") from None
    chosen = pick_device(device)
    name = data or plan.data
    _, dataset, _ = _set_up(plan, name, data_root)
    count = workers or default_workers(chosen)
    folder = run or Path("runs") / study
    place = Place(url, study, name, data_root, device, folder / "checkpoints", None, trial_timeout)
    place.checkpoints.mkdir(parents=True, exist_ok=True)
    if say is not None:
        say(f"{study}: {dataset.name}, {count} process{'es' * (count > 1)}, a budget of {found[1]} networks")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(place, plan, found[1])) for _ in range(count)]
    try:
        for process in processes:
            start(process)
        for process in processes:
            process.join()
    except KeyboardInterrupt:
        answered()
        begun = [process for process in processes if process.pid is not None]
        for process in begun:
            process.terminate()
        for process in begun:
            process.join(30)
        raise RunError("left the study; what was in training goes to others", "the same command joins again") from None
    if all(process.exitcode for process in processes):
        raise RunError("all worker processes ended before the study did", "see what they printed")
    return sum(claim.rung == 0 for claim in ledger.claims())


def _set_up(plan: Plan, data: str, root: Path | None) -> tuple[ir.Spec, Dataset, Any]:
    """The space and the data of a plan; the data must be those the study was begun with."""
    spec, dataset, recipe = set_up(Source(plan.spec_text, plan.spec_name), data, root, False, plan.epochs)
    if dataset.digest != plan.data_digest:
        raise DataError(
            f"'{data}' is not what the study was begun with: its content differs",
            "give the same data set with --data, or begin another study",
        )
    return spec, dataset, recipe


def _work(place: Place, plan: Plan, budget: int) -> None:
    """A worker process, from start to end; mistakes are printed without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        spec, dataset, _ = _set_up(plan, place.data, place.root)
        study, ledger = place.open(plan)
        device = pick_device(place.device)
        pool = Pool(run_trial, 1, dataset, (place.data, place.root), device, limit=place.trial_timeout)
        deadline = None if place.seconds is None else time.monotonic() + place.seconds
        timing = Timing(spec, plan.objectives, Latencies(device, place.checkpoints / f"latency-{os.getpid()}.json"))
        Worker(
            spec, plan, budget, study, ledger, pool, place.checkpoints, deadline=deadline, timing=timing,
            caches=place.caches,
        ).run()  # fmt: skip
    except ArchdslError as error:
        print(f"worker: {error}", file=sys.stderr, flush=True)
        raise SystemExit(error.exit_code) from None
    except Exception as error:  # a defect: others take its network over
        print(f"worker: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        raise SystemExit(3) from None


def _leave(number: int, frame: object) -> None:
    raise SystemExit(1)
