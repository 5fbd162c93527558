"""Layout, widths, depths and recipe searched together, in a space of more than 10^15 members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl import space
from archdsl.language import parse

JOINT = """
model joint
defaults(head_dim=4, down=conv)
stem patch({4..16 step 4}, k=4)
stage({4..32 step 4}, heads=1) [{C(k={3|5})|M(heads={1|2})}*{1..5}]
stage({4..32 step 4}, heads=1) [{C(k={3|5})|M(heads={1|2})}*{1..5}]
stage({4..32 step 4}, heads=1) [{C(k={3|5})|M(heads={1|2})}*{1..5}]
stage({4..32 step 4}, heads=1) [{C(k={3|5})|M(heads={1|2})}*{1..5}]
train(epochs=1, batch=32, lr={1e-4..1e-2 log}, weight_decay={1e-3..1e-1 log})
"""


def outline(results: dict[str, Any]) -> list[tuple[str, dict[str, str], float]]:
    return [(trial["hash"], trial["decisions"], trial["scores"]["accuracy"]) for trial in results["trials"]]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "tpe", "evolution", "nsga2", "gp", "bayes"])
def test_a_joint_search(little: Path, tmp_path: Path, sampler: str):
    """Really trained, nothing twice, every kind of hole decided; stopped and resumed it is the same search."""
    assert space.size(parse(JOINT)) > 10**15
    options: dict[str, Any] = {
        "data": f"npz:{little}", "workers": 1, "device": "cpu", "final_seeds": 0, "sampler": sampler,
    }  # fmt: skip
    whole = archdsl.search(JOINT, budget=7, run=tmp_path / "whole", **options)
    assert len({(key, *decided.values()) for key, decided, _ in outline(whole)}) == len(whole["trials"]) == 7
    assert all(trial["state"] == "complete" for trial in whole["trials"])
    for name in ("train.lr", "train.weight_decay", "stem.block1.width", "stage1.width", "stage4.block1.times"):
        assert len({trial["decisions"].get(name) for trial in whole["trials"]}) > 1, name
    archdsl.search(JOINT, budget=5, run=tmp_path / "parts", **options)
    assert outline(archdsl.search(JOINT, budget=7, run=tmp_path / "parts", **options)) == outline(whole)
