"""What the screens are worth on the shipped table, and whether a supernet trained three times as long does better.

    python benchmarks/screens.py [--seeds 3] [--out benchmarks/results/screens.json]

The first part is `archdsl bench screens`. About ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe

from archdsl.bench import Table, shipped
from archdsl.bench.screens import correlate, measure_screens, members_of
from archdsl.data import load
from archdsl.ir.recipe import Recipe
from archdsl.study.screens import Setting
from archdsl.study.screens import supernet as supernets

LONGER = 12  # trainings


def longer(table: Table, seed: int) -> dict[str, float]:
    """A supernet trained for 12 trainings: what its scores go with."""
    usual, supernets.TRAININGS = supernets.TRAININGS, LONGER
    try:
        recipe = Recipe(**table.facts["recipe"])
        screen = supernets.SupernetScreen(
            Setting(table.spec, load(table.facts["data"]), recipe, seed, torch.device("cpu"))
        )
        screen.prepare()
    finally:
        supernets.TRAININGS = usual
    members, mean = members_of(table), table.mean("test_accuracy")
    scores = np.array([screen.score(member) for member in members])
    return {
        "trainings": LONGER,
        "seed": seed,
        "with_test_accuracy": correlate(scores, np.array([mean[member.hash] for member in members])),
        "with_count_of_msa": correlate(scores, np.array([float(member.count("M")) for member in members])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table, machine = shipped(), describe()
    found: dict[str, Any] = measure_screens(
        table, seeds=options.seeds, say=print, command="python benchmarks/screens.py"
    )
    found |= {"machine": machine, "longer_supernet": [longer(table, seed) for seed in range(options.seeds)]}
    text = json.dumps(found, indent=1) + "\n"
    options.out.write_text(text) if options.out else print(text)


if __name__ == "__main__":
    main()
