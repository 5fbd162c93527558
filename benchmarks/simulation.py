"""Simulates a search on a trained table: what would have been trained, in order, and what the sampler was told.

The search goes through the code that proposes in a real one, baselines first; only the training is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import optuna
from optuna.study import StudyDirection
from table import Table

from archdsl.study.history import History
from archdsl.study.proposer import Proposer
from archdsl.study.quiet import quiet
from archdsl.study.record import key_of

Objective: TypeAlias = tuple[str, str]  # a score and its direction


@dataclass(frozen=True)
class Simulated:
    """A search that was simulated.

    Attributes:
        hashes: of the networks trained, in order.
        shown: what the search shows of each: the score of one training.
        wasted: proposals that were no new member; they cost no budget.
    """

    hashes: tuple[str, ...]
    shown: tuple[float, ...]
    wasted: int


def simulate(
    table: Table, sampler: str, seed: int, budget: int, objective: Objective = ("accuracy", "maximize"),
    guide: Objective | None = None,
) -> Simulated:  # fmt: skip
    """Search a table.

    Args:
        table: all networks with their trainings.
        sampler: its name.
        seed: of the search. It sees the trainings of one seed, as a real search does: `seed` modulo their number.
        budget: how many networks to train.
        objective: (score, direction) that is searched for.
        guide: the same of what the sampler is told; by default the objective.
    """
    training = table.seeds[seed % len(table.seeds)]
    hashes: list[str] = []
    shown: list[float] = []
    guide = guide or objective
    with quiet():
        study = optuna.create_study(direction=StudyDirection[guide[1].upper()])
        history = History((guide,))
        proposer = Proposer(table.spec, sampler, seed, study, history, budget)
        while len(hashes) < budget and (proposal := proposer.propose()) is not None:
            trial, member = proposal
            scores = table.by_hash[member.hash][training].scores
            told = scores[guide[0]]
            entry = {
                "kind": "trained", "number": len(hashes), "state": "complete", "key": key_of(member), "values": [told],
            }  # fmt: skip
            proposer.close(trial, entry, [told])
            hashes.append(member.hash)
            shown.append(scores[objective[0]])
    return Simulated(tuple(hashes), tuple(shown), history.asked - len(hashes))
