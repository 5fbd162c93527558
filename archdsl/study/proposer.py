"""The next candidate of a search: a baseline, what the sampler proposes, or one drawn where the sampler is stuck."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.trial import TrialState

from archdsl import ir, space
from archdsl.architecture import Architecture
from archdsl.study.baselines import baselines
from archdsl.study.candidate import key_of
from archdsl.study.history import History
from archdsl.study.interrupts import uninterrupted
from archdsl.study.parameters import member, parameters, suggest
from archdsl.study.samplers import EXHAUSTIVE, SAMPLERS, Setting
from archdsl.study.store import RECORD

PATIENCE = 10  # proposals in a row that are no new member, before one is drawn at random
HOPELESS = 1000  # such proposals in a row, after which there is nothing left to find

Proposal = tuple[optuna.trial.Trial, Architecture]
Admits = Callable[[Architecture], str | None]  # why a member is not trained; None lets it through


class Proposer:
    """Proposes members that were not tried yet, and closes the trials they are.

    Args:
        spec: the space, fitted to the data.
        sampler: its name.
        seed: of the search.
        study: Optuna's study, whose history the sampler sees.
        history: what was tried; `close` adds to it.
        budget: how many networks are to be trained.
        admits: a filter before training (latency, a screen); what it turns away costs no budget.
        first: members to try after the baselines and before the sampler's, as parameters.
    """

    def __init__(
        self, spec: ir.Spec, sampler: str, seed: int, study: optuna.Study, history: History, budget: int,
        admits: Admits | None = None, first: Sequence[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        self.spec, self.sampler, self.seed, self.study = spec, sampler, seed, study
        self.history, self.budget, self.admits = history, budget, admits
        warm = (member(spec, values) for values in first)
        self.queue = [*baselines(spec).values(), *(found for found in warm if found is not None)]
        self._listing: Iterator[Architecture] | None = None
        continuous = any(isinstance(hole, ir.FloatRange) for hole in ir.holes(spec))
        self._countable = not continuous and space.size(spec) <= space.EXACT_LIMIT

    def propose(self, busy: Collection[str] = ()) -> Proposal | None:
        """A member that neither was trained nor is in training; None when there is no further one.

        Args:
            busy: keys of the candidates in training.
        """
        repeats = 0  # proposals of what is in training right now
        while self.aim(busy, repeats):
            trial = self.study.ask()
            found = self.judge(trial, busy)
            match found:
                case Architecture():
                    return trial, found
                case None:
                    self.study.tell(trial, state=TrialState.FAIL)
                    repeats += 1
                case entry:
                    self.close(trial, entry, entry.get("values"))
        return None

    def aim(self, busy: Collection[str], repeats: int = 0) -> bool:
        """Make the study's sampler that of the next proposal; False when there is nothing left to propose."""
        stuck = self.history.fruitless + repeats >= PATIENCE
        fixed = self._fixed(busy, stuck)
        if (fixed is None and (self.sampler == EXHAUSTIVE or stuck)) or self.history.fruitless >= HOPELESS:
            return False
        directions = tuple(direction for _, direction in self.history.objectives)
        count = self.history.asked + len(busy) + repeats
        seed = (self.seed * 100_003 + count) % 2**32  # NumPy takes no larger ones
        sampler = SAMPLERS[self.sampler](Setting(seed, self.spec, directions, self.budget))
        if fixed is not None:
            sampler = PartialFixedSampler(parameters(self.spec, fixed), sampler)
        self.study.sampler = sampler
        return True

    def judge(self, trial: optuna.trial.Trial, busy: Collection[str]) -> Architecture | dict[str, Any] | None:
        """What a trial proposes: a new member, the record of one that is not trained, or None for one in training."""
        architecture = space.attempt(self.spec, lambda hole: suggest(trial, hole))
        if architecture is None:
            return {"kind": "unfit"}
        key = key_of(architecture)
        if key in busy:
            return None
        if (known := self.history.seen.get(key)) is not None:
            values = known.get("values") if known["state"] != "failed" else None
            return {"kind": "duplicate", "of": known["number"], "values": values}
        if self.admits is not None and (reason := self.admits(architecture)) is not None:
            return {"kind": "unfit", "key": key, "reason": reason}
        return architecture

    def again(self, architecture: Architecture) -> optuna.trial.Trial:
        """A further trial of a member that was tried already, for a promoted network."""
        self.aim_at(architecture)
        trial = self.study.ask()
        space.attempt(self.spec, lambda hole: suggest(trial, hole))
        return trial

    def aim_at(self, architecture: Architecture) -> None:
        """Make the next trial of the study one of this member."""
        self.study.sampler = PartialFixedSampler(parameters(self.spec, architecture), RandomSampler(seed=self.seed))

    def close(self, trial: optuna.trial.Trial, entry: dict[str, Any], values: list[float] | None) -> None:
        """End an Optuna trial with its record; without values it counts as failed for the sampler."""
        with uninterrupted():
            trial.set_user_attr(RECORD, entry)
            if values is None:
                self.study.tell(trial, state=TrialState.FAIL)
            else:
                self.study.tell(trial, values)
            self.history.take_in(entry)

    def _fixed(self, busy: Collection[str], stuck: bool) -> Architecture | None:
        """A member chosen without the sampler: a baseline, the next of all, or at random when the sampler is stuck."""

        def new(member: Architecture) -> bool:
            key = key_of(member)
            return key not in self.history.seen and key not in busy and key not in self.history.turned_away

        while self.queue:
            if new(baseline := self.queue.pop(0)):
                return baseline
        if self.sampler == EXHAUSTIVE:
            self._listing = self._listing or space.members(self.spec, key_of)
            return next(filter(new, self._listing), None)
        if not stuck:
            return None
        rng = random.Random(f"{self.seed}:{self.history.asked}")
        if self._countable:
            unseen = list(filter(new, space.members(self.spec, key_of)))
            return rng.choice(unseen) if unseen else None
        drawn = (space.draw(self.spec, rng) for _ in range(space.EXACT_LIMIT))
        return next((member for member in drawn if member is not None and new(member)), None)


def both(first: Admits, second: Admits) -> Admits:
    """A filter that lets through what two let through."""
    return lambda architecture: first(architecture) or second(architecture)
