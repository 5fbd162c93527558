"""Ctrl-C: where it may come, and that it is never lost, or taken for something else.

A KeyboardInterrupt is raised wherever the main thread happens to be, in the midst of a library, too. Some drop it (an
`except:` around an import, a finaliser), some make another exception of it (PyTorch, on the way into one of its
modes; pydantic, while it makes a class). So the command remembers that Ctrl-C came until somebody has answered it.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import time

TYPE_CHECKING = False  # the command listens before `typing` is imported
if TYPE_CHECKING:
    from collections.abc import Iterator
    from sys import UnraisableHookArgs
    from types import FrameType

AGAIN = 0.1  # s after which an interrupt that is not on its way any more comes again
_came = False  # and nobody has answered it
_imports_wait_in: FrameType | None = None


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """In here Ctrl-C comes again until it is `answered`, and leaves as KeyboardInterrupt, whatever was made of it.

    For the command alone, which ends with it: afterwards nothing is left to interrupt, and Ctrl-C is ignored.
    """
    hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell may have made this process deaf
    if hears:
        signal.signal(signal.SIGINT, _hear)
        sys.unraisablehook = _unraisable
    try:
        with as_interrupt():
            yield
    finally:
        if hears:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def as_interrupt() -> Iterator[None]:
    """Raises KeyboardInterrupt for an exception that came of Ctrl-C."""
    try:
        yield
    except Exception as error:
        if _came or _of_interrupt(error):
            raise KeyboardInterrupt from error
        raise


@contextlib.contextmanager
def whole_imports() -> Iterator[None]:
    """In here Ctrl-C waits for the end of an import, where the command listens.

    For work after which, interrupted or not, something is still to be done: Python cannot take half an import back, and
    that may need the module.
    """
    global _imports_wait_in
    before, _imports_wait_in = _imports_wait_in, sys._getframe(2)  # beyond `contextlib`
    try:
        yield
    finally:
        _imports_wait_in = before


def answered() -> None:
    """Ctrl-C is dealt with from here on, and does not come again by itself."""
    global _came
    _came = False


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Lets Ctrl-C wait until the context is left; only the main thread is ever interrupted, others need none of this.

    For steps that would leave the journal or its lock half done: Optuna's journal, interrupted while it gives its lock
    back, raises an error of its own and no KeyboardInterrupt.
    """
    before = signal.getsignal(signal.SIGINT)
    if _thread.get_ident() != _main_thread() or not callable(before):
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


def _hear(number: int, frame: FrameType | None) -> None:
    global _came
    if not _came:
        _came = True
        _thread.start_new_thread(_repeat, (_thread.get_ident(),))  # `threading` takes locks, which may be held just now
    if _imports_wait_in is None or not _importing(frame):
        raise KeyboardInterrupt


def _importing(frame: FrameType | None) -> bool:
    """Whether an import was begun within `whole_imports`, and is not over."""
    while frame is not None and frame is not _imports_wait_in:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _repeat(main: int) -> None:
    """Interrupt the main thread again where the exception was dropped, until it is answered."""
    while True:
        time.sleep(AGAIN)
        if not _came:
            return
        handled: object = sys._current_exceptions().get(main)
        if isinstance(handled, tuple):  # Python 3.11
            handled = handled[1]
        if isinstance(handled, BaseException) and _of_interrupt(handled):
            continue  # it is on its way: something is tidied up
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(main, signal.SIGINT)  # to that thread, so that it does not go on sleeping
        else:
            _thread.interrupt_main()


def _of_interrupt(error: BaseException | None) -> bool:
    """Whether it is a KeyboardInterrupt, or was raised while one was handled (`from None` says that it is answered)."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ if error.__suppress_context__ else error.__context__
    return error is not None


def _unraisable(error: UnraisableHookArgs) -> None:
    """Say nothing of a Ctrl-C that Python drops in a finaliser, as at the end of each import: it comes again."""
    if not issubclass(error.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(error)


def _main_thread() -> int | None:
    import threading

    return threading.main_thread().ident
