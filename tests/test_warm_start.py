"""What a search takes over from others: which networks, in which order, into spaces that differ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_space import tiny

import archdsl
from archdsl.base.errors import StudyError
from archdsl.language import parse
from archdsl.study.parameters import member
from archdsl.study.warm_start import FIRST, first_networks

ACCURACY = (("accuracy", "maximize"),)
TINY_SPACE = tiny(epochs=1)
OTHER = """
stem patch(4, k=4)
stage(4, heads=1) [{C|M}*2]
stage(8, heads=2, down=conv) [{C|M|basic} {C|M} {C|M}]
train(epochs=1, batch=32, lr={1e-3..1e-2 log})
"""


def run(text: str, folder: Path, images: Path, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"budget": 5, "data": f"npz:{images}", "run": folder, "workers": 1, "device": "cpu"}
    return archdsl.search(text, **(given | {"final_seeds": 0} | options))


def trial(number: int, accuracy: float, nll: float = 1.0, state: str = "complete", **decisions: str) -> dict[str, Any]:
    choices = {"stage1.block1": "C", "stage1.block2": "C", "stage2.block1": "C", "stage2.block2": "C"}
    choices |= {name.replace("_", "."): label for name, label in decisions.items()}
    scores = {"accuracy": accuracy, "nll": nll}
    return {"number": number, "state": state, "decisions": choices, "scores": scores, "hash": str(number)}


def written(folder: Path, *trials: dict[str, Any], objectives: tuple[str, ...] = ("accuracy",)) -> Path:
    """A run's results with these trials."""
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(
        json.dumps({"trials": trials, "objectives": [{"name": name} for name in objectives]}), encoding="utf-8"
    )
    return folder


def layouts(found: tuple[dict[str, Any], ...], text: str = TINY_SPACE) -> list[str]:
    return ["".join(values.get(f"stage{s}.block{b}", "") for s in (1, 2) for b in (1, 2)) for values in found]


def test_the_best_finished_networks_come_best_first(tmp_path: Path):
    run = written(
        tmp_path / "a",
        trial(0, 0.5),
        trial(1, 0.7, stage1_block1="M"),
        trial(2, 0.9, state="stopped", stage1_block2="M"),
        trial(3, 0.6, stage2_block1="M"),
    )
    assert layouts(first_networks([run], parse(TINY_SPACE), ACCURACY, 0)) == ["MCCC", "CCMC", "CCCC"]


def test_several_objectives_put_the_front_first(tmp_path: Path):
    run = written(
        tmp_path / "a",
        trial(0, 0.60, 0.9),  # beaten by 1 in both
        trial(1, 0.70, 0.8, stage1_block1="M"),
        trial(2, 0.50, 0.1, stage1_block2="M"),
    )
    both = (*ACCURACY, ("nll", "minimize"))
    assert layouts(first_networks([run], parse(TINY_SPACE), both, 0)) == ["MCCC", "CMCC", "CCCC"]
    assert layouts(first_networks([run], parse(TINY_SPACE), both[1:], 0)) == ["CMCC", "MCCC", "CCCC"]


def test_a_score_the_other_run_did_not_measure_leaves_its_own_order(tmp_path: Path):
    run = written(tmp_path / "a", trial(0, 0.5), trial(1, 0.7, stage1_block1="M"))
    assert layouts(first_networks([run], parse(TINY_SPACE), (("lambda_max", "minimize"),), 0)) == ["MCCC", "CCCC"]


def test_ten_of_each_run_and_none_twice(tmp_path: Path):
    trials = [
        trial(n, n / 100, **{f"stage{1 + b // 2}_block{1 + b % 2}": "M" for b in range(4) if n >> b & 1})
        for n in range(16)
    ]
    first, second = written(tmp_path / "a", *trials), written(tmp_path / "b", *trials[:8])
    found = first_networks([first, second], parse(TINY_SPACE), ACCURACY, 0)
    assert layouts(found)[:FIRST] == ["".join("M" if n >> b & 1 else "C" for b in range(4)) for n in range(15, 5, -1)]
    assert len(found) == len(set(layouts(found))) == 16


def test_what_another_space_does_not_decide_is_drawn_and_the_same_again(tmp_path: Path):
    run = written(tmp_path / "a", trial(0, 0.5, stage2_block1="M"), trial(1, 0.4))
    spec = parse(OTHER)
    found = first_networks([run], spec, ACCURACY, 3)
    assert layouts(found) == ["CCMC", "CCCC"]
    for values in found:
        assert values["stage2.block3"] in ("C", "M")
        assert 1e-3 <= values["train.lr"] <= 1e-2
        assert member(spec, values) is not None
    assert found == first_networks([run], spec, ACCURACY, 3)
    assert found != first_networks([run], spec, ACCURACY, 4)


def test_networks_with_a_choice_that_is_not_offered_here_are_left_out(tmp_path: Path):
    run = written(tmp_path / "a", trial(0, 0.5, stage2_block1="basic"), trial(1, 0.4))
    assert layouts(first_networks([run], parse(TINY_SPACE), ACCURACY, 0)) == ["CCCC"]
    assert layouts(first_networks([run], parse(OTHER), ACCURACY, 0)) == ["CCbasicC", "CCCC"]


def test_members_that_break_a_requirement_here_are_left_out(tmp_path: Path):
    run = written(tmp_path / "a", trial(0, 0.5, stage2_block1="M"), trial(1, 0.4))
    spec = parse(TINY_SPACE + "require count(M) == 1")
    assert layouts(first_networks([run], spec, ACCURACY, 0)) == ["CCMC"]


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ([], "no finished network"),
        ([trial(0, 0.5, state="stopped")], "no finished network"),
        ([trial(0, 0.5) | {"decisions": {"head.width": "3"}}], "no network of '.*' is a member of this space"),
    ],
)
def test_runs_that_have_nothing_to_offer_are_refused(tmp_path: Path, trials: list[dict[str, Any]], message: str):
    with pytest.raises(StudyError, match=message):
        first_networks([written(tmp_path / "a", *trials)], parse(TINY_SPACE), ACCURACY, 0)


def test_a_run_that_is_not_there_is_refused_before_anything_is_written(little: Path, tmp_path: Path):
    with pytest.raises(StudyError, match=r"there is no results\.json"):
        run(TINY_SPACE, tmp_path / "b", little, warm_start=[tmp_path / "a"])
    assert not (tmp_path / "b").exists()


def test_a_search_trains_baselines_and_then_the_best_of_the_other_run(little: Path, tmp_path: Path):
    first = run(TINY_SPACE, tmp_path / "a", little, budget=8, sampler="random")
    best = sorted(first["trials"], key=lambda t: (-t["scores"]["accuracy"], t["number"]))
    whole = run(OTHER, tmp_path / "b", little, budget=9, warm_start=[tmp_path / "a"], sampler="tpe")
    decided = [{k: v for k, v in t["decisions"].items() if k in best[0]["decisions"]} for t in whole["trials"]]
    assert decided[3:9] == [t["decisions"] for t in best[:6]]
    # Resumed when the other run is gone: the plan holds what is tried.
    run(OTHER, tmp_path / "c", little, budget=5, warm_start=[tmp_path / "a"], sampler="tpe")
    shutil.rmtree(tmp_path / "a")
    again = run(OTHER, tmp_path / "c", little, budget=9, warm_start=[tmp_path / "a"], sampler="tpe")
    assert [t["hash"] for t in again["trials"]] == [t["hash"] for t in whole["trials"]]
    with pytest.raises(StudyError, match="different: warm start from"):
        run(OTHER, tmp_path / "c", little, budget=9, sampler="tpe")
