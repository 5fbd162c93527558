"""`bayes`: Bayesian optimisation in which members resemble each other the more, the more decisions they share."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from scipy.linalg import cholesky, solve_triangular

from archdsl import ir, space
from archdsl.network import Architecture
from archdsl.space import Hole
from archdsl.study.parameters import decided, member
from archdsl.study.record import key_of
from archdsl.study.samplers import SAMPLERS, Setting
from archdsl.study.samplers.evolution import mutate, place
from archdsl.study.samplers.members import MemberSampler, merits

Floats = NDArray[np.float64]

FOUNDERS = 10  # networks before the model is asked, the baselines among them; after 8 it did worse than random draws
DRAWN, MUTANTS = 50, 100  # candidates among which the model chooses
LEADERS = 6  # whose mutants are candidates
MODELLED = 200  # networks that the model learns from at most, half of them the best and half the youngest
LENGTHS = (0.5, 1.0, 2.0)  # over which likeness falls by 1/e, against the mean distance of two members
NOISES = (0.1, 0.3, 1.0, 3.0)  # variance of a training against that of the networks
CURIOSITY = 1.0  # standard deviations by which what is not known is overrated
CHEBYSHEV = 0.05  # weight of the sum beside the minimum of several objectives


@SAMPLERS.register("bayes")
def bayes(setting: Setting) -> BaseSampler:
    """A Gaussian process over whole members, and the candidate with the highest upper confidence bound of its score."""
    return Bayes(setting)


class Bayes(MemberSampler):
    """Founders at random, then what the model thinks best among draws and mutants of the leaders."""

    def candidates(self, trials: Sequence[FrozenTrial]) -> Iterator[Architecture | None]:
        """Candidates in the order in which the model likes them."""
        scored = [(trial, found) for trial in trials if (found := merits(trial, self.setting.directions)) is not None]
        if len(trials) < FOUNDERS or len(scored) < 2:
            while True:
                yield space.draw(self.spec, self.rng)
        score = self._score(np.array([found for _, found in scored]))
        learned = modelled(score)
        scored = [scored[i] for i in learned]
        known = encode(self.holes, [_choices(self.holes, trial) for trial, _ in scored])
        running = [trial for trial in trials if trial.state is TrialState.RUNNING]
        busy = encode(self.holes, [_choices(self.holes, trial) for trial in running])
        model = Model.fitted(known, score[learned]).believing(busy)
        order = np.argsort(-model.predict(known)[0], kind="stable")
        leaders = [member(self.spec, scored[i][0].params) for i in order[:LEADERS]]
        while True:
            pool = self._pool([leader for leader in leaders if leader is not None])
            mean, deviation = model.predict(encode(self.holes, [m.choices for m in pool]))
            for i in np.argsort(-(mean + CURIOSITY * deviation), kind="stable"):
                yield pool[i]
            # So that a space without anything new comes to an end, and soon where it is small.
            yield from itertools.repeat(None, max(DRAWN + MUTANTS - len(pool), 1))

    def _score(self, values: Floats) -> Floats:
        """One number per trial, more being better: of several objectives a weighting drawn anew (ParEGO, Knowles 2006).

        Args:
            values: (trials, objectives).
        """
        if values.shape[1] == 1:
            return values[:, 0]
        span = np.ptp(values, axis=0)
        scaled = (values - values.max(0)) / np.where(span > 0, span, 1.0)
        drawn = np.array([self.rng.expovariate(1.0) for _ in range(values.shape[1])])  # evenly, once they add up to 1
        weighted: Floats = scaled * drawn / drawn.sum()
        score: Floats = weighted.min(1) + CHEBYSHEV * weighted.sum(1)
        return score

    def _pool(self, leaders: Sequence[Architecture]) -> list[Architecture]:
        drawn = (space.draw(self.spec, self.rng) for _ in range(DRAWN))
        parents = itertools.islice(itertools.cycle(leaders), MUTANTS) if leaders else ()
        mutants = (mutate(self.spec, self.holes, parent, self.rng.choice((1, 1, 2, 3)), self.rng) for parent in parents)
        return list({key_of(m): m for m in (*drawn, *mutants) if m is not None}.values())


def modelled(score: Floats) -> NDArray[np.intp]:
    """Which trials the model learns from, in their order: all, or of very many the best and the youngest.

    >>> modelled(np.arange(3.0))
    array([0, 1, 2])
    """
    if len(score) <= MODELLED:
        return np.arange(len(score))
    older = len(score) - MODELLED // 2
    best = np.argsort(-score[:older], kind="stable")[: MODELLED - MODELLED // 2]
    return np.concatenate([np.sort(best), np.arange(older, len(score))])


class Encoded(NamedTuple):
    """Members as numbers: (members, holes) each.

    Attributes:
        values: the option's number, or the place in a range between 0 and 1; 0 where a hole is closed.
        there: whether the hole is open.
        ranges: (holes,): whether values are places in a range.
    """

    values: Floats
    there: NDArray[np.bool_]
    ranges: NDArray[np.bool_]


def encode(holes: Sequence[Hole], choices: Sequence[Mapping[str, float]]) -> Encoded:
    """Members by what was decided of each hole."""
    raw = np.array([[c.get(hole.name, np.nan) for hole in holes] for c in choices], float)
    raw = raw.reshape(len(choices), len(holes))
    there = ~np.isnan(raw)
    values = np.where(there, raw, 0.0)
    for j, hole in enumerate(holes):
        if isinstance(hole, ir.FloatRange | ir.IntRange):
            values[there[:, j], j] = [_place(hole, choice) for choice in raw[there[:, j], j]]
    ranges = [isinstance(hole, ir.IntRange | ir.FloatRange) for hole in holes]
    return Encoded(values, there, np.array(ranges, bool))


def distances(a: Encoded, b: Encoded) -> Floats:
    """(members of a, members of b): over how many decisions two members differ; in a range, by which part of it.

    A hole that is open in one of them alone counts 1. Every hole's distance can be embedded in L1, so exp(-distance) is
    positive definite.
    """
    total = np.zeros((len(a.values), len(b.values)))
    for j, numeric in enumerate(a.ranges):
        apart = np.abs(a.values[:, None, j] - b.values[None, :, j])
        apart = np.minimum(apart, 1.0) if numeric else (apart > 0).astype(float)
        total += np.where(a.there[:, None, j] & b.there[None, :, j], apart, a.there[:, None, j] ^ b.there[None, :, j])
    return total


@dataclass(frozen=True)
class Model:
    """A Gaussian process of standardised scores, with a constant of unknown height.

    Attributes:
        known: where there are scores; scores: standardised.
        length: of likeness; noise: of a training, against the variance of networks.
        apart: the distances of the known ones among each other.
    """

    known: Encoded
    scores: Floats
    length: float
    noise: float
    apart: Floats

    @classmethod
    def fitted(cls, known: Encoded, scores: Floats) -> Model:
        """The length and the noise under which the scores are likeliest."""
        spread = float(scores.std())
        scores = (scores - scores.mean()) / (spread if spread > 0 else 1.0)
        apart = distances(known, known)
        count = len(scores)
        mean = max(float(apart.sum()) / max(count * (count - 1), 1), 1e-3)
        models = [cls(known, scores, length * mean, noise, apart) for length in LENGTHS for noise in NOISES]
        return max(models, key=Model.likelihood)

    def believing(self, busy: Encoded) -> Model:
        """The same as if networks in training had come to what is expected of them, so that others are tried."""
        if not len(busy.values):
            return self
        both = Encoded(
            np.concatenate([self.known.values, busy.values]),
            np.concatenate([self.known.there, busy.there]),
            busy.ranges,
        )
        scores = np.concatenate([self.scores, self.predict(busy)[0]])
        return Model(both, scores, self.length, self.noise, distances(both, both))

    def likelihood(self) -> float:
        """The logarithm of the scores' density, without a constant."""
        white = self._whitened(self.scores)
        return float(-0.5 * white @ white - np.log(self._factor.diagonal()).sum())

    def predict(self, at: Encoded) -> tuple[Floats, Floats]:
        """Mean and standard deviation of what networks are worth, without the noise of a training."""
        cross = self._whitened(self._likeness(distances(self.known, at)))
        mean: Floats = cross.T @ self._whitened(self.scores)
        variance = 2.0 / (1 + self.noise) - (cross**2).sum(0)
        return mean, np.sqrt(np.maximum(variance, 0.0))

    def _likeness(self, apart: Floats) -> Floats:
        """Covariance of two networks; the one is the constant's variance."""
        covariance: Floats = (np.exp(-apart / self.length) + 1.0) / (1 + self.noise)
        return covariance

    def _whitened(self, values: Floats) -> Floats:
        return np.asarray(solve_triangular(self._factor, values, lower=True, check_finite=False), np.float64)

    @functools.cached_property
    def _factor(self) -> Floats:
        """Cholesky's, of the covariance of the scores."""
        noise = self.noise / (1 + self.noise) * np.eye(len(self.apart))
        return np.asarray(cholesky(self._likeness(self.apart) + noise, lower=True, check_finite=False), np.float64)


def _choices(holes: Sequence[Hole], trial: FrozenTrial) -> dict[str, float]:
    return {hole.name: decided(hole, trial.params[hole.name]) for hole in holes if hole.name in trial.params}


def _place(hole: ir.FloatRange | ir.IntRange, choice: float) -> float:
    """Where a decision stands in its range, between 0 and 1."""
    if isinstance(hole, ir.FloatRange):
        return place(hole, choice) if hole.low < hole.high else 0.0
    return choice / max(hole.count() - 1, 1)
