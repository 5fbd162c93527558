"""Tells other programs' logs of a search: a tracker per program, one file each, named by `archdsl search --log`.

A tracker is a `Watch`. Its program is imported when it is made, not before, and comes with an extra of its own name.
"""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Iterator, Sequence
from functools import partialmethod
from pathlib import Path
from typing import Any

from archdsl.base.errors import UsageError
from archdsl.base.registry import Registry
from archdsl.study.watch import Watch

log = logging.getLogger(__name__)


class Tracker(Watch):
    """Base of all trackers.

    Every trial goes into the log once, when its training ends, and again when it was promoted and trained on. A resumed
    search gives what the log does not have yet at the end.
    """

    def opened(self, folder: Path, plan: dict[str, Any]) -> None:
        """The search begins or goes on; what cannot be reached is an error now."""
        raise NotImplementedError


TRACKERS: Registry[type[Tracker]] = Registry("log", "archdsl.study.tracking")


def make(names: Sequence[str]) -> list[Tracker]:
    """The trackers of these names, each once.

    Raises:
        UnknownNameError: there is none of that name.
        UsageError: its program is not installed.
    """
    return [TRACKERS[name]() for name in dict.fromkeys(names)]


def needed(module: str, log_name: str) -> Any:
    """A module of the program a tracker writes for.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = error.name or module
        raise UsageError(
            f"--log {log_name} needs the package '{missing}', which is not installed",
            f"pip install 'archdsl[{log_name}]'",
        ) from None


class Watches(Watch):
    """One watch that passes on to a view and to trackers; a tracker that fails is left out, and the search goes on.

    Args:
        view: what the person sees.
        trackers: where else it goes.
    """

    def __init__(self, view: Watch, trackers: Sequence[Tracker]) -> None:
        self.view = view
        self.trackers = list(trackers)

    def opened(self, folder: Path, plan: dict[str, Any]) -> None:
        """Here a tracker's error ends the search, before anything is trained."""
        self.view.opened(folder, plan)
        for tracker in self.trackers:
            tracker.opened(folder, plan)

    def _tell(self, what: str, *arguments: Any) -> None:
        getattr(self.view, what)(*arguments)
        for tracker in tuple(self.trackers):
            try:
                getattr(tracker, what)(*arguments)
            except Exception as error:  # a server that is gone must not end a search of many hours
                self.trackers.remove(tracker)
                log.debug("%s failed", tracker, exc_info=True)
                name = next((name for name in TRACKERS if type(tracker) is TRACKERS[name]), "log")
                self.view.say(f"{name} is left out from here on: {first_line(error)}")

    say = partialmethod(_tell, "say")
    begin = partialmethod(_tell, "begin")
    candidate = partialmethod(_tell, "candidate")
    step = partialmethod(_tell, "step")
    result = partialmethod(_tell, "result")
    finals = partialmethod(_tell, "finals")
    end = partialmethod(_tell, "end")
    written = partialmethod(_tell, "written")


# ---------------------------------------------------------------- what trackers have in common


def first_line(error: Exception) -> str:
    """What an error of a program says, or what it is."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def curves(record: dict[str, Any]) -> dict[str, list[float]]:
    """Values after every epoch, by score."""
    found = {"accuracy": record.get("curve"), "nll": record.get("curve_nll")}
    return {name: [float(value) for value in values] for name, values in found.items() if values}


def scores(record: dict[str, Any]) -> dict[str, float]:
    """The scores that are numbers."""
    found = {name: float(value) for name, value in record["scores"].items() if value is not None}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def trainings(results: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The finals' trainings: a name for each, its finalist, and its own numbers."""
    for finalist in results["finalists"]:
        for run in finalist["seeds"]:
            yield f"final-{finalist['name'].replace(' ', '-')}-seed-{run['seed']}", finalist, run


FILES = ("best.arch", "report.html", "results.json", "trials.csv")  # what a search leaves, as far as it is there
