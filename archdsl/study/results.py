"""Reads a run's `results.json` as typed, frozen records; every reader of a search starts here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from archdsl.base.errors import StudyError

FILE = "results.json"
JOURNAL = "journal.log"
REMEDY = "run the same `archdsl search` command again: finished trials are kept, and the file is written anew"

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
Curve = Annotated[tuple[Number, ...], BeforeValidator(lambda value: value or ())]
Scores = Annotated[dict[str, Number], BeforeValidator(lambda value: value or {})]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
Layout = Annotated[tuple[tuple[str, ...], ...], BeforeValidator(lambda value: value or ())]


def _texts(value: Any) -> Any:
    """What a list or an object holds as texts; anything else as it is, for pydantic to refuse."""
    if isinstance(value, dict):
        return {key: str(one) for key, one in value.items()}
    return tuple(map(str, value)) if isinstance(value, list | tuple) else value


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Objective(_Record):
    """What the search makes large or small."""

    name: str
    direction: Literal["maximize", "minimize"] = "maximize"


class Decision(_Record):
    """One hole of the space and what may fill it; a continuous range has no choices."""

    name: str
    choices: Annotated[tuple[str, ...], BeforeValidator(lambda value: _texts(() if value is None else value))] = ()


class Network(_Record):
    """What a trial and a finalist have in common; `layout` holds the block labels of each stage.

    `key` tells networks with their recipes apart, `tuned` is what the search decided of the recipe.
    """

    layout: Layout = ()
    hash: Text = ""
    spec: Text = ""
    params: int | None = None
    macs: int | None = None
    scores: Scores = Field(default_factory=dict)
    key: Text = ""
    tuned: dict[str, bool | int | float | str | None] = Field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What it is known by: two of one network with different recipes are two; "" where nothing says so."""
        return self.key or self.hash


class Trial(Network):
    """One network the search tried; `scores` are of the validation split, `decisions` only the active ones.

    `rung` and `worker` say how far halving let it come and who trained it, where the search tells.
    """

    number: int
    state: Literal["complete", "stopped", "failed"]
    decisions: Annotated[dict[str, str], BeforeValidator(lambda value: _texts({} if value is None else value))]
    epochs: int | None = None
    seconds: Number = math.nan
    reason: str | None = None
    curve: Curve = ()
    rung: int | str | None = None
    worker: int | str | None = None

    def score(self, name: str) -> float:
        """A score by name, `params` and `macs` among them; NaN where it is unknown."""
        if name in self.scores:
            return self.scores[name]
        count = {"params": self.params, "macs": self.macs}.get(name)
        return math.nan if count is None else float(count)


def same(one: Network, other: Network) -> bool:
    """Whether two are known to be one network with one recipe."""
    return bool(one.identity) and one.identity == other.identity


class SeedRun(_Record):
    """One training of a finalist from scratch."""

    seed: int | None = None
    validation: Scores = Field(default_factory=dict)
    test: Scores = Field(default_factory=dict)
    curve: Curve = ()


class Finalist(Network):
    """The winner or a baseline, trained again from scratch on several seeds; analyses as their JSON, or None."""

    name: str
    seeds: tuple[SeedRun, ...] = ()
    hessian: dict[str, Any] | None = None
    fourier: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        """What readers see it called."""
        return "found" if self.name == "winner" else self.name

    def values(self, split: Literal["validation", "test"], name: str) -> list[float]:
        """One score over the seeds, those that are not finite left out."""
        found = (getattr(run, split).get(name, math.nan) for run in self.seeds)
        return [value for value in found if math.isfinite(value)]


class SpecInfo(_Record):
    """The space that was searched."""

    name: Text = ""
    text: Text = ""
    hash: Text = ""
    size: int | None = None
    feasible: int | None = None


class DataInfo(_Record):
    """The data set: sizes of its splits and its digest."""

    name: Text = ""
    digest: Text = ""
    input: tuple[int, ...] = ()
    classes: int | None = None
    train: int | None = None
    validation: int | None = None
    test: int | None = None


