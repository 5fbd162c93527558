"""Work counted in calls of functions, Python's and C's: a bound that means the same on every machine, however busy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def at_most(calls: int) -> Iterator[None]:
    """Fail the test as soon as this thread calls more functions in the context: what would never end fails, too.

    Ten million calls are some seconds. What a single call of C does, such as the search for a pattern, counts as one.
    """
    made = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal made
        made += event in ("call", "c_call")
        if made > calls:
            sys.setprofile(None)
            pytest.fail(f"more than {calls:,} calls of functions")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
    assert made <= calls  # where the failure was raised in a place that swallows all there is, such as a finaliser
