"""The model of the sampler `bayes`: against worked distances, SciPy and the textbook's formulas."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from scipy.stats import multivariate_normal

from archdsl import ir, space
from archdsl.language import parse
from archdsl.network import Architecture
from archdsl.study.history import History
from archdsl.study.proposer import Proposer
from archdsl.study.record import key_of
from archdsl.study.rungs import Rungs
from archdsl.study.samplers.bayes import MODELLED, Bayes, Model, distances, encode, modelled

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from halving import halve
from table import shipped

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
RNG = np.random.default_rng(0)
CONDITIONAL = parse("stage({16..64 step 16})[{C|M(heads={2|4})|}*{1..3}] train(lr={1e-4..1e-2 log})")


def test_distances_count_decisions():
    """An option that differs counts one, a range its part, a hole that is open on one side one."""
    spec = parse("stage({16..64 step 16})[{C|M(heads={2|4})}] train(lr={1e-4..1e-2 log})")
    width, block, heads, rate = (hole.name for hole in ir.holes(spec))
    here = {width: 0, block: 0, rate: 1e-4}
    others = [
        here,
        {width: 1, block: 0, rate: 1e-3},  # a third of the widths, half of the rates on their scale
        {width: 3, block: 1, heads: 0, rate: 1e-4},  # all of the widths, another block, and a hole of that block's own
        {width: 0, block: 1, heads: 1, rate: 1e-4},
    ]
    coded = encode(list(ir.holes(spec)), others)
    assert distances(coded, coded)[0] == pytest.approx([0, 1 / 3 + 1 / 2, 3, 2])
    assert distances(coded, coded)[2, 3] == pytest.approx(1 + 1)
    assert np.array_equal(distances(coded, coded), distances(coded, coded).T)


def drawn(count: int) -> list[dict[str, float]]:
    rng = random.Random(0)
    members = (space.draw(CONDITIONAL, rng) for _ in range(count))
    return [dict(member.choices) for member in members if member is not None]


def test_likeness_is_positive_definite_in_a_conditional_space():
    coded = encode(list(ir.holes(CONDITIONAL)), drawn(120))
    apart = distances(coded, coded)
    for length in (0.3, 1.0, 5.0):
        assert np.linalg.eigvalsh(np.exp(-apart / length)).min() > -1e-10


def dense(model: Model, apart: np.ndarray, cross: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariance of the scores, and mean and variance elsewhere, as the textbook has them (Rasmussen, eq. 2.25)."""
    total = 1 + model.noise
    covariance = (np.exp(-apart / model.length) + 1) / total + model.noise / total * np.eye(len(apart))
    likeness = (np.exp(-cross / model.length) + 1) / total
    inverse = np.linalg.inv(covariance)
    variance = 2 / total - np.einsum("ij,ik,kj->j", likeness, inverse, likeness)
    return covariance, likeness.T @ inverse @ model.scores, variance


def test_the_model_is_a_gaussian_process():
    holes = list(ir.holes(CONDITIONAL))
    known, new = encode(holes, drawn(40)[:25]), encode(holes, drawn(40)[25:])
    model = Model.fitted(known, RNG.normal(size=len(known.values)))
    assert model.scores.mean() == pytest.approx(0, abs=1e-12)
    assert model.scores.std() == pytest.approx(1)
    apart = distances(known, known)
    covariance, mean, variance = dense(model, apart, distances(known, new))
    found = model.predict(new)
    assert found[0] == pytest.approx(mean, abs=1e-10)
    assert found[1] ** 2 == pytest.approx(variance, abs=1e-10)
    logpdf = multivariate_normal(np.zeros(len(apart)), covariance).logpdf(model.scores)
    assert model.likelihood() == pytest.approx(logpdf + len(apart) / 2 * np.log(2 * np.pi), abs=1e-8)


def test_the_likeliest_noise_is_chosen():
    """Scores that only noise explains get the most of it; scores without noise the least."""
    coded = encode(list(ir.holes(CONDITIONAL)), drawn(150))
    likeness = np.exp(-distances(coded, coded) / 2) + 1e-9 * np.eye(len(coded.values))
    smooth = np.linalg.cholesky(likeness) @ RNG.normal(size=len(likeness))
    assert Model.fitted(coded, smooth).noise == 0.1
    assert Model.fitted(coded, RNG.normal(size=len(likeness))).noise == 3.0


def test_what_is_in_training_is_expected_and_not_tried_again():
    """A believed score changes no expectation, but there is less left to learn near it."""
    holes = list(ir.holes(CONDITIONAL))
    known, new = encode(holes, drawn(40)[:25]), encode(holes, drawn(40)[25:])
    model = Model.fitted(known, RNG.normal(size=len(known.values)))
    before, after = model.predict(new), model.believing(new).predict(new)
    assert after[0] == pytest.approx(before[0], abs=1e-8)
    assert (after[1] < before[1]).all()
    assert model.believing(encode(holes, [])) is model


def test_of_very_many_networks_the_best_and_the_youngest_are_modelled():
    assert modelled(RNG.normal(size=MODELLED)).tolist() == list(range(MODELLED))
    score = RNG.permutation(1000).astype(float)
    chosen = modelled(score)
    youngest = list(range(1000 - MODELLED // 2, 1000))
    best = sorted(range(1000 - MODELLED // 2), key=lambda i: -score[i])[: MODELLED // 2]
    assert chosen.tolist() == sorted(best) + youngest
    assert score.argmax() in chosen


def test_the_leaders_of_a_search_with_halving_differ(monkeypatch: pytest.MonkeyPatch):
    """Promotions are further trials of a network, but not further leaders."""
    seen: list[list[str]] = []
    pool = Bayes._pool

    def watched(self: Bayes, leaders: list[Architecture]) -> list[Architecture]:
        seen.append([leader.hash for leader in leaders])
        return pool(self, leaders)

    monkeypatch.setattr(Bayes, "_pool", watched)
    halve(shipped(), Rungs(), "bayes", 0, 60)
    assert len(seen) > 10
    assert all(len(set(leaders)) == len(leaders) == 6 for leaders in seen)


@pytest.mark.slow
def test_bayes_climbs_faster_than_evolution():
    """An additive score with noise on 17 places, 40 trainings: what was trained last is worth more, summed over seeds."""
    spec = parse("stage[{C|M}*6] stage(32)[{C|M}*6] stage(64)[{C|M}*5]")
    weights = np.random.default_rng(1).normal(size=17)

    def last(name: str, seed: int) -> float:
        study = optuna.create_study(direction="maximize")
        proposer = Proposer(spec, name, seed, study, History((("accuracy", "maximize"),)), 40)
        noise, worth = np.random.default_rng(seed), []
        for number in range(40):
            proposal = proposer.propose()
            assert proposal is not None
            trial, member = proposal
            worth.append(float(weights @ [member.choices[hole.name] for hole in ir.holes(spec)]))
            told = [worth[-1] + float(noise.normal())]
            entry = {"kind": "trained", "number": number, "state": "complete", "key": key_of(member), "values": told}
            proposer.close(trial, entry, told)
        return float(np.mean(worth[-10:]))

    assert sum(last("bayes", seed) for seed in (0, 1)) > sum(last("evolution", seed) for seed in (0, 1))
