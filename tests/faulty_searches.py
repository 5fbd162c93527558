"""What tests of faults share: one small search, what must hold after whatever befell it, and who does the damage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from tiny_space import tiny

import archdsl
from archdsl.base.files import write_atomically
from archdsl.study.trial import Task, run_trial
from archdsl.study.watch import Watch
from archdsl.training.resume import Resumable

BUDGET = 7

# 16 members; two rungs, at which networks wait, and networks that go on from there.
TINY = tiny(epochs=4)


def search(folder: Path, images: Path, text: str = TINY, **options: Any) -> dict[str, Any]:
    """The search, in this process; evolution proposes by what it has seen, so a lost trial would change the next."""
    given: dict[str, Any] = {
        "budget": BUDGET, "workers": 1, "final_seeds": 0, "sampler": "evolution", "device": "cpu",
    }  # fmt: skip
    return archdsl.search(text, data=f"npz:{images}", run=folder, **(given | options))


def command(folder: Path, images: Path, *more: str, spec: Path | None = None, budget: int = BUDGET) -> list[str]:
    """The same search as a command; its space is written beside the folder unless one is given."""
    if spec is None:
        spec = folder.with_suffix(".arch")
        spec.write_text(TINY)
    options = (
        f"--budget {budget} --data npz:{images} --run {folder} --workers 1 --final-seeds 0 --sampler evolution "
        "--device cpu --json"
    )
    return [sys.executable, "-m", "archdsl", "search", str(spec), *options.split(), *more]


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    """A process that takes Ctrl-C; what a shell starts in the background ignores it, and so would its children."""
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def outline(results: dict[str, Any]) -> list[tuple[Any, ...]]:
    """All that a training came to, to the bit."""
    return [
        (t["number"], t["key"], t["state"], t["epochs"], t["curve"], t["curve_nll"], t["values"])
        for t in results["trials"]
    ]


def check_budget(results: dict[str, Any], budget: int) -> None:
    """Exactly so many networks, each once."""
    assert [trial["number"] for trial in results["trials"]] == list(range(budget))
    assert len({trial["key"] for trial in results["trials"]}) == budget
    assert results["finished"]


def check_same(results: dict[str, Any], whole: dict[str, Any]) -> None:
    """Nothing is lost, the budget is met, and every trial is what it is without the fault."""
    check_budget(results, len(whole["trials"]))
    assert outline(results) == outline(whole)


def eventually(condition: Callable[[], Any], seconds: float = 300.0) -> Any:
    """What a condition comes to as soon as it holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise TimeoutError("it never held")


def recorded(folder: Path) -> int:
    """How many trainings the journal has."""
    journal = folder / "journal.log"
    return journal.read_text().count('"kind":"') if journal.exists() else 0


class Stop(Watch):
    """Ctrl-C once a condition holds for a record."""

    def __init__(self, when: Callable[[dict[str, Any]], bool]) -> None:
        self.when = when

    def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        if self.when(record):
            raise KeyboardInterrupt


class Attack(Watch):
    """Sends a signal to the worker process while it trains a network, between two of its epochs, so many times.

    The worker waits there, so that the signal never comes too late, however busy the machine is.

    Args:
        folder: of the search; the marks by which the two find each other lie beside it.
        number: of the network.
        how: the signal.
        times: how often.

    Attributes:
        hit: pids, each of a process that was hit in this training, whose state was written.
    """

    def __init__(self, folder: Path, number: int, how: signal.Signals, times: int = 1) -> None:
        self.folder, self.number, self.how, self.times = folder, number, how, times
        self.hit: list[int] = []

    def search(self, images: Path, **options: Any) -> dict[str, Any]:
        """The search under attack; what it is told must make its one worker a process of its own."""
        with mock.patch("archdsl.study.session.run_trial", run_and_wait):
            return search(self.folder, images, watch=self, **options)

    def candidate(self, number: int, layout: str, params: int) -> None:
        if number == self.number:
            _aim(self.folder).touch()  # one worker: no other training is under way
            threading.Thread(target=self._strike).start()

    def _strike(self) -> None:
        there = _there(self.folder)
        for number in range(self.times):
            eventually(there.exists)
            process = int(there.read_text())
            there.unlink()
            if number == self.times - 1:
                _aim(self.folder).unlink()
            self.hit.append(process)
            os.kill(process, self.how)


def _aim(folder: Path) -> Path:
    """Exists while a worker of a search is to wait for its blow."""
    return folder.with_suffix(".aim")


def _there(folder: Path) -> Path:
    """Holds the pid of a worker that waits for it."""
    return folder.with_suffix(".there")


def run_and_wait(task: Task, data: Any, device: Any, on_step: Any = None) -> dict[str, Any]:
    """`run_trial`, which waits between two epochs, the state written, as long as somebody takes aim."""
    folder, save = task.checkpoint.parents[1], Resumable.save

    def save_and_wait(self: Resumable, curve: Any, *, last: bool) -> None:
        save(self, curve, last=last)
        if not last and _aim(folder).exists():
            assert task.checkpoint.exists()
            write_atomically(_there(folder), str(os.getpid()))
            time.sleep(600)

    with mock.patch.object(Resumable, "save", save_and_wait):
        return run_trial(task, data, device, on_step)
