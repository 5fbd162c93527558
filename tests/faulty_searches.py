"""What tests of faults share: one small search, what must hold after whatever befell it, and who does the damage."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_space import tiny

import archdsl
from archdsl.study.watch import Watch

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

    Attributes:
        hit: pids; each was in training when it was hit: the state of that training was there.
        said: what the search told.
    """

    def __init__(self, folder: Path, number: int, how: signal.Signals, times: int = 1) -> None:
        self.folder, self.number, self.how, self.times = folder, number, how, times
        self.hit: list[int] = []
        self.said: list[str] = []
        self.threads: list[threading.Thread] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def candidate(self, number: int, layout: str, params: int) -> None:
        if number == self.number:
            waiting = set((self.folder / "checkpoints").glob("*.safetensors"))
            self.threads.append(threading.Thread(target=self._strike, args=(waiting,)))
            self.threads[-1].start()

    def _strike(self, waiting: set[Path]) -> None:
        """Wait for an epoch of this training to end, and strike."""
        before = 0
        for _ in range(self.times):

            def saved(before: int = before) -> tuple[Path, int] | None:
                for file in set((self.folder / "checkpoints").glob("*.safetensors")) - waiting:
                    if (at := file.stat().st_mtime_ns) > before:
                        return file, at
                return None

            state, before = eventually(saved)
            process = multiprocessing.active_children()[0]
            os.kill(process.pid, self.how)
            assert state.exists(), "too late: the training was over"
            self.hit.append(process.pid)
            if self.how == signal.SIGKILL:
                process.join()
