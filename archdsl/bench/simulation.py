"""A trained table and a sampler in, a search over it out: what would have been trained, in order, and what it was told.

The search goes through the code that proposes in a real one; only the training is looked up.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

import optuna
from optuna.samplers import PartialFixedSampler
from optuna.trial import TrialState

from archdsl import space
from archdsl.architecture import Architecture
from archdsl.bench.table import Table
from archdsl.study.baselines import baselines
from archdsl.study.parameters import parameters, suggest
from archdsl.study.samplers import SAMPLERS, Setting
from archdsl.study.store import RECORD

PATIENCE = 10


@dataclass(frozen=True)
class Simulated:
    """A search that was simulated.

    Attributes:
        hashes: of the networks trained, in order; told: the value of each, from one training.
        wasted: proposals that were no new member.
    """

    hashes: tuple[str, ...]
    told: tuple[float, ...]
    wasted: int


def simulate(table: Table, sampler: str, seed: int, budget: int, objective: str = "accuracy",
             direction: str = "maximize") -> Simulated:  # fmt: skip
    """Search a table.

    Args:
        table: all networks with their trainings.
        sampler: its name.
        seed: of the search; it sees the trainings of one seed, as a real search does: `seed` modulo their number.
        budget: networks to train.
        objective, direction: the score that guides.
    """
    training = table.seeds[seed % len(table.seeds)]
    study = optuna.create_study(direction=direction)
    queue = list(baselines(table.spec).values())
    seen: dict[str, float] = {}
    asked = fruitless = wasted = 0
    budget = min(budget, len(table.by_hash))
    while len(seen) < budget:
        fixed = next((a for a in queue if a.hash not in seen), None)
        rng = random.Random(f"{seed}:{asked}")
        if fixed is None and fruitless >= PATIENCE:
            fixed = rng.choice([a for a in members(table) if a.hash not in seen])
        setting = Setting(seed * 100_003 + asked, table.spec, (direction,), budget)
        made = SAMPLERS[sampler](setting)
        study.sampler = made if fixed is None else PartialFixedSampler(parameters(table.spec, fixed), made)
        trial = study.ask()
        found = space.attempt(table.spec, lambda hole, trial=trial: suggest(trial, hole))
        asked += 1
        if found is None:
            trial.set_user_attr(RECORD, {"kind": "unfit"})
            study.tell(trial, state=TrialState.FAIL)
        elif found.hash in seen:
            study.tell(trial, seen[found.hash])
        else:
            seen[found.hash] = table.by_hash[found.hash][training].scores[objective]
            study.tell(trial, seen[found.hash])
            fruitless = 0
            continue
        fruitless += 1
        wasted += 1
    return Simulated(tuple(seen), tuple(seen.values()), wasted)


_MEMBERS: dict[int, list[Architecture]] = {}


def members(table: Table) -> list[Architecture]:
    if id(table) not in _MEMBERS:
        _MEMBERS[id(table)] = list(space.members(table.spec))
    return _MEMBERS[id(table)]
