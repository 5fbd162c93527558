"""What a search has tried: counts, the values samplers are told, and the best, against definitions written out."""

from __future__ import annotations

import math
import random
from typing import Any

from archdsl.study.history import History


def entry(number: int, accuracy: float, *, state: str = "complete", **other: Any) -> dict[str, Any]:
    curve = [accuracy - 0.3, accuracy - 0.1, accuracy] if state == "complete" else [accuracy]
    return {
        "kind": "trained", "number": number, "key": f"key {number}", "state": state, "epochs": len(curve),
        "recipe": {"epochs": 3},
        "curve": curve, "curve_nll": [2.0 - point for point in curve],
        "scores": {"accuracy": accuracy, "nll": 2.0 - accuracy},
    } | other  # fmt: skip


def test_what_brings_nothing_new_is_counted_but_is_no_trial():
    history = History([("accuracy", "maximize")])
    history.take_in(entry(0, 0.5))
    history.take_in({"kind": "duplicate", "of": 0, "values": [0.5]})
    history.take_in({"kind": "unfit"})
    history.take_in({"kind": "unfit", "key": "too slow", "reason": "latency"})
    assert (history.asked, history.fruitless, list(history.by_number)) == (4, 3, [0])
    assert history.turned_away == {"too slow"}
    history.take_in(entry(1, 0.4))
    assert (history.asked, history.fruitless) == (5, 0)
    assert set(history.seen) == {"key 0", "key 1"}


def test_a_promoted_network_is_one_trial_with_its_latest_record():
    history = History([("accuracy", "maximize")])
    history.take_in(entry(1, 0.3, state="stopped"))
    history.take_in(entry(0, 0.5))
    history.take_in(entry(1, 0.6, kind="continued"))
    assert [(trial["number"], trial["state"]) for trial in history.trials] == [(0, "complete"), (1, "complete")]
    assert history.seen["key 1"]["scores"]["accuracy"] == 0.6
    assert history.asked == 3


def test_a_stopped_network_enters_with_the_median_gain_of_the_finished_ones():
    history = History([("accuracy", "maximize"), ("nll", "minimize")])
    stopped = entry(9, 0.2, state="stopped")
    assert history.values(stopped) == [0.2, 1.8]  # nobody has finished: as it is
    for number, curve in enumerate([[0.1, 0.2, 0.4], [0.1, 0.5, 0.6], [0.3, 0.3, 0.35]]):
        nll = [3.0, 2.0, [1.0, 2.5, 0.5][number]]
        history.take_in(entry(number, curve[-1], curve=curve, curve_nll=nll))
    accuracy, nll = history.values(stopped) or []
    assert math.isclose(accuracy, 0.2 + 0.3)  # gains after the first epoch: 0.3, 0.5, 0.05
    assert math.isclose(nll, 1.8 - 2.0)  # -2.0, -0.5, -2.5
    assert history.values(entry(7, 0.4)) == [0.4, 1.6]  # a finished one as it is


def test_gains_are_those_from_the_same_share_of_other_trainings():
    """Of six epochs, two are a third, as is one of three; a training of one epoch has no middle."""
    history = History([("accuracy", "maximize")])
    stopped = entry(9, 0.2, state="stopped", epochs=2, curve=[0.1, 0.2], recipe={"epochs": 6})
    history.take_in(entry(0, 0.5, curve=[0.5], epochs=1, recipe={"epochs": 1}))
    assert history.values(stopped) == [0.2]
    history.take_in(entry(1, 0.6))  # 0.3, 0.5, 0.6
    assert math.isclose((history.values(stopped) or [0])[0], 0.2 + 0.3)
    short = entry(8, 0.2, state="stopped", curve=[0.2], epochs=1, recipe={"epochs": 2})
    history.take_in(entry(2, 0.9, curve=[0.1, 0.2, 0.3, 0.4, 0.5, 0.9], epochs=6, recipe={"epochs": 6}))
    # Half of three epochs is the second, half of six the third: gains 0.1 and 0.6.
    assert math.isclose((history.values(short) or [0])[0], 0.2 + 0.35)


def test_what_has_no_value_says_so():
    history = History([("accuracy", "maximize"), ("log_ape", "minimize")])
    assert history.values(entry(0, 0.5)) is None  # never analysed
    assert history.values(entry(0, 0.5, scores={"accuracy": 0.5, "log_ape": math.nan})) is None
    assert history.values(entry(0, 0.5, state="failed", scores={})) is None
    assert history.values(entry(0, 0.5, scores={"accuracy": 0.5, "log_ape": 0.1})) == [0.5, 0.1]


def test_the_front_is_what_nothing_beats_and_the_best_is_on_it():
    rng = random.Random(0)
    history = History([("accuracy", "maximize"), ("params", "minimize")])
    for number in range(60):
        scores = {"accuracy": rng.randrange(8) / 8, "params": float(rng.randrange(8))}
        state = rng.choice(["complete", "complete", "stopped", "failed"])
        history.take_in(entry(number, scores["accuracy"], state=state, scores=scores if state != "failed" else {}))
    done = [trial for trial in history.trials if trial["state"] == "complete"]

    def beats(a: dict[str, Any], b: dict[str, Any]) -> bool:
        better = (a["accuracy"] - b["accuracy"], b["params"] - a["params"])
        return min(better) >= 0 and max(better) > 0

    front = [t["number"] for t in done if not any(beats(other["scores"], t["scores"]) for other in done)]
    assert history.front() == front
    best = history.best()
    assert best is not None
    assert best["number"] in front
    assert best["scores"]["accuracy"] == max(trial["scores"]["accuracy"] for trial in done)


def test_one_objective_has_one_best_and_of_equals_the_first():
    history = History([("nll", "minimize")])
    assert history.best() is None
    assert history.front() == []
    history.take_in(entry(0, 0.9, state="stopped"))
    assert history.best() is None
    for number, accuracy in ((1, 0.5), (2, 0.7), (3, 0.7), (4, 0.6)):
        history.take_in(entry(number, accuracy))
    assert history.front() == [2]
    assert (history.best() or {})["number"] == 2
