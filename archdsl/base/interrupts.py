"""Ctrl-C as a flag that is asked between the steps of what takes long; a second one is met at once.

A KeyboardInterrupt that is raised wherever the main thread happens to be may meet a library that drops it, makes
another exception of it, or is left half-way through an import or a file. So a search lets it wait for `ask`.
"""

from __future__ import annotations

import contextlib
import signal
import sys

TYPE_CHECKING = False  # the command listens before `typing` is imported
if TYPE_CHECKING:
    from collections.abc import Iterator
    from sys import UnraisableHookArgs
    from types import FrameType

_came = 0  # how often, since it was answered
_waits = False  # the first for the next step


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """In here Ctrl-C is remembered until it is answered, and leaves as KeyboardInterrupt, whatever was made of it.

    For the command alone, which ends with it: afterwards nothing is left to interrupt, and Ctrl-C is ignored.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # a shell has made this process deaf
        yield
        return
    signal.signal(signal.SIGINT, _hear)
    sys.unraisablehook = _unraisable
    try:
        with as_interrupt():
            yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """In here Ctrl-C waits for `ask` or the end of the context; a second one is raised at once.

    Only the main thread is ever interrupted; in others nothing is done.
    """
    import threading

    global _came, _waits
    before = signal.getsignal(signal.SIGINT)
    if _waits or not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    _came, _waits = (_came if before is _hear else 0), True
    signal.signal(signal.SIGINT, _hear)
    try:
        yield
        ask()
    finally:
        _waits = False
        signal.signal(signal.SIGINT, before)


def ask() -> None:
    """Raises KeyboardInterrupt if Ctrl-C came, but not while things are tidied up after it; for between two steps."""
    if _is_unanswered() and not isinstance(sys.exc_info()[1], KeyboardInterrupt):
        raise KeyboardInterrupt


@contextlib.contextmanager
def as_interrupt() -> Iterator[None]:
    """Raises KeyboardInterrupt for an exception in here after Ctrl-C came: a library made it of that."""
    try:
        yield
    except Exception as error:
        if _is_unanswered():
            raise KeyboardInterrupt from error
        raise


def answered() -> int:
    """Forget Ctrl-C, which is dealt with from here on; how often it came."""
    global _came
    came, _came = _came, 0
    return came


def _is_unanswered() -> bool:
    return _came > 0 and signal.getsignal(signal.SIGINT) is _hear


def _hear(number: int, frame: FrameType | None) -> None:
    global _came
    _came += 1
    if _came > 1 or not _waits:
        raise KeyboardInterrupt


def _unraisable(error: UnraisableHookArgs) -> None:
    """Say nothing of a Ctrl-C that Python drops in a finaliser: the next step asks for it."""
    if not issubclass(error.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(error)
