"""Proposes the next network of a search: a baseline, the sampler's, or one drawn where the sampler is stuck."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.trial import TrialState

from archdsl import ir, space
from archdsl.base.interrupts import ask
from archdsl.network import Architecture
from archdsl.study.baselines import baselines
from archdsl.study.history import History
from archdsl.study.numbers import SEEDS_OF_NUMPY
from archdsl.study.parameters import member, parameters, suggest
from archdsl.study.record import RECORD, key_of
from archdsl.study.samplers import EXHAUSTIVE, SAMPLERS, Setting
from archdsl.study.store import settle

PATIENCE = 10  # proposals in a row that are no new member, before one is drawn at random
HOPELESS = 1000  # such proposals in a row, after which the search of a space that cannot be listed ends

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
        admits: a filter before training (latency); what it turns away costs no budget.
        first: members to try after the baselines and before the sampler's, as parameters.

    Attributes:
        ended: why there was nothing left to propose, in words.
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
        self._unseen: list[tuple[str, Architecture]] | None = None
        self.ended = ""
        continuous = any(isinstance(hole, ir.FloatRange) for hole in ir.holes(spec))
        self._countable = not continuous and space.size(spec) <= space.EXACT_LIMIT

    def propose(
        self, busy: Collection[str] = (), late: Callable[[], bool] = lambda: False,
        on_turned_away: Callable[[str], None] = lambda reason: None,
    ) -> Proposal | None:  # fmt: skip
        """A member that neither was trained nor is in training; None when there is no further one, or it is late.

        Many may be turned away before one is found, each of which may have to be measured: Ctrl-C and `late` end that
        between two.

        Args:
            busy: keys of the candidates in training.
            late: whether nothing is to be begun any more.
            on_turned_away: is told why a member was turned away.
        """
        repeats = 0  # proposals of what is in training right now
        while not late() and self.aim(busy, repeats):
            ask()
            found = self._ask(busy)
            if isinstance(found, tuple):
                return found
            if found is None:
                repeats += 1
            elif "reason" in found:
                on_turned_away(found["reason"])
        return None

    def _ask(self, busy: Collection[str]) -> Proposal | dict[str, Any] | None:
        """One trial: what it proposes if that is to be trained, else closed, and as in `judge`."""
        trial = self.study.ask()
        try:
            found = self.judge(self.decide(trial), busy)
            if isinstance(found, Architecture):
                return trial, found
            if found is None:
                self.study.tell(trial, state=TrialState.FAIL)
            else:
                self.close(trial, found, found.get("values"))
        except BaseException:
            settle(self.study, trial.number)
            raise
        return found

    def aim(self, busy: Collection[str], repeats: int = 0) -> bool:
        """Make the study's sampler that of the next proposal; False when there is nothing left to propose."""
        stuck = self.history.fruitless + repeats >= PATIENCE
        # A space that can be listed is gone through to its end, which comes by itself.
        limit = HOPELESS + (space.EXACT_LIMIT if self._countable else 0)
        if self.history.fruitless >= limit:
            self.ended = f"{limit:,} proposals in a row were no new network that may be trained"
            return False
        fixed = self._fixed(busy, stuck)
        if fixed is None and (self.sampler == EXHAUSTIVE or stuck):
            whole = self.sampler == EXHAUSTIVE or self._countable
            self.ended = "the space has no further network"
            self.ended += "" if whole else f" among {space.EXACT_LIMIT:,} drawn"
            return False
        directions = tuple(direction for _, direction in self.history.objectives)
        count = self.history.asked + len(busy) + repeats
        seed = (self.seed * 100_003 + count) % SEEDS_OF_NUMPY
        sampler = SAMPLERS[self.sampler](Setting(seed, self.spec, directions, self.budget))
        if fixed is not None:
            sampler = PartialFixedSampler(parameters(self.spec, fixed), sampler)
        self.study.sampler = sampler
        return True

    def decide(self, trial: optuna.trial.Trial) -> Architecture | None:
        """What a trial proposes; None where that is no member of the space."""
        return space.attempt(self.spec, lambda hole: suggest(trial, hole))

    def judge(self, architecture: Architecture | None, busy: Collection[str]) -> Architecture | dict[str, Any] | None:
        """What was proposed if it is a new member; the record of one that is not trained, None for one in training."""
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
        self.study.sampler = PartialFixedSampler(
            parameters(self.spec, architecture), RandomSampler(seed=self.seed % SEEDS_OF_NUMPY)
        )

    def close(self, trial: optuna.trial.Trial, entry: dict[str, Any], values: list[float] | None) -> None:
        """End an Optuna trial with its record; without values it counts as failed for the sampler."""
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
            unseen = [member for key, member in self._remaining() if key not in busy]
            return rng.choice(unseen) if unseen else None
        drawn = (space.draw(self.spec, rng) for _ in range(space.EXACT_LIMIT))
        return next((member for member in drawn if member is not None and new(member)), None)

    def _remaining(self) -> list[tuple[str, Architecture]]:
        """The members that were not tried, with their keys; a small space is listed once, which may take seconds."""
        if self._unseen is None:
            self._unseen = [(key_of(member), member) for member in space.members(self.spec, key_of)]
        seen, turned_away = self.history.seen, self.history.turned_away
        self._unseen = [pair for pair in self._unseen if pair[0] not in seen and pair[0] not in turned_away]
        return self._unseen
