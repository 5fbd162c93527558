"""Successive halving: who waits, who is promoted, and that a promoted training is the whole one."""

from __future__ import annotations

from typing import Any

from archdsl.study.rungs import Rungs


def trial(
    number: int, curve: list[float], epochs: int = 8, state: str | None = None, **scores: float
) -> dict[str, Any]:
    done = len(curve) == epochs
    return {
        "number": number, "epochs": len(curve), "recipe": {"epochs": epochs}, "curve": curve, "curve_nll": [-a for a in curve],
        "state": state or ("complete" if done else "stopped"), "scores": {"accuracy": curve[-1] if curve else 0, **scores},
    }  # fmt: skip


def test_rungs_stand_at_a_quarter_and_half_of_the_training():
    assert Rungs().rungs(8) == {0.25: 2, 0.5: 4}
    assert Rungs().rungs(3) == {0.25: 1, 0.5: 2}
    assert Rungs().rungs(2) == {0.5: 1}  # after one epoch of two a candidate is at its half, not at its quarter
    assert Rungs().rungs(1) == {}
    assert Rungs(halving=False).rungs(8) == {}
    assert [Rungs().next(done, 8) for done in (0, 2, 4)] == [2, 4, 8]
    assert Rungs().next(0, 1) == 1
    assert Rungs(halving=False).next(0, 8) == 8


def test_the_best_waiting_network_of_the_better_half_is_promoted():
    rungs = Rungs()
    waiting = [trial(n, [0.0, 0.1 * n]) for n in range(4)]
    assert rungs.promotable(waiting[:1]) is None
    assert rungs.promotable(waiting[:2]) == waiting[1]
    assert rungs.promotable(waiting) == waiting[3]
    assert rungs.promotable(waiting, busy={3}) == waiting[2]
    assert rungs.promotable(waiting, busy={2, 3}) is None  # 1 is not among the better half


def test_higher_rungs_come_first_and_those_that_went_on_count_at_the_rungs_they_passed():
    rungs = Rungs()
    far = [trial(n, [0.0, 0.9, 0.5, 0.9 + n / 100]) for n in (0, 1)]
    near = [trial(n, [0.0, 0.1 * n]) for n in (2, 3)]
    assert rungs.promotable(far + near) == far[1]
    complete = [trial(n, [0.0, 0.9, 0.5, 0.9, 0, 0, 0, 0.9]) for n in (0, 1)]
    assert rungs.promotable(complete + near) is None  # the two that went on are the better half of four
    better = [trial(n, [0.0, 0.9 + n / 100]) for n in (2, 3)]
    assert rungs.promotable(complete + better) == better[1]


def test_failed_networks_are_not_promoted_and_do_not_count():
    rungs = Rungs()
    failed = [trial(n, [0.0, 0.0, 0.0], state="failed") for n in range(6)]
    assert rungs.promotable([*failed, trial(7, [0.0, 0.5])]) is None


def test_the_curve_of_the_objective_decides_and_cheap_networks_survive_a_pareto_search():
    nll = Rungs((("nll", "minimize"),))
    assert nll.promotable([trial(0, [0.0, 0.3]), trial(1, [0.0, 0.4])])["number"] == 1
    both = Rungs((("accuracy", "maximize"), ("params", "minimize")))
    networks = [
        trial(0, [0, 0.5], params=100), trial(1, [0, 0.3], params=10), trial(2, [0, 0.4], params=120),
        trial(3, [0, 0.2], params=90),
    ]  # fmt: skip
    assert both.promotable(networks)["number"] == 0
    assert both.promotable(networks, busy={0})["number"] == 1  # small, and beaten by nobody
    assert both.promotable(networks, busy={0, 1}) is None
    analysed = Rungs((("log_ape", "minimize"),))  # known at the end only: accuracy decides until then
    assert analysed.promotable([trial(0, [0, 0.3]), trial(1, [0, 0.4])])["number"] == 1


def test_trainings_of_different_lengths_are_compared_at_the_same_share():
    """Two epochs and six: at half of its training the short one has done one epoch, the long one three."""
    rungs = Rungs()
    short = [trial(n, [0.1 * n], epochs=2) for n in (1, 2)]
    long = [trial(n, [0.9, 0.9, 0.05 * n], epochs=6) for n in (3, 5)]
    assert rungs.promotable(short) == short[1]
    assert rungs.promotable([short[0], *long]) == long[1]  # 0.25 against 0.1 and 0.15
    assert rungs.promotable([*short, *long], busy={5}) == short[1]  # 0.2 is second of four
    quarter = [trial(n, [0.9, 0.1 * n], epochs=6) for n in (6, 7)]
    assert rungs.promotable([*short, *quarter], busy={2}) == quarter[1]  # where no short one ever waits
    assert rungs.promotable([*short, quarter[1]], busy={2}) is None  # so there is nobody it could be better than
    single = [trial(8, [1.0], epochs=1), trial(9, [1.0], epochs=1)]
    assert rungs.promotable([*single, short[0]]) is None  # at their end, not at a half


def test_a_range_of_epochs_is_no_reason_to_wait_for_ever():
    """With every candidate of another length, half of those at a rung still go on."""
    waiting = [trial(n, [0.01 * n] * -(-n // 4), epochs=n) for n in range(4, 24)]
    assert Rungs().promotable(waiting) == waiting[-1]
