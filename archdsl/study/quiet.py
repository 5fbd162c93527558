"""Keeps Optuna's own messages out of the way; they repeat what a search says itself."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import optuna


@contextlib.contextmanager
def quiet(level: int = optuna.logging.WARNING) -> Iterator[None]:
    """Silence what is below a level, such as that trials begin and end, and that a sampler is new; then set it back."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(before)