class Results(_Record):
    """A whole search, as `results.json` holds it; `kinds` may say which labels are `conv` and which `msa`."""

    archdsl: Text = ""
    language: int | None = None
    command: Text = ""
    versions: dict[str, str | None] = Field(default_factory=dict)
    started: Text = ""
    seconds: Number = math.nan
    device: Text = ""
    seed: int | None = None
    sampler: Text = ""
    budget: int | None = None
    spec: SpecInfo = SpecInfo()
    data: DataInfo = DataInfo()
    recipe: dict[str, Any] = Field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()
    decisions: tuple[Decision, ...] = ()
    trials: tuple[Trial, ...] = ()
    best: Trial | None = None
    pareto: tuple[int, ...] = ()
    finalists: tuple[Finalist, ...] = ()
    finals_left_out: int = 0
    finished: bool = True
    kinds: dict[str, str] = Field(default_factory=dict)

    @property
    def primary(self) -> Objective:
        """The objective that ranks: accuracy where it is one of them, else the first named."""
        named = {objective.name: objective for objective in self.objectives}
        if "accuracy" in named or not named:
            return named.get("accuracy", Objective(name="accuracy"))
        return self.objectives[0]

    @property
    def complete(self) -> tuple[Trial, ...]:
        """Trials that were trained and scored to the end."""
        return tuple(trial for trial in self.trials if trial.state == "complete")

    def in_state(self, state: str) -> tuple[Trial, ...]:
        """Trials of one state, in their order."""
        return tuple(trial for trial in self.trials if trial.state == state)

    def ranking(self) -> list[Trial]:
        """Complete trials that have the primary score, best first."""
        sign = -1 if self.primary.direction == "maximize" else 1
        scored = [trial for trial in self.complete if math.isfinite(trial.score(self.primary.name))]
        return sorted(scored, key=lambda trial: (sign * trial.score(self.primary.name), trial.number))

    @property
    def winner(self) -> Finalist | None:
        """The finalist the search found, or None before the finals."""
        return next((finalist for finalist in self.finalists if finalist.name == "winner"), None)

    @property
    def baselines(self) -> tuple[Finalist, ...]:
        """The finalists that were not searched for: all C, all M, alternating."""
        return tuple(finalist for finalist in self.finalists if finalist.name != "winner")


def load(run: Path) -> dict[str, Any]:
    """The JSON document in a run's folder (or at the path of the file itself).

    Raises:
        StudyError: the folder or file is absent, unreadable, or holds no JSON object.
    """
    path = run if run.suffix == ".json" else run / FILE
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StudyError(f"there is no {FILE} in '{run}'", help="name the folder of a search: its --run DIR") from None
    except NotADirectoryError:
        raise StudyError(f"'{run}' is not a folder", help="name the folder of a search: its --run DIR") from None
    except OSError as error:
        raise StudyError(f"cannot read '{path}': {error.strerror}", help="check the path and its permissions") from None
    except (ValueError, RecursionError) as error:
        raise StudyError(f"'{path}' is damaged: {error}", help=REMEDY) from None
    if not isinstance(document, dict):
        raise StudyError(f"'{path}' is damaged: it holds no results", help=REMEDY)
    return document


def is_outdated(run: Path) -> bool:
    """Whether a run's journal tells more than its `results.json`: the search is at work, or was killed."""
    try:
        told = (run / JOURNAL).stat().st_mtime_ns
    except OSError:
        return False
    try:
        return told > (run / FILE).stat().st_mtime_ns
    except OSError:
        return True


def read(document: dict[str, Any]) -> Results:
    """The typed form of a results document.

    Raises:
        StudyError: a field has a form this version does not read; the message names it.
    """
    try:
        return Results.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise StudyError(f"{FILE} cannot be used: {place}: {first['msg']}", help=REMEDY) from None
