"""Where candidates are trained: in this process, or in worker processes of one thread each.

Small networks train faster on two cores as two single-threaded processes than as one of two threads, and a machine
that others use too slows the latter down many times over, because every operation waits for its slowest thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from archdsl.architecture import Architecture
from archdsl.data import Dataset, load
from archdsl.recipe import Recipe

RETRIES = 1  # a candidate that was in training when its worker died is tried once more


@dataclass(frozen=True)
class Task:
    """One training and what to measure after it.

    Attributes:
        wanted: scores that need an analysis, for the search.
        bars: by epoch, the accuracy below which the training stops.
        final: whether to test it too; analyse: whether to keep whole analyses.
    """

    architecture: Architecture
    recipe: Recipe
    seed: int
    checkpoint: Path
    wanted: tuple[str, ...] = ()
    bars: dict[int, float] = field(default_factory=dict)
    final: bool = False
    analyse: bool = False


class Work(Protocol):
    """What a task is carried out by; a function of a module, so that worker processes find it."""

    def __call__(
        self, task: Task, data: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None
    ) -> dict[str, Any]:
        """Carry it out; the result is plain data."""


class Pool:
    """Carries out tasks, `size` of them at a time; results are taken in the order of submission.

    Args:
        work: what is done for a task.
        size: worker processes; 1 works in this process.
        data: the data set; workers load it by `source` (name, root).
        device: where to train.
        on_step: for a progress bar, in this process only.
    """

    def __init__(
        self, work: Work, size: int, data: Dataset, source: tuple[str, Path | None], device: torch.device,
        on_step: Callable[[int, int], None] | None = None,
    ) -> None:  # fmt: skip
        self.work, self.size, self.data, self.source, self.device = work, size, data, source, device
        self.on_step = on_step
        self._executor: ProcessPoolExecutor | None = None
        self._waiting: list[tuple[Task, Future[dict[str, Any]] | None, int]] = []

    def __len__(self) -> int:
        """How many tasks are submitted and not taken yet."""
        return len(self._waiting)

    def submit(self, task: Task) -> None:
        """Hand in a task."""
        self._waiting.append((task, self._start(task), 0))

    def take(self) -> dict[str, Any]:
        """The result of the oldest task, waiting for it; `{"died": …}` when its process was killed twice."""
        while True:
            task, future, tries = self._waiting[0]
            if future is None:
                self._waiting.pop(0)
                return self.work(task, self.data, self.device, self.on_step)
            try:
                result = future.result()
            except BrokenProcessPool:
                # Whose worker died is not known; everything in training starts again, from its checkpoint.
                self._executor = None
                died = tries >= RETRIES
                if died:
                    self._waiting.pop(0)
                self._waiting = [(t, self._start(t), n if died else n + 1) for t, _, n in self._waiting]
                if died:
                    return {"died": "its process was killed twice, perhaps for want of memory"}
                continue
            self._waiting.pop(0)
            return result

    def close(self) -> None:
        """Stop the workers; what they were training is given up."""
        executor, self._executor = self._executor, None
        self._waiting = []
        if executor is None:
            return
        processes = list((executor._processes or {}).values())
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(5)

    def _start(self, task: Task) -> Future[dict[str, Any]] | None:
        if self.size == 1:
            return None
        if self._executor is None:
            # A forked child of a process that used threads of PyTorch may hang; a spawned one starts clean.
            self._executor = ProcessPoolExecutor(
                self.size, mp_context=multiprocessing.get_context("spawn"), initializer=_begin,
                initargs=(self.work, self.source, str(self.device)),
            )  # fmt: skip
        return self._executor.submit(_work, task)


def default_workers(device: torch.device) -> int:
    """One per core this process may use (at most 8) on a CPU, one on a GPU."""
    if device.type != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores))


_here: dict[str, Any] = {}


def _begin(work: Work, source: tuple[str, Path | None], device: str) -> None:
    """Set a worker process up: one thread, the data in memory, Ctrl-C left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    name, root = source
    _here.update(work=work, data=load(name, root=root), device=torch.device(device))


def _work(task: Task) -> dict[str, Any]:
    work: Work = _here["work"]
    return work(task, _here["data"], _here["device"], None)
