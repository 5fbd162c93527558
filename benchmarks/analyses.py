"""Fourier, variance and lesion of a 20-block model on 1,000 images against the plain forward passes they need.

    python benchmarks/analyses.py [--rounds 5] [--out benchmarks/results/analyses.json]

Fourier and variance share one forward pass per batch; lesion needs one per unit that can be taken out, and one more. Each
side is run once per round, one after the other, so that a busy machine slows both. One thread on a CPU. `ratio` is the
median over the rounds of a side's seconds over those of its plain passes in the same round.
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

from archdsl.analyses import batches
from archdsl.analyses.contract import Observer
from archdsl.analyses.exact import held_still
from archdsl.analyses.features import watch
from archdsl.analyses.fourier import FourierObserver
from archdsl.analyses.lesion import measure as lesion
from archdsl.analyses.variance import VarianceObserver
from archdsl.data import load
from archdsl.model import compile

SPEC = """
model twenty
input 1x28x28
stem patch(32, k=2)
stage(32, heads=4) [C C C C M C C C C M]
stage(64, heads=4) [C C C C M C C C C M]
"""
LIMIT = 1.2


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "analyses.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    torch.manual_seed(0)
    model = compile(SPEC).eval().to(device)
    units = model.architecture.units
    drawn = batches(
        load("fashion"), count=options.images // 50, size=50, augment=False, split="validation", device=device
    )
    passes = len(lesion(model, drawn[:1], units).units) + 1

    def look(*make: Callable[..., Observer]) -> Callable[[], None]:
        return lambda: watch(model, drawn, units, [observer(units) for observer in make])

    sides: dict[str, tuple[Callable[[], Any], str]] = {
        "fourier": (look(FourierObserver), "one pass"),
        "variance": (look(VarianceObserver), "one pass"),
        "fourier and variance together": (look(FourierObserver, VarianceObserver), "one pass"),
        "lesion": (lambda: lesion(model, drawn, units), "all passes"),
    }
    below = {"one pass": 1, "all passes": passes}
    taken: dict[str, list[float]] = {name: [] for name in (*sides, *below)}
    for index in range(options.rounds + 1):
        for name, times in below.items():
            taken[name].append(seconds(lambda times=times: plain(model, drawn, times), device))
        for name, (work, _) in sides.items():
            taken[name].append(seconds(work, device))
        if index == 0:  # warm
            taken = {name: [] for name in taken}
    rows = {
        name: {
            "seconds_median": round(statistics.median(taken[name]), 3),
            "seconds_min": round(min(taken[name]), 3),
            "ratio": round(statistics.median(a / b for a, b in zip(taken[name], taken[against], strict=True)), 3),
            "ratio_of_minima": round(min(taken[name]) / min(taken[against]), 3),
        }
        for name, (_, against) in sides.items()
    }
    document = {
        "benchmark": "analyses",
        "figure_to_reach": LIMIT,
        "rounds": options.rounds,
        "images": sum(len(images) for images, _ in drawn),
        "machine": describe(),
        "model": {"blocks": len(units), "params": model.architecture.params, "passes_of_lesion": passes},
        "plain_seconds_median": {name: round(statistics.median(taken[name]), 3) for name in below},
        "sides": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps({"load": document["machine"]["load"], "sides": rows}, indent=1))


if __name__ == "__main__":
    main()
