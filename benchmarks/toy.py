"""What samplers are worth on 17 places with two options each, whose drawn effects add up: regret of the best trained.

    python benchmarks/toy.py [--seeds 8] [--sampler bayes --sampler random]

In standard deviations of all networks; with and without noise of a training, and interactions of neighbouring places.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import optuna
from numpy.typing import NDArray

from archdsl import ir
from archdsl.language import parse
from archdsl.study.history import History
from archdsl.study.proposer import Proposer
from archdsl.study.quiet import quiet
from archdsl.study.record import key_of

SPEC = parse("stage[{C|M}*6] stage(32)[{C|M}*6] stage(64)[{C|M}*5]")
HOLES = [hole.name for hole in ir.holes(SPEC)]
BUDGET = 50
KINDS = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.7))  # noise against the differences; neighbours' effects against single ones


def highest(single: NDArray[np.float64], pairs: NDArray[np.float64]) -> float:
    """The best of all networks, along the chain of places."""
    best = {side: side * single[0] / 2 for side in (-1, 1)}
    for effect, pair in zip(single[1:], pairs, strict=True):
        best = {s: max(best[t] + pair * s * t / 2 for t in (-1, 1)) + effect * s / 2 for s in (-1, 1)}
    return float(max(best.values()))


def regret(sampler: str, seed: int, noise: float, neighbours: float) -> float:
    """Of the truly best network that one search trains."""
    effects, unrest = np.random.default_rng(1000 + seed), np.random.default_rng(seed)
    single, pairs = effects.normal(size=len(HOLES)), neighbours * effects.normal(size=len(HOLES) - 1)
    deviation = math.sqrt(single @ single + pairs @ pairs) / 2
    worth: list[float] = []
    with quiet():
        study = optuna.create_study(direction="maximize")
        proposer = Proposer(SPEC, sampler, seed, study, History((("accuracy", "maximize"),)), BUDGET)
        while len(worth) < BUDGET and (proposal := proposer.propose()) is not None:
            trial, member = proposal
            sides = np.array([2 * member.choices[name] - 1 for name in HOLES])
            value = float(single @ sides + pairs @ (sides[1:] * sides[:-1])) / 2
            told = [value + noise * deviation * unrest.normal()]
            entry = {
                "kind": "trained", "number": len(worth), "state": "complete", "key": key_of(member), "values": told,
            }  # fmt: skip
            proposer.close(trial, entry, told)
            worth.append(value)
    return (highest(single, pairs) - max(worth)) / deviation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sampler", action="append")
    options = parser.parse_args()
    for name in options.sampler or ["random", "tpe", "evolution", "bayes"]:
        for noise, neighbours in KINDS:
            found = [regret(name, seed, noise, neighbours) for seed in range(options.seeds)]
            half = 1.96 * float(np.std(found)) / math.sqrt(len(found))
            print(f"{name:10}  noise {noise}  neighbours {neighbours}  regret {np.mean(found):.2f} ± {half:.2f}")


if __name__ == "__main__":
    main()
