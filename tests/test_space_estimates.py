"""Spaces too large to count: the interval of an estimate holds the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from work import at_most

from archdsl import space
from archdsl.language import parse
from archdsl.space import automaton, counted, counting, extents, words

ESTIMATED = [
    "stage[{C|M}*8] require count(M) <= 4",
    "stage[{C|M}*{1..7}] require count(M) >= 2",  # holes met in some fillings only
    "stage(128, heads={2|4|8})[{C|M}*6] require count(M) >= 1",
    "let B = {C|M} stage[B B {C|M {C|M {C|M}}|} {C|}*4] require depth >= 5",
]


def without_automaton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "MAX_NODES", 5)


def without_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unconditional(counting.Counting):
        def __init__(self, graph: Any, forms: Any, *arguments: Any) -> None:
            if forms:
                raise automaton.TooLarge
            super().__init__(graph, forms, *arguments)

    monkeypatch.setattr(counted, "Counting", Unconditional)


def without_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MAX_SUBSETS", 2)


@pytest.mark.parametrize("how", [without_automaton, without_conditions, without_networks])
@pytest.mark.parametrize("text", ESTIMATED)
def test_the_interval_of_an_estimate_holds_the_truth(
    text: str, how: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = space.extent(parse(text))
    assert truth.feasible is not None
    assert truth.networks is not None
    monkeypatch.setattr(extents, "EXACT_LIMIT", 1)
    how(monkeypatch)
    held = []
    for seed in range(3):
        found = space.extent(parse(text), seed)
        assert found.networks is None
        assert found.draws is not None
        if how is without_networks:
            assert found.feasible == truth.feasible
        else:
            assert found.feasible is None
            held.append(holds(found.feasible_estimate, found.feasible_interval, truth.feasible))
        if how is without_automaton:
            assert found.networks_estimate is None
        else:
            held.append(holds(found.networks_estimate, found.networks_interval, truth.networks))
    assert sum(held) >= len(held) - 1  # intervals of 95%


def holds(estimate: int | None, interval: tuple[int, int] | None, truth: int) -> bool:
    """Whether an interval holds the truth, and the estimate lies in it and near."""
    assert estimate is not None
    assert interval is not None
    assert interval[0] <= estimate <= interval[1]
    assert math.isclose(estimate, truth, rel_tol=0.2)
    return interval[0] <= truth <= interval[1]


def test_estimates_of_spaces_larger_than_any_float(monkeypatch: pytest.MonkeyPatch) -> None:
    without_automaton(monkeypatch)
    with at_most(calls=20_000_000):
        found = space.extent(parse("stage[norm*50 C] stage(8)[{act|norm}*1200]"))
    assert found.size == 2**1200
    assert found.feasible_estimate == 2**1200
    assert found.feasible_interval == (2**1200, 2**1200)


@pytest.mark.parametrize("how", [without_automaton, without_conditions])
def test_no_success_in_all_draws_still_leaves_room(
    how: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    how(monkeypatch)
    monkeypatch.setattr(extents, "DRAWS", 100)
    found = space.extent(parse("stage[{C|M}*40] require count(M) >= 40"))
    assert found.feasible_estimate == 0
    assert found.feasible_interval is not None
    assert found.feasible_interval[0] == 0
    assert 0.01 < found.feasible_interval[1] / found.size < 0.1


def test_an_estimate_lies_in_its_interval_and_both_in_the_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fillings of very different weights: one of a module, or of two in sequence or side by side, three levels deep."""
    without_automaton(monkeypatch)
    monkeypatch.setattr(extents, "EXACT_LIMIT", 1)
    levels = "block a = {()|norm|act} block b = {a|a a|sum[a a]} block d = {b|b b|sum[b b]}"
    for text, truth in [(f"{levels} stage[d C]", 903), (f"{levels} stage[d {{C|M(window={{5|7}})}}]", 903)]:
        for seed in range(3):
            found = space.extent(parse(text), seed)
            assert found.feasible_estimate is not None
            assert found.feasible_interval is not None
            low, high = found.feasible_interval
            assert 0 <= low <= found.feasible_estimate <= high <= found.size
            assert low <= truth <= high
