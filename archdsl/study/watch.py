"""Defines what a search tells while it runs; the default says nothing, the command line shows it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Watch:
    """Called by the search as it goes; override what you want to see."""

    def opened(self, folder: Path, plan: dict[str, Any]) -> None:
        """The run's folder is there; `plan` is what `study.json` holds."""

    def say(self, text: str) -> None:
        """A decision worth knowing: sampler, space, resumed trials."""

    def begin(self, done: int, total: int) -> None:
        """The search starts with `done` of `total` networks already trained."""

    def candidate(self, number: int, layout: str, params: int) -> None:
        """A network is about to be trained."""

    def step(self, done: int, total: int) -> None:
        """Steps of the current training."""

    def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        """A network was trained, stopped or failed; `best` is the best so far."""

    def finals(self, done: int, total: int, name: str) -> None:
        """So many of the final trainings are done; `name` is next."""

    def end(self) -> None:
        """No training is under way any more."""

    def written(self, results: dict[str, Any]) -> None:
        """The files of the run are written, `results.json` with these results; the last that comes."""


def layout_text(layout: Iterable[Iterable[str]]) -> str:
    """`C C M | C M`.

    >>> layout_text([["C", "M"], ["M"]])
    'C M | M'
    """
    return " | ".join(" ".join(stage) for stage in layout)
