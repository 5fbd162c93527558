"""Shares what samplers of our own do: think in whole members, and propose none that the study has already."""

from __future__ import annotations

import itertools
import random
from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from archdsl import ir
from archdsl.network import Architecture
from archdsl.study.parameters import distribution, member, parameters
from archdsl.study.record import RECORD, key_of
from archdsl.study.samplers import Setting

TRIES = 1_000  # candidates looked at for one proposal
UNTRAINED = ("duplicate", "unfit")  # kinds of records that tell nothing new of a network


class MemberSampler(BaseSampler):
    """A sampler that proposes the first of its candidates that is not in the study.

    A subclass says which members it would propose, the best first. Holes, conditions and ranges need no further thought
    there: a member is whole, and holes that are closed in it are not decided.

    Args:
        setting: what the sampler is made for.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.spec = setting.spec
        self.holes = list(ir.holes(setting.spec))
        self.rng = random.Random(setting.seed)
        self._independent = RandomSampler(seed=setting.seed)

    @abstractmethod
    def candidates(self, trials: Sequence[FrozenTrial]) -> Iterator[Architecture | None]:
        """Members worth a training, the best first; None where one that was thought of does not fit.

        Args:
            trials: the latest of each network, in the order in which they were begun; networks that are in training for
                the first time have no values yet, failed ones never.
        """

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All holes, those too that are open in some members only."""
        return {hole.name: distribution(hole) for hole in self.holes}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The first candidate that is new; nothing, and so a random filling, where there seems to be none."""
        if not search_space:
            return {}
        trials = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number and counts(t)]
        networks = self.networks(trials)
        keys = (t.user_attrs.get(RECORD, {}).get("key") for t in trials)  # of what was turned away too
        taken = {*networks, *keys, *(signature(t.params) for t in trials)}
        for candidate in itertools.islice(self.candidates(list(networks.values())), TRIES):
            if candidate is None:
                continue
            found = parameters(self.spec, candidate)
            # Other parameters may be the same network, where a decision is idle or optional blocks change places.
            if signature(found) not in taken and key_of(candidate) not in taken:
                return {name: value for name, value in found.items() if name in search_space}
        return {}

    def networks(self, trials: Sequence[FrozenTrial]) -> dict[Hashable, FrozenTrial]:
        """The latest trial of each network, by key, in the order in which they were begun.

        A network that halving stopped and promoted has several trials, one after each piece of its training.
        """
        found: dict[Hashable, FrozenTrial] = {}
        for trial in trials:
            if trial.user_attrs.get(RECORD, {}).get("kind") in UNTRAINED:
                continue
            key = self.key(trial)
            if key not in found or trial.state is not TrialState.RUNNING:
                found[key] = trial
        return found

    def key(self, trial: FrozenTrial) -> Hashable:
        """What a trial trains, as `key_of` has it; its parameters, where they are no member."""
        if (recorded := trial.user_attrs.get(RECORD, {}).get("key")) is not None:
            return str(recorded)
        found = member(self.spec, trial.params)
        return signature(trial.params) if found is None else key_of(found)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Any value: it is for holes that no candidate has decided."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial ended on its own or still runs; one that was interrupted comes again, as if it never was."""
    return trial.state is not TrialState.FAIL or RECORD in trial.user_attrs


def signature(params: dict[str, Any]) -> frozenset[tuple[str, Any]]:
    """Parameters as something to compare."""
    return frozenset(params.items())


def merits(trial: FrozenTrial, directions: Sequence[str]) -> tuple[float, ...] | None:
    """A trial's values turned so that more is better; None where it has none."""
    if trial.state is not TrialState.COMPLETE:
        return None
    return tuple(v if d == "maximize" else -v for v, d in zip(trial.values, directions, strict=True))
