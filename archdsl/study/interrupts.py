"""Ctrl-C between two steps, never in the middle of one that would leave the journal or its lock half done.

And in this process alone: its children are ended by it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Lets Ctrl-C wait until the context is left; only the main thread is ever interrupted, others need none of this.

    Optuna's journal, interrupted while it gives its lock back, raises an error of its own and no KeyboardInterrupt.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        before(*waiting[0])


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Processes started in here never hear Ctrl-C, not even before their first own line; this one hears it afterwards.

    A terminal sends it to all processes of a command, and those that are still importing would show a traceback each.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # what the first process started brings along; its start lets the signal in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
