"""Bounds on one input: processor time, counted so that a loaded machine does not matter, and memory."""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SECONDS = 1.0
MEGABYTES = 200.0
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Overtime(BaseException):
    """A step takes too long; no `except Exception` on its way may keep it."""


def _stop(signal_number: int, frame: FrameType | None) -> None:
    raise Overtime


@contextmanager
def seconds(most: float) -> Iterator[None]:
    """Raise Overtime inside the context once it has used so much processor time."""
    before = signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, most)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Clock:
    """Processor seconds by step.

    Attributes:
        spent: seconds of each step that ended or was stopped.
        now: the step under way.
        most: what a step may take.
    """

    def __init__(self, most: float = SECONDS) -> None:
        self.spent: dict[str, float] = {}
        self.now = ""
        self.most = most

    @contextmanager
    def step(self, name: str, taken: float = 0.0) -> Iterator[None]:
        """Bound and time one step, which has had `taken` seconds already.

        Raises:
            Overtime: from the context, when it takes too long.
        """
        self.now = name
        start = time.process_time()
        try:
            with seconds(max(self.most - taken, 0.01)):
                yield
        finally:
            self.spent[name] = time.process_time() - start + taken

    @property
    def slowest(self) -> float:
        """Seconds of the slowest step."""
        return max(self.spent.values(), default=0.0)


# ---- memory --------------------------------------------------------------------------------------------------


def forget_peak() -> float:
    """Start the measurement of a peak anew; megabytes in use now."""
    try:
        _CLEAR.write_text("5")  # resets the peak, nothing else
    except OSError:
        return peak()
    return _megabytes("VmRSS")


def peak() -> float:
    """Megabytes in use at the peak."""
    try:
        return _megabytes("VmHWM")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (2**20 if sys.platform == "darwin" else 2**10)


def _megabytes(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def bound_memory(megabytes: float) -> None:
    """Let this process take so much more than it has; beyond, Python raises MemoryError."""
    try:
        limit = int((_megabytes("VmSize") + megabytes) * 2**20)
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
