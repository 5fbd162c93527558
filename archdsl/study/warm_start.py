"""Finds the best networks of other runs that are members of this space, to be tried first."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from archdsl import ir, space
from archdsl.base.errors import StudyError
from archdsl.ir.wording import option_labels
from archdsl.network import Architecture
from archdsl.space import Hole
from archdsl.study.history import Objectives, dominates
from archdsl.study.parameters import parameters
from archdsl.study.record import key_of
from archdsl.study.results import Trial, load, read

FIRST = 10  # networks of each run: as many as a sampler draws at random before it models anything
DRAWS = 100  # ways to decide what the other run does not, of which one has to fit


def first_networks(
    runs: Sequence[Path], spec: ir.Spec, objectives: Objectives, seed: int
) -> tuple[dict[str, Any], ...]:
    """The best networks of other runs that are members of a space.

    Decisions are carried over by name and value, and a network is left out if one of them is not offered here; those
    that the other run did not have are drawn. Scores are not carried over: what another data set or recipe gave says
    which networks to try first, not how good they are here.

    Args:
        runs: folders of searches.
        spec: the space, fitted to its data.
        objectives: what makes a network good; a run that did not measure one of them is ranked by its own.
        seed: of what is drawn.

    Returns:
        Up to `FIRST` of each run, the best first, as Optuna's parameters.

    Raises:
        StudyError: a run cannot be read, has no finished network, or none that fits this space.
    """
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        results = read(load(run))
        finished = [trial for trial in results.trials if trial.state == "complete"]
        if not finished:
            raise StudyError(f"'{run}' has no finished network to begin with", "leave out this --warm-start")
        own = [(objective.name, objective.direction) for objective in results.objectives]
        members = _members(_ranked(finished, objectives) or _ranked(finished, own) or finished, spec, seed)
        if not members:
            raise StudyError(
                f"no network of '{run}' is a member of this space",
                "decisions are carried over by name, such as stage1.block2, and by what was chosen",
            )
        found |= {key: parameters(spec, member) for key, member in members.items() if key not in found}
    return tuple(found.values())


def _ranked(trials: Sequence[Trial], objectives: Objectives) -> list[Trial] | None:
    """Best first, by how many others beat one in everything, then by the first score; None if a score is unknown."""
    signs = [(name, -1.0 if direction == "maximize" else 1.0) for name, direction in objectives]
    points = {trial.number: [sign * trial.score(name) for name, sign in signs] for trial in trials}
    if not signs or any(value != value for point in points.values() for value in point):
        return None

    def rank(trial: Trial) -> tuple[int, float, int]:
        mine = points[trial.number]
        return sum(dominates(other, mine) for other in points.values()), mine[0], trial.number

    return sorted(trials, key=rank)


def _members(trials: Sequence[Trial], spec: ir.Spec, seed: int) -> dict[str, Architecture]:
    """The first `FIRST` that are members of the space, by key."""
    holes = {hole.name: hole for hole in ir.holes(spec)}
    found: dict[str, Architecture] = {}
    for trial in trials:
        if len(found) == FIRST:
            break
        shared = [_chosen(holes[name], said) for name, said in trial.decisions.items() if name in holes]
        if not shared or None in shared:  # it decided nothing that is decided here, or something that is not offered
            continue
        rng = random.Random(f"{seed}:{trial.identity}")
        drawn = (space.attempt(spec, _decide(trial.decisions, rng)) for _ in range(DRAWS))
        member = next((m for m in drawn if m is not None), None)
        if member is not None:
            found.setdefault(key_of(member), member)
    return found


def _decide(decisions: dict[str, str], rng: random.Random) -> Callable[[Hole], float]:
    """Decide a hole as another run did, if this space offers that, else at random."""

    def decide(hole: Hole) -> float:
        said = decisions.get(hole.name)
        chosen = None if said is None else _chosen(hole, said)
        return space.random_choice(hole, rng) if chosen is None else chosen

    return decide


def _chosen(hole: Hole, said: str) -> float | None:
    """What a hole is decided to by the label of an option or a number as text; None where it is not offered."""
    if isinstance(hole, ir.ChoiceSpec | ir.Pick):
        labels = option_labels(hole)
        return labels.index(said) if said in labels else None
    try:
        value = float(said)
    except ValueError:
        return None
    if isinstance(hole, ir.FloatRange):
        return value if hole.low <= value <= hole.high else None
    choice, remainder = divmod(value - hole.low, hole.step)
    return int(choice) if remainder == 0 and 0 <= choice < hole.count() else None
