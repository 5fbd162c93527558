"""Worker processes that begin with PyTorch imported, for tests of what workers do and not of how they begin.

Each is a process of its own, forked from a server that has computed nothing; a spawned one imports for three seconds.
`test_pool.py` and `test_faults.py` have real ones.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from unittest import mock

import pytest

PRELOADED = ["archdsl.study.session", "archdsl.study.distributed", "torch.fx.experimental.symbolic_shapes"]


@pytest.fixture(name="quick_workers")
def workers_of_a_server() -> Iterator[None]:
    """In searches that begin here."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    with mock.patch("multiprocessing.get_context", return_value=server):
        yield
