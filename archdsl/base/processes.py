"""Starts processes that run nothing of the current folder, and workers that never hear Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

from archdsl.base.interrupts import uninterrupted


def start(process: BaseProcess) -> None:
    """Start a process of multiprocessing's.

    Python starts it with `-c`, which puts the current folder before all others: a `pickle.py` lying there would run
    in place of the library's. Once it is up, it looks for modules where this process does.
    """
    with uninterrupted(), _on_safe_path(), _unheard():
        process.start()


def safe_path() -> dict[str, str]:
    """What the environment of a child process says, so that it imports nothing from the folder it is started in.

    That folder may be a stranger's: an editor starts its server in the one that is open.
    """
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)  # what is relative, or empty, means that folder too
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(filter(os.path.isabs, places))}


@contextlib.contextmanager
def _on_safe_path() -> Iterator[None]:
    """What is started in here finds no modules in the current folder, whatever this process has inherited."""
    wanted = safe_path()
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
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
