"""Times Fourier, variance and lesion of a 20-block model on 1,000 images against the plain forward passes they need.

    python benchmarks/analyses.py [--rounds 7] [--out benchmarks/results/analyses.json]

Fourier and variance share one forward pass per batch; lesion needs one per unit that can be taken out, and one more.
`ratio` is the median over the rounds of a side's seconds over those of its plain passes in the same round;
`ratio_of_minima` that of the fastest of each. The sides take turns within a round, and lesion takes turns with its plain
passes batch by batch, so that a busy machine slows both. One thread on a CPU. Lesion's seconds do not depend on how many
images there are but in proportion: it looks at `--lesion-images`. About two minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import describe
from torch import nn

from archdsl.analyses import ANALYSES, batches, measure_all
from archdsl.analyses.contract import Observer
from archdsl.analyses.fourier import FourierObserver
from archdsl.analyses.lesion import measure as lesion
from archdsl.analyses.measuring.exact import held_still
from archdsl.analyses.measuring.features import watch
from archdsl.analyses.variance import VarianceObserver
from archdsl.api.compile import compile
from archdsl.data import load
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.network import resolve_model
from archdsl.network.model import build
from archdsl.training.loop import train

SPEC = """
model twenty
input 1x28x28
stem patch(32, k=2)
stage(32, heads=4) [C C C C M C C C C M]
stage(64, heads=4) [C C C C M C C C C M]
"""
SMALL = (
    "input 1x28x28 defaults(head_dim=16) stem patch(16, k=4) stage(16, heads=1)[C M] stage(32, heads=2, down=conv)[C T]"
)
# How far a score may be from the CPU's in float32, absolute below 1 and relative above: a kernel that adds in another
# order moves the last digits, and now and then one of 128 images to another class, or an eigenvalue to another sign.
TOLERANCES = {
    "hessian": 1e-2, "nep": 0.1, "hessian_density": 1e-2, "hessian_blocks": 1e-2, "landscape": 1e-3, "fourier": 1e-3,
    "variance": 1e-3, "cka": 1e-3, "lesion": 0.02, "noise": 0.02, "corruption": 0.02, "quality": 5e-3,
}  # fmt: skip
LIMIT = 1.2
SIZE = 50  # images per batch


def plain(model: nn.Module, drawn: list[Any], times: int) -> None:
    with held_still(model), torch.no_grad():
        for _ in range(times):
            for images, _ in drawn:
                model(images)


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def one_pass(model: nn.Module, drawn: list[Any], device: torch.device, rounds: int) -> dict[str, list[float]]:
    """Seconds per round of a plain pass over all batches, and of one with observers."""
    units = model.architecture.units

    def look(*make: Callable[..., Observer]) -> Callable[[], None]:
        return lambda: watch(model, drawn, units, [observer(units) for observer in make])

    sides = {
        "plain": lambda: plain(model, drawn, 1),
        "fourier": look(FourierObserver),
        "variance": look(VarianceObserver),
        "fourier and variance together": look(FourierObserver, VarianceObserver),
    }
    return taken(sides, device, rounds)


def all_passes(model: nn.Module, drawn: list[Any], device: torch.device, rounds: int) -> dict[str, list[float]]:
    """Seconds per round of as many plain passes as lesion needs, and of lesion."""
    units = model.architecture.units
    found = lesion(model, drawn[:1], units)
    rows: dict[str, list[float]] = {"plain": [0.0] * rounds, "lesion": [0.0] * rounds}
    for batch in drawn:
        sides = {
            "plain": lambda batch=batch: plain(model, [batch], len(found.units) + 1),
            "lesion": lambda batch=batch: lesion(model, [batch], units),
        }
        for name, times in taken(sides, device, rounds).items():
            rows[name] = [before + more for before, more in zip(rows[name], times, strict=True)]
    return rows


def taken(sides: dict[str, Callable[[], Any]], device: torch.device, rounds: int) -> dict[str, list[float]]:
    """Seconds of each side in each round, after one that warms up; every other round in the other order."""
    rows: dict[str, list[float]] = {name: [] for name in sides}
    for index in range(rounds + 1):
        for name in list(sides)[:: 1 if index % 2 else -1]:
            rows[name].append(seconds(sides[name], device))
    return {name: times[1:] for name, times in rows.items()}


def row(times: list[float], below: list[float]) -> dict[str, float]:
    """What is reported of a side."""
    return {
        "seconds_median": round(statistics.median(times), 3),
        "seconds_min": round(min(times), 3),
        "ratio": round(statistics.median(a / b for a, b in zip(times, below, strict=True)), 3),
        "ratio_of_minima": round(min(times) / min(below), 3),
    }


def speed(device: torch.device, rounds: int, images: int, lesion_images: int) -> dict[str, Any]:
    """Seconds of each side and of the plain passes it needs."""
    torch.manual_seed(0)
    model = compile(SPEC).eval().to(device)
    drawn = batches(load("fashion"), count=images // SIZE, size=SIZE, augment=False, split="validation", device=device)
    few = drawn[: max(1, lesion_images // SIZE)]
    groups = {
        "images": (one_pass(model, drawn, device, rounds), drawn),
        "lesion_images": (all_passes(model, few, device, max(3, rounds // 2)), few),
    }
    units = model.architecture.units
    return {
        "figure_to_reach": LIMIT,
        "rounds": {name: len(rows["plain"]) for name, (rows, _) in groups.items()},
        **{name: sum(len(images) for images, _ in shown) for name, (_, shown) in groups.items()},
        "batch_size": SIZE,
        "model": {
            "blocks": len(units),
            "params": model.architecture.params,
            "passes_of_lesion": len(lesion(model, [(few[0][0][:1], few[0][1][:1])], units).units) + 1,
        },
        "plain_seconds_median": {
            name: round(statistics.median(rows["plain"]), 3) for name, (rows, _) in groups.items()
        },
        "sides": {
            name: row(times, rows["plain"])
            for rows, _ in groups.values()
            for name, times in rows.items()
            if name != "plain"
        },
    }


def agreement(device: torch.device) -> dict[str, Any]:
    """Every analysis of one trained network on the CPU and on a device: scores within TOLERANCES, seconds once warm."""
    data, architecture = load("fashion"), resolve_model(parse(SMALL))
    torch.manual_seed(0)
    network = build(architecture)
    train(network, data, Recipe(epochs=1, precision="float32"), seed=0)
    found: dict[str, Any] = {}
    for name in ANALYSES:
        scores, taken_ = [], []
        for place in (torch.device("cpu"), device):
            network.to(place)

            def work(name: str = name, place: torch.device = place) -> Any:
                return measure_all(network, data, units=architecture.units, only=[name], device=place, batches=2)

            scores.append(work()[name].scores())
            taken_.append(seconds(work, place))
        apart = {
            score: abs(value - scores[0][score]) / max(1.0, abs(scores[0][score])) for score, value in scores[1].items()
        }
        limits = {score: TOLERANCES.get(score, TOLERANCES[name]) for score in apart}
        found[name] = {
            "seconds_cpu": taken_[0],
            "seconds_device": taken_[1],
            "scores": scores[1],
            "apart": apart,
            "limits": limits,
            "agrees": scores[0].keys() == scores[1].keys() and all(apart[score] <= limits[score] for score in apart),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--lesion-images", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "analyses.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    measured = speed(torch.device(options.device), options.rounds, options.images, options.lesion_images)
    document = {"benchmark": "analyses", "threads": torch.get_num_threads(), "machine": describe(), **measured}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps({"load": document["machine"]["load"], "sides": document["sides"]}, indent=1))


if __name__ == "__main__":
    main()
