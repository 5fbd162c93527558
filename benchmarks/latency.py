"""How far the sum over a network's blocks is from the time of the whole network, over members of a space.

    python benchmarks/latency.py [--networks 12] [--rounds 5] [--device cpu] [--out benchmarks/results/latency.json]

In each round every network is timed whole, and its blocks anew, so that both see the same load of the machine. A
network's own time is the median over the rounds. The sum is what a search would use, that of a single round; how far the
own times of two rounds are apart says what of its error is the machine's. Two groups of networks: members of the shipped
space, which differ in where attention stands, and shipped networks of different sizes.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from pathlib import Path
from typing import Any

import torch
from machine import describe
from scipy.stats import spearmanr

from archdsl import space
from archdsl.base.device import one_thread, pick_device
from archdsl.language.sources import read_file
from archdsl.network import Architecture, resolve_model
from archdsl.network.latency import Latencies, milliseconds
from archdsl.network.model import build

SHIPPED = ("alternet_18", "preresnet_18", "resnet_34", "vit_ti", "deit_ti_224", "mobilenet_v2_224")


def rounds(
    networks: list[Architecture], count: int, device: torch.device
) -> tuple[list[list[float]], list[list[float]]]:
    """Of every network, by round: its own time, and the sum over its blocks."""
    own: list[list[float]] = [[] for _ in networks]
    summed: list[list[float]] = [[] for _ in networks]
    models = [build(network).eval().to(device) for network in networks]
    rng = random.Random(0)
    for _ in range(count):
        latencies = Latencies(device)
        for number in rng.sample(range(len(networks)), len(networks)):
            x = torch.randn(1, *networks[number].input, device=device)
            with one_thread(device):
                own[number].append(milliseconds(models[number], x, longest=0.3))
            summed[number].append(latencies.of(networks[number]))
    return own, summed


def compared(networks: list[Architecture], count: int, device: torch.device) -> dict[str, Any]:
    own, summed = rounds(networks, count, device)
    true = [statistics.median(times) for times in own]
    errors = [[s / t - 1 for s in sums] for sums, t in zip(summed, true, strict=True)]
    return {
        "networks": [
            {"name": n.name, "layout": n.layout, "hash": n.hash[:12], "ms": t, "summed": s}
            for n, t, s in zip(networks, true, summed, strict=True)
        ],
        "relative_error": {
            "median": statistics.median(e for row in errors for e in row),
            "median_size": statistics.median(abs(e) for row in errors for e in row),
            "largest_size": max(abs(e) for row in errors for e in row),
        },
        "spread_of_a_network_itself": statistics.median(
            statistics.pstdev(times) / statistics.fmean(times) for times in own
        ),
        "rank_correlation_by_round": [float(spearmanr(true, [s[i] for s in summed])[0]) for i in range(count)],
        "rank_correlation_of_own_times_by_round": [
            float(spearmanr(true, [o[i] for o in own])[0]) for i in range(count)
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    device = pick_device(options.device)
    shipped = [read_file(name) for name in SHIPPED]
    members = space.sample(read_file("placement").spec(), options.networks, seed=0)
    result = {
        "machine": describe(),
        "settings": Latencies(device).settings,
        "rounds": options.rounds,
        "placement": compared(members, options.rounds, device),
        "shipped": compared([resolve_model(s.spec(), s.text, s.path) for s in shipped], options.rounds, device),
    }
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
