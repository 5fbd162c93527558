"""Successive halving on a table: what it spends, whom it trains on, and what it finds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from archdsl.study.rungs import Rungs

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from halving import Halved, compare_rungs, halve
from simulation import simulate
from table import shipped

NLL = (("nll", "minimize"),)


def test_without_halving_it_is_a_search():
    table = shipped()
    found = halve(table, Rungs(halving=False), "random", 1, 36)
    assert tuple(found.epochs) == simulate(table, "random", 1, 12).hashes
    assert set(found.epochs.values()) == {3}
    assert [spent for spent, _ in found.course] == list(range(3, 37, 3))


@pytest.mark.parametrize("by", ["accuracy", "nll"])
def test_the_better_half_at_a_rung_goes_on(by: str):
    """Of the networks that came to a rung, nobody who waits there is better than all that went on."""
    table = shipped()
    rungs = Rungs(NLL, shares=(0.25,)) if by == "nll" else Rungs(shares=(0.25,))
    found = halve(table, rungs, "random", 2, 90)
    assert found.course[-1][0] == sum(found.epochs.values()) >= 90
    rows = {key: table.by_hash[key][2] for key in found.epochs}
    at_rung = {key: -row.nll[0] if by == "nll" else row.accuracy[0] for key, row in rows.items()}
    promoted = [key for key in list(rows)[3:] if found.epochs[key] == 3]
    waiting = [key for key in rows if found.epochs[key] == 1]
    assert len(promoted) + 3 >= len(rows) // 2 - 1
    assert max(at_rung[key] for key in waiting) <= max(at_rung[key] for key in promoted)
    finished = [key for key in rows if found.epochs[key] == 3]
    assert found.course[-1][1] == max(finished, key=lambda key: rows[key].scores["accuracy"])


def test_the_best_so_far():
    found = Halved({"a": 3, "b": 3}, ((3, "a"), (4, "a"), (6, "b")))
    assert [found.best_after(n) for n in (1, 3, 5, 6, 9)] == ["a", "a", "a", "b", "b"]


def test_comparing_rungs():
    none, halved = compare_rungs(shipped(), [Rungs(halving=False), Rungs()], seeds=3, limit=60)
    assert none["finished"] == none["begun"] == 20
    assert none["good_that_finish"] == 1
    assert halved["begun"] > none["begun"]
    assert halved["finished"] < none["finished"]
    assert (halved["rungs"], halved["kept"], halved["by"]) == ([1, 2], 2, "accuracy")
    assert list(halved["regret_at"]) == [30, 50]


def test_a_search_too_short_to_meet_a_good_network():
    """One network trained, all Conv, which is none of the best: nothing can be said of those."""
    (found,) = compare_rungs(shipped(), [Rungs()], seeds=1, limit=3)
    assert (found["begun"], found["finished"], found["good_that_finish"]) == (1, 1, None)
