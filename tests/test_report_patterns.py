"""Patterns the report finds: planted ones are found, chance is not called a rule, and least squares is least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from report_page import check
from report_results import results, trial

from archdsl.base import statistics
from archdsl.report import patterns
from archdsl.report.sections.ranking import front
from archdsl.study.results import read


def searched(values: np.ndarray, fillings: np.ndarray) -> dict[str, Any]:
    """Complete trials over three stages of two free places each: M where a filling is 1."""
    names = [f"stage{s}.block{b}" for s in (1, 2, 3) for b in (1, 2)]
    trials = []
    for number, (value, filling) in enumerate(zip(values, fillings, strict=True)):
        letters = ["CM"[bit] for bit in filling]
        layout = " ".join("".join(letters[2 * s : 2 * s + 2]) for s in range(3))
        trials.append(trial(number, layout, float(value)) | {"decisions": dict(zip(names, letters, strict=True))})
    return {
        "trials": trials,
        "decisions": [{"name": name, "choices": ["C", "M"]} for name in names],
        "objectives": [{"name": "accuracy", "direction": "maximize"}],
    }


def every_filling() -> np.ndarray:
    return np.array([[n >> bit & 1 for bit in range(6)] for n in range(64)])


def test_a_planted_pair_is_found_as_a_pair() -> None:
    rng = np.random.default_rng(0)
    fillings = every_filling()
    values = 0.8 + 0.02 * fillings[:, 1] * fillings[:, 4] + rng.normal(0, 0.004, 64)
    tested = patterns.patterns(read(searched(values, fillings)), "accuracy")
    together = next(p for p in tested if p.test == patterns.TOGETHER and p.found)
    assert together.title == "stage1.block2 is M and stage3.block1 is M"
    assert together.effect.n == (16, 48)
    others = [p for p in tested if p.test == patterns.TOGETHER and p.found and p is not together]
    assert others == []


def test_the_interval_of_a_pair_covers() -> None:
    rng = np.random.default_rng(7)
    fillings = every_filling().astype(float)
    planted = 0.02 * fillings[:, 1] * fillings[:, 4]
    found = [patterns.interactions(fillings, planted + rng.normal(0, 0.004, 64))[1, 4] for _ in range(400)]
    hits = sum(effect.low <= 0.02 <= effect.high for effect in found)
    assert hits / 400 == pytest.approx(0.95, abs=0.03)
    assert np.mean([effect.value for effect in found]) == pytest.approx(0.02, abs=0.0004)  # four standard errors


def test_a_planted_place_comes_first_and_what_follows_from_it_is_told_once() -> None:
    rng = np.random.default_rng(1)
    fillings = every_filling()
    values = 0.8 - 0.03 * fillings[:, 0] + rng.normal(0, 0.004, 64)
    tested = patterns.patterns(read(searched(values, fillings)), "accuracy")
    assert tested[0].title == "stage1.block1 is M, not C"
    assert tested[0].effect.value == pytest.approx(-0.03, abs=0.003)
    assert tested[0].effect.n == (32, 32)
    # a stage of two places that begins with an MSA is the same split, and is not told again
    assert not any(pattern.title == "stage 1 begins with an MSA" for pattern in tested)


def test_chance_is_called_a_rule_in_no_more_than_one_search_of_twenty() -> None:
    rng = np.random.default_rng(2)
    fillings = every_filling()
    searches = 200
    wrong = sum(
        any(p.found for p in patterns.patterns(read(searched(rng.normal(0.8, 0.01, 40), fillings[rng.permutation(64)[:40]])), "accuracy"))
        for _ in range(searches)
    )  # fmt: skip
    # 200 searches at 5 %: 17 or fewer in 98 % of cases; Holm is on the safe side, since the patterns overlap
    assert wrong <= 17


def test_interactions_are_those_of_one_large_least_squares_fit() -> None:
    rng = np.random.default_rng(3)
    columns = rng.integers(0, 2, (30, 4)).astype(float)
    values = rng.normal(size=30)
    found = patterns.interactions(columns, values)
    assert len(found) == 6
    for (i, j), effect in found.items():
        whole = statistics.adjusted(np.hstack([columns, columns[:, [i]] * columns[:, [j]]]), values)
        assert whole is not None
        expected = whole[-1]
        assert (effect.value, effect.low, effect.high, effect.p) == pytest.approx(
            (expected.value, expected.low, expected.high, expected.p)
        )


def test_few_trials_test_few_patterns() -> None:
    assert patterns.interactions(np.ones((6, 3)), np.zeros(6)) == {}
    fillings = every_filling()[:4]
    assert patterns.patterns(read(searched(np.array([0.1, 0.2, 0.3, 0.4]), fillings)), "accuracy") == []


def test_p_values_are_those_of_the_tests() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 8), rng.normal(0.5, 2, 11)
    welch = scipy.stats.ttest_ind(a, b, equal_var=False)
    assert statistics.difference(a.tolist(), b.tolist()).p == pytest.approx(welch.pvalue)
    line = scipy.stats.linregress(a, a**2)
    (fitted,) = statistics.adjusted(a[:, None], a**2) or []
    assert fitted.p == pytest.approx(line.pvalue)


def test_holms_adjustment_by_its_definition() -> None:
    rng = np.random.default_rng(5)
    ps = rng.random(20) ** 3
    ordered = np.sort(ps)
    by_definition = {p: min(1.0, max((20 - k) * ordered[k] for k in range(i + 1))) for i, p in enumerate(ordered)}
    assert statistics.holm(ps.tolist()) == pytest.approx([by_definition[p] for p in ps])


def test_the_page_tells_found_rules_from_chance() -> None:
    page = check(results(trials=200))
    assert "Rules found" in page.text
    assert "stage1.block2 is M, not C" in page.text
    assert "stand out from chance" in page.text
    few = check(results(trials=12))
    assert "may be chance" in few.text


def test_the_front_of_a_plot_is_what_none_beats() -> None:
    rng = np.random.default_rng(6)
    points = rng.integers(0, 12, (60, 2)) / 12
    trials = [trial(n, "CM", float(a)) | {"params": int(100 + 100 * b)} for n, (a, b) in enumerate(points)]
    document = read(
        {"trials": trials, "objectives": [{"name": "accuracy"}, {"name": "params", "direction": "minimize"}]}
    )
    y, x = document.objectives
    kept = {t.number for t in front(document.trials, x, y)}
    costs = [(-t.score("accuracy"), t.score("params")) for t in document.trials]
    unbeaten = {
        n for n, (a, b) in enumerate(costs) if not any(c <= a and d <= b and (c, d) != (a, b) for c, d in costs)
    }
    assert kept == unbeaten
