"""Analyses of two batches of eight images instead of twelve of sixteen, for tests that look at none of their numbers.

A Hessian takes longer than the training of a small network, and a search measures one of every finalist.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
import torch

from archdsl.analyses import ANALYSES
from archdsl.data import Dataset
from archdsl.study.trial import Task, run_trial


@contextlib.contextmanager
def roughly() -> Iterator[None]:
    """Analyses that are not told otherwise look at few images in this process, and eigenvalues at as few products."""
    fewer = {
        name: replace(ANALYSES[name], sample=replace(ANALYSES[name].sample, count=2, size=8))
        for name in ANALYSES
        if ANALYSES[name].sample.count is not None
    }
    fewer["hessian"] = replace(fewer["hessian"], measure=functools.partial(fewer["hessian"].measure, limit=1))
    with mock.patch.dict(ANALYSES._entries, fewer):
        yield


def run_roughly(
    task: Task, data: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """A trial in whatever process, measured roughly."""
    with roughly():
        return run_trial(task, data, device, on_step)


@pytest.fixture(name="rough_analyses")
def rough_analyses_here_and_in_workers() -> Iterator[None]:
    """Here, and in the processes of searches that begin here."""
    with mock.patch("archdsl.study.session.run_trial", run_roughly), roughly():
        yield
