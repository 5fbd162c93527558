"""Successive halving: who waits, who is promoted, and that a promoted training is the whole one."""

from __future__ import annotations

from typing import Any

from archdsl.study.rungs import Rungs


def trial(
    number: int, curve: list[float], epochs: int = 8, state: str | None = None, **scores: float
) -> dict[str, Any]:
    done = len(curve) == epochs
    return {
        "number": number, "epochs": len(curve), "curve": curve, "curve_nll": [-a for a in curve],
        "state": state or ("complete" if done else "stopped"), "scores": {"accuracy": curve[-1] if curve else 0, **scores},
    }  # fmt: skip


def test_rungs_stand_at_a_quarter_and_half_of_the_training():
    assert Rungs(8).rungs == (2, 4)
    assert Rungs(3).rungs == (1, 2)
    assert Rungs(1).rungs == ()
    assert Rungs(8, halving=False).rungs == ()
    assert [Rungs(8).next(done) for done in (0, 2, 4)] == [2, 4, 8]
    assert Rungs(8, halving=False).next(0) == 8


def test_the_best_waiting_network_of_the_better_half_is_promoted():
    rungs = Rungs(8)
    waiting = [trial(n, [0.0, 0.1 * n]) for n in range(4)]
    assert rungs.promotable(waiting[:1]) is None
    assert rungs.promotable(waiting[:2]) == waiting[1]
    assert rungs.promotable(waiting) == waiting[3]
    assert rungs.promotable(waiting, busy={3}) == waiting[2]
    assert rungs.promotable(waiting, busy={2, 3}) is None  # 1 is not among the better half


def test_higher_rungs_come_first_and_those_that_went_on_count_at_the_rungs_they_passed():
    rungs = Rungs(8)
    far = [trial(n, [0.0, 0.9, 0.5, 0.9 + n / 100]) for n in (0, 1)]
    near = [trial(n, [0.0, 0.1 * n]) for n in (2, 3)]
    assert rungs.promotable(far + near) == far[1]
    complete = [trial(n, [0.0, 0.9, 0.5, 0.9, 0, 0, 0, 0.9]) for n in (0, 1)]
    assert rungs.promotable(complete + near) is None  # the two that went on are the better half of four
    better = [trial(n, [0.0, 0.9 + n / 100]) for n in (2, 3)]
    assert rungs.promotable(complete + better) == better[1]


def test_failed_networks_are_not_promoted_and_do_not_count():
    rungs = Rungs(8)
    failed = [trial(n, [0.0, 0.0, 0.0], state="failed") for n in range(6)]
    assert rungs.promotable([*failed, trial(7, [0.0, 0.5])]) is None


def test_the_curve_of_the_objective_decides_and_cheap_networks_survive_a_pareto_search():
    nll = Rungs(8, (("nll", "minimize"),))
    assert nll.promotable([trial(0, [0.0, 0.3]), trial(1, [0.0, 0.4])])["number"] == 1
    both = Rungs(8, (("accuracy", "maximize"), ("params", "minimize")))
    networks = [
        trial(0, [0, 0.5], params=100), trial(1, [0, 0.3], params=10), trial(2, [0, 0.4], params=120),
        trial(3, [0, 0.2], params=90),
    ]  # fmt: skip
    assert both.promotable(networks)["number"] == 0
    assert both.promotable(networks, busy={0})["number"] == 1  # small, and beaten by nobody
    assert both.promotable(networks, busy={0, 1}) is None
    analysed = Rungs(8, (("log_ape", "minimize"),))  # known at the end only: accuracy decides until then
    assert analysed.promotable([trial(0, [0, 0.3]), trial(1, [0, 0.4])])["number"] == 1
