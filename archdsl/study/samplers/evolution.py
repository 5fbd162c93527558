"""`evolution`: regularised evolution (arXiv 1802.01548), in which age, not merit, decides who leaves the population."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from archdsl import ir, space
from archdsl.network import Architecture
from archdsl.space import Hole
from archdsl.study.history import dominates
from archdsl.study.parameters import member
from archdsl.study.record import key_of
from archdsl.study.samplers import SAMPLERS, Setting
from archdsl.study.samplers.members import MemberSampler, merits

POPULATION = 20  # the youngest networks, of which parents are chosen; a budget of 50 is two and a half of these
SAMPLE = 8  # of the population that compete to be the parent
FOUNDERS = 8  # networks before the first mutation, the baselines among them
PATIENCE = 20  # mutations of a kind that are no new member, before one more decision is changed at once
STEP = 0.2  # standard deviation of a mutation of a real number, against its range


@SAMPLERS.register("evolution")
def evolution(setting: Setting) -> BaseSampler:
    """The best of a random sample of the youngest networks, with one decision changed; never a network twice."""
    return Evolution(setting)


class Evolution(MemberSampler):
    """Founders at random, then mutants of the winners of tournaments among the youngest."""

    def candidates(self, trials: Sequence[FrozenTrial]) -> Iterator[Architecture | None]:
        """Mutants, farther and farther from their parents as near ones turn out to be known."""
        scored = [(m, trial) for trial in trials if (m := merits(trial, self.setting.directions)) is not None]
        population = scored[-POPULATION:]
        if len(trials) < FOUNDERS or not population:
            while True:
                yield space.draw(self.spec, self.rng)
        for attempt in itertools.count():
            parent = member(self.spec, self._winner(population).params)
            if parent is None:  # parameters that decide too little; none of ours
                yield space.draw(self.spec, self.rng)
                continue
            child = mutate(self.spec, self.holes, parent, 1 + attempt // PATIENCE, self.rng)
            # Deciding otherwise what does not matter to a network makes no other one.
            yield None if child is None or key_of(child) == key_of(parent) else child

    def _winner(self, population: list[tuple[tuple[float, ...], FrozenTrial]]) -> FrozenTrial:
        """One that no other of a random sample beats in all objectives."""
        sample = self.rng.sample(population, min(SAMPLE, len(population)))
        # More is better of merits: what is nowhere above another, and somewhere below, is beaten by it.
        front = [(m, trial) for m, trial in sample if not any(dominates(m, other) for other, _ in sample)]
        return self.rng.choice(front)[1]


def mutate(
    spec: ir.Spec, holes: Sequence[Hole], parent: Architecture, changes: int, rng: random.Random
) -> Architecture | None:
    """A member with some of the parent's decisions made otherwise, and holes that opened anew decided evenly."""
    changeable = [h for h in holes if h.name in parent.choices and _alternatives(h) > 1]
    changed = {hole.name for hole in rng.sample(changeable, min(changes, len(changeable)))}

    def choose(hole: Hole) -> float:
        known = parent.choices.get(hole.name)
        if known is None:
            return space.random_choice(hole, rng)
        return _another(hole, known, rng) if hole.name in changed else known

    return space.attempt(spec, choose)


def _alternatives(hole: Hole) -> float:
    if isinstance(hole, ir.FloatRange):
        return math.inf if hole.low < hole.high else 1
    return space.options(hole)


def _another(hole: Hole, known: float, rng: random.Random) -> float:
    """Another decision than the one known: any other option, or a step from a real number."""
    if not isinstance(hole, ir.FloatRange):
        other = rng.randrange(space.options(hole) - 1)
        return other + (other >= known)
    moved = place(hole, known) + rng.gauss(0, STEP)
    return _at(hole, min(max(moved, 0.0), 1.0))


def _at(hole: ir.FloatRange, place: float) -> float:
    """The number at a place between 0 and 1 of a range, on its scale."""
    if hole.log:
        low, high = math.log(hole.low), math.log(hole.high)
        return min(max(math.exp(low + place * (high - low)), hole.low), hole.high)
    return hole.low + place * (hole.high - hole.low)


def place(hole: ir.FloatRange, value: float) -> float:
    """Where a number of a range stands on its scale, between 0 and 1; the inverse of `_at`."""
    if hole.log:
        return math.log(value / hole.low) / math.log(hole.high / hole.low)
    return (value - hole.low) / (hole.high - hole.low)
