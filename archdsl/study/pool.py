"""Carries out trainings, in this process or in worker processes of one thread each.

Small networks train faster on two cores as two single-threaded processes than as one of two threads, and a machine
that others use too slows the latter down many times over, because every operation waits for its slowest thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

import torch

from archdsl.base.errors import DataError, DiskFullError, RunError, StudyError
from archdsl.base.interrupts import ask
from archdsl.base.processes import start
from archdsl.data import Dataset, load
from archdsl.study.deaths import WORKER, given_up

LONGEST_WAIT = 0.5  # seconds until it is asked again whether Ctrl-C came


class Work(Protocol):
    """What a task is carried out by; a function of a module, so that worker processes find it."""

    def __call__(
        self, task: Any, data: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None
    ) -> dict[str, Any]:
        """Carry it out; the result is plain data."""


@dataclass
class _Job:
    task: Any
    deaths: int = 0
    outcome: dict[str, Any] | BaseException | None = None


@dataclass
class _Worker:
    """A worker process, and the job it has."""

    process: BaseProcess
    connection: Connection
    number: int
    ready: bool = False  # it has started, and has the data; what that takes is no part of a task's time
    job: _Job | None = None
    since: float = field(default_factory=time.monotonic)


class Pool:
    """Carries out tasks, `size` of them at a time; results are taken in the order of submission.

    Args:
        work: what is done for a task.
        size: worker processes; 1 works in this process, unless there is a time limit.
        data: the data set; workers load it by `source` (name, root).
        device: where to train; of several GPUs (`cuda` without a number) each worker has one.
        on_step: for a progress bar, in this process only.
        limit: seconds after which a task is given up, and its worker killed.
    """

    def __init__(
        self, work: Work, size: int, data: Dataset, source: tuple[str, Path | None], device: torch.device,
        on_step: Callable[[int, int], None] | None = None, limit: float | None = None,
    ) -> None:  # fmt: skip
        self.work, self.size, self.data, self.source, self.device = work, size, data, source, device
        self.on_step, self.limit = on_step, limit
        self._jobs: deque[_Job] = deque()
        self._workers: list[_Worker] = []
        self._idle_deaths = 0

    def __len__(self) -> int:
        """How many tasks are submitted and not taken yet."""
        return len(self._jobs)

    def submit(self, task: Any) -> None:
        """Hand in a task."""
        self._jobs.append(_Job(task))
        if not self.here:
            self._feed()

    def take(self) -> dict[str, Any]:
        """The result of the oldest task, waiting for it; `{"died": reason}` when it was given up.

        Raises:
            ArchdslError, or whatever the work raised.
        """
        job = self._jobs[0]
        if self.here:
            self._jobs.popleft()
            return self.work(job.task, self.data, self.device, self.on_step)
        while job.outcome is None:
            self._attend()
        self._jobs.popleft()
        if isinstance(job.outcome, BaseException):
            raise job.outcome
        return job.outcome

    def close(self) -> None:
        """Stop the workers; what they were training is given up."""
        workers, self._workers = self._workers, []
        self._jobs.clear()
        for worker in workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in workers:
            worker.process.join(5)
            if worker.process.is_alive():
                worker.process.kill()

    @property
    def here(self) -> bool:
        """Whether this process itself does the work."""
        return self.size == 1 and self.limit is None

    def _feed(self) -> None:
        """Give waiting tasks to idle workers, and start workers while there are fewer than wanted."""
        busy = [worker.job for worker in self._workers if worker.job is not None]
        for job in self._jobs:
            if job.outcome is not None or any(job is other for other in busy):
                continue
            worker = next((w for w in self._workers if w.job is None), None)
            if worker is None and len(self._workers) < self.size:
                worker = self._start()
            if worker is None:
                return
            worker.job, worker.since = job, time.monotonic()
            busy.append(job)
            try:
                worker.connection.send(job.task)
            except OSError:  # it died while idle; it is found out and replaced when its sentinel is looked at
                return

    def _start(self) -> _Worker:
        # A forked child of a process that used threads of PyTorch may hang; a spawned one starts clean.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        number = next(n for n in range(self.size) if all(worker.number != n for worker in self._workers))
        device = self.device
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", number % torch.cuda.device_count())
        process = context.Process(
            target=_serve, args=(theirs, self.work, self.source, str(device)), daemon=True, name=f"trainer {number}"
        )
        worker = _Worker(process, ours, number)
        self._workers.append(worker)
        try:
            start(process)
        except BaseException:
            self._workers.remove(worker)
            raise
        finally:
            theirs.close()
        return worker

    def _attend(self) -> None:
        """Wait until a worker has something to say, dies, or takes too long."""
        ask()
        self._feed()
        until = (
            min((w.since + self.limit for w in self._workers if w.job is not None and w.ready), default=None)
            if self.limit
            else None
        )
        watched = {w.connection: w for w in self._workers} | {w.process.sentinel: w for w in self._workers}
        timeout = LONGEST_WAIT if until is None else min(LONGEST_WAIT, max(0.0, until - time.monotonic()))
        for worker in {id(watched[r]): watched[r] for r in wait(list(watched), timeout)}.values():  # type: ignore[index]
            try:
                if worker.connection.poll():
                    outcome = worker.connection.recv()
                    if outcome is None:
                        worker.ready, worker.since = True, time.monotonic()
                    elif worker.job is not None:
                        worker.job.outcome, worker.job = outcome, None
                        self._idle_deaths = 0
                    continue
            except (EOFError, OSError):
                pass
            self._bury(worker)
        if self.limit is not None:
            for worker in list(self._workers):
                late = worker.job is not None and worker.ready and time.monotonic() - worker.since > self.limit
                if late and not worker.connection.poll():  # what came at the last moment is taken, not given up
                    worker.process.kill()
                    self._bury(worker, f"took longer than {self.limit:g} s")
        self._feed()

    def _bury(self, worker: _Worker, reason: str | None = None) -> None:
        """Take a dead worker out; its task is tried again, or given up for this reason or as it died too often."""
        worker.process.join(5)
        worker.connection.close()
        self._workers.remove(worker)
        job = worker.job
        if job is None or not worker.ready:  # it had nothing to do yet; whatever ended it, the task did not
            self._idle_deaths += 1
            if self._idle_deaths > 2 * self.size:
                raise RunError(
                    "the worker processes end before they train anything", "see what they printed, or use --workers 1"
                )
            return
        job.deaths += 1
        if (reason := reason or given_up(WORKER, job.deaths)) is not None:
            job.outcome = {"died": reason}


def default_workers(device: torch.device) -> int:
    """One per core this process may use (at most 8) on a CPU, one per GPU (`cuda:1` is one)."""
    if device.type != "cpu":
        return torch.cuda.device_count() if device.index is None else 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores))


def _serve(connection: Connection, work: Work, source: tuple[str, Path | None], device: str) -> None:
    """A worker process: one thread, the data in memory, Ctrl-C left to the parent; ends with the parent.

    It says that it is ready when it has the data: what befalls it before, and the time until then, are no task's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    name, root = source
    data: Dataset | Exception
    try:
        data = load(name, root=root)
    except Exception as error:
        data = error
    connection.send(None)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            if isinstance(data, Exception):
                raise data
            outcome: Any = work(task, data, torch.device(device), None)
        except Exception as error:  # raised where the result is taken
            known = type(error) in (RunError, DataError, StudyError, DiskFullError)
            outcome = error if known else RunError(f"{type(error).__name__}: {error}")
        try:
            connection.send(outcome)
        except OSError:
            return


def end_with_parent() -> None:
    """Without the process that records, a training is for nobody, and would be in the way of a resumed search."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
