"""Limits the work of a command: a small text can ask for endless work, and a command is to answer in a second.

Work is counted in steps of about a microsecond, not in time, so that a text gets the same answer on every machine.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TooLarge(Exception):
    """It would take too many steps."""


class _Effort(threading.local):
    left = math.inf


_EFFORT = _Effort()


def spend(steps: float) -> None:
    """Count work that is about to be done.

    Raises:
        TooLarge: it is more than `limited` allows here.
    """
    _EFFORT.left -= steps
    if _EFFORT.left < 0:
        raise TooLarge


def left() -> float:
    """Steps that may still be made; infinity outside of `limited`."""
    return _EFFORT.left


@contextmanager
def limited(steps: float) -> Iterator[None]:
    """Let the context take so many steps, and no more than those around it may take."""
    before = _EFFORT.left
    given = _EFFORT.left = min(before, steps)
    try:
        yield
    finally:
        # What lies around has done the same work.
        _EFFORT.left = before - (given - _EFFORT.left) if before < math.inf else before
