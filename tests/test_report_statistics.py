"""The report's statistics against NumPy and SciPy, and what it says about placement against planted effects."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import scipy.stats
from report_page import changed, check
from report_results import results, trial

from archdsl.base import statistics
from archdsl.report import rules
from archdsl.study.results import read


def test_mean_and_spread() -> None:
    values = [0.3, 0.1, math.nan, 0.7]
    found = statistics.mean(values)
    assert found.n == 3
    assert found.value == pytest.approx(np.nanmean(values))
    assert found.sd == pytest.approx(np.nanstd(values, ddof=1))
    assert math.isnan(statistics.mean([1.0]).sd)
    assert math.isnan(statistics.mean([]).value)


def test_difference_is_welchs() -> None:
    rng = np.random.default_rng(0)
    for n, m in ((2, 2), (3, 3), (20, 7)):
        a, b = rng.normal(1, 1, n), rng.normal(0, 3, m)
        expected = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
        found = statistics.difference(a.tolist(), b.tolist())
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.value == pytest.approx(a.mean() - b.mean())
        assert found.n == (n, m)
    assert not statistics.difference([1.0], [2.0, 3.0]).known
    assert statistics.difference([1.0, 1.0], [2.0, 2.0]).excludes_zero
    assert not statistics.difference([1.0, 1.0], [1.0, 1.0]).excludes_zero


def test_rank_correlation_is_pearsons_on_ranks() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, 30).astype(float)
    y = x + rng.normal(0, 3, 30)
    found = statistics.rank_correlation([*x, math.nan], [*y, 1.0])
    ranks = [scipy.stats.rankdata(each) for each in (x, y)]
    assert found.value == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert found.low < found.value < found.high
    assert found.n == (30,)
    assert statistics.rank_correlation([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]).value == pytest.approx(1)
    assert math.isnan(statistics.rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]).value)
    assert math.isnan(statistics.rank_correlation([], []).value)


def test_the_interval_of_a_rank_correlation_covers() -> None:
    rng = np.random.default_rng(0)
    true = 6 / math.pi * math.asin(0.6 / 2)  # Spearman's rho of a normal pair with correlation 0.6
    hits = 0
    for _ in range(300):
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        found = statistics.rank_correlation(x.tolist(), y.tolist())
        hits += found.low <= true <= found.high
    assert hits / 300 == pytest.approx(0.95, abs=0.03)


def test_adjusted_effects_are_least_squares() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=25)
    y = 2 * x + rng.normal(size=25)
    line = scipy.stats.linregress(x, y)
    half = scipy.stats.t.ppf(0.975, 23) * line.stderr
    (found,) = statistics.adjusted(x[:, None], y) or []
    assert (found.value, found.low, found.high) == pytest.approx((line.slope, line.slope - half, line.slope + half))
    assert statistics.adjusted(np.ones((25, 1)), y) is None
    assert statistics.adjusted(rng.normal(size=(5, 2)), y[:5]) is None


def test_running_best() -> None:
    values = [math.nan, 0.2, 0.1, math.nan, 0.5]
    np.testing.assert_equal(statistics.running_best(values, maximize=True), [math.nan, 0.2, 0.2, 0.2, 0.5])
    np.testing.assert_equal(statistics.running_best(values, maximize=False), [math.nan, 0.2, 0.1, 0.1, 0.1])


def test_effects_are_differences_of_means_over_complete_trials() -> None:
    document = results()
    complete = [t for t in document["trials"] if t["state"] == "complete"]
    for effect in rules.effects(read(document), "accuracy"):
        name = effect.decision.name
        groups = {c: [t["scores"]["accuracy"] for t in complete if t["decisions"][name] == c] for c in "CM"}
        assert effect.sides == "M − C"
        assert effect.effect is not None
        assert effect.effect.value == pytest.approx(np.mean(groups["M"]) - np.mean(groups["C"]))
        assert {c: effect.means[c].n for c in "CM"} == {c: len(groups[c]) for c in "CM"}


def test_holding_the_others_still_finds_the_planted_effects() -> None:
    document = results(trials=400, failing=0, stopping=-1)
    planted = [-0.016, -0.006, 0.002, -0.006, 0.002, 0.007, -0.002, 0.006, 0.013]
    found = [e.still for e in rules.effects(read(document), "accuracy")]
    inside = sum(s is not None and s.low <= p <= s.high for s, p in zip(found, planted, strict=True))
    assert inside >= 8


def test_stage_ends_against_beginnings() -> None:
    good = [trial(n, "CCCM CCM", 0.9 + n / 1000) for n in range(4)]
    bad = [trial(9 + n, "CMCC CMC", 0.8 + n / 1000) for n in range(4)]
    even = [trial(20, "CMCM CMM", 0.5)]
    found = rules.rules(read({"trials": good + bad + even}), "accuracy")[0]
    assert found.title.startswith("MSAs belong at the ends of stages")
    assert (found.groups[0].n, found.groups[1].n) == (4, 4)  # the even one is on neither side
    assert found.effect.value == pytest.approx(0.1)
    assert found.verdict(maximize=True) == "supported"
    assert found.verdict(maximize=False) == "contradicted"
    few = rules.rules(read({"trials": [good[0], *bad]}), "accuracy")[0]
    assert few.verdict(maximize=True) == "not testable"


def test_blocks_that_never_vary_are_no_beginnings() -> None:
    trials = read({"trials": [trial(0, "CCM CM", 0.5), trial(1, "CMC CC", 0.5), trial(2, "CCC CC", 0.5)]})
    assert rules.free_slots(trials.trials, trials) == [
        (("conv", "msa"), ("msa",)),
        (("msa", "conv"), ("conv",)),
        (("conv", "conv"), ("conv",)),
    ]


def test_a_score_that_does_not_beat_the_parameter_count_says_so() -> None:
    def tie(document: dict[str, Any]) -> None:
        for each in document["trials"]:
            if each["scores"]:
                each["scores"]["good"] = each["scores"]["accuracy"] ** 3
                each["scores"]["noise"] = (each["number"] * 7919 % 101) / 101

    text = check(changed(tie, trials=80)).text
    assert re.search(r"noise [^a-z]*does not beat the parameter count", text)
    assert re.search(r"good [^a-z]*beats the parameter count", text)
