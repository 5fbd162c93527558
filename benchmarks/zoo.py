"""What compiling costs: compiled specs against the same networks written by hand, and against timm's.

    python benchmarks/zoo.py --out benchmarks/results/zoo.json           # a few minutes on CPU
    python benchmarks/zoo.py --device cuda --batch 128

For each pair: the same weights (outputs are compared first), a training step of each in turn, in one thread; processor
time of the pair (wall time on a GPU), minimum and median of its ratio; the operators of a step; whether
`torch.compile(fullgraph=True)` takes the network; and seconds to build it from its text, against timm's constructor.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from by_hand import BY_HAND, carry
from machine import describe
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import archdsl
from archdsl.language.sources import read_file
from archdsl.network.fitting import fit

# Specs of timm's networks, and what timm calls them.
TWINS = {
    "resnet_18_224": "resnet18",
    "resnet_50_224": "resnet50",
    "vit_ti_224": "vit_tiny_patch16_224",
    "swin_t_224": "swin_tiny_patch4_window7_224",
    "convnext_t_224": "convnext_tiny",
    "mixer_b16_224": "mixer_b16_224",
    "efficientnet_b0_224": "efficientnet_b0",
    "poolformer_s12_224": "poolformer_s12",
    "coatnet_0_224": "coatnet_0_rw_224",
}
VIEWS = ("view", "_unsafe_view", "permute", "transpose", "t", "expand", "unsqueeze", "squeeze", "select", "slice",
         "unbind", "split", "alias", "detach", "as_strided", "reshape")  # fmt: skip


class Operators(TorchDispatchMode):
    """Counts the operators that run, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def stepper(network: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return step


def clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()  # other work on the machine counts less


def interleaved(
    first: Callable[[], None], second: Callable[[], None], pairs: int, device: torch.device
) -> dict[str, Any]:
    """Seconds of both, in turn, the one that begins changing; the ratio is first to second."""
    for warm in (first, second):
        warm()
    seconds: tuple[list[float], list[float]] = ([], [])
    gc.disable()
    for number in range(pairs):
        for which in ((0, 1), (1, 0))[number % 2]:
            began = clock(device)
            (first, second)[which]()
            seconds[which].append(clock(device) - began)
    gc.enable()
    return {
        "seconds_compiled": min(seconds[0]),
        "seconds_by_hand": min(seconds[1]),
        "ratio_of_minima": min(seconds[0]) / min(seconds[1]),
        "ratio_of_medians": statistics.median(seconds[0]) / statistics.median(seconds[1]),
        "median_of_ratios": statistics.median(a / b for a, b in zip(*seconds, strict=True)),
    }


def operators(step: Callable[[], None]) -> tuple[int, int]:
    """How many operators a training step runs, and how many of them do more than look at memory otherwise."""
    with Operators() as found:
        step()
    return found.counts.total(), sum(n for name, n in found.counts.items() if name not in VIEWS)


def compare(
    ours: nn.Module, theirs: nn.Module, size: int, batch: int, pairs: int, device: torch.device
) -> dict[str, Any]:
    classes = 1000 if size == 224 else 100
    ours.to(device).eval()
    theirs.to(device).eval()
    images = torch.randn(batch, 3, size, size, device=device)
    labels = torch.randint(classes, (batch,), device=device)
    with torch.no_grad():
        difference = (ours(images) - theirs(images)).abs().max().item()
    graph = torch.compile(ours, fullgraph=True, backend="aot_eager")  # traces it all; generates no code
    with torch.no_grad():
        traced = (graph(images) - ours(images)).abs().max().item()
    torch._dynamo.reset()
    steps = [stepper(network.train(), images, labels) for network in (ours, theirs)]
    counts = [operators(step) for step in steps]
    return {
        "max_difference_of_outputs": difference,
        "max_difference_of_full_graph": traced,
        "operators": {"compiled": counts[0][0], "by_hand": counts[1][0]},
        "operators_that_compute": {"compiled": counts[0][1], "by_hand": counts[1][1]},
        **interleaved(*steps, pairs, device),
    }


def building(text: str, name: str, times: int) -> dict[str, Any]:
    """Seconds from the text to the network, nothing of it known before, against timm's constructor."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        fit.cache_clear()
        began = time.process_time()
        archdsl.compile(text)
        seconds[0].append(time.process_time() - began)
        began = time.process_time()
        timm.create_model(name)
        seconds[1].append(time.process_time() - began)
    return {
        "seconds_compiled": min(seconds[0]),
        "seconds_timm": min(seconds[1]),
        "ratio": min(seconds[0]) / min(seconds[1]),
        "ratio_of_medians": statistics.median(seconds[0]) / statistics.median(seconds[1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=16, help="images of 32x32; a quarter of it of 224x224")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", nargs="+", default=[*BY_HAND, *TWINS])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    result: dict[str, Any] = {"machine": describe(), "device": options.device, "steps": {}, "building": {}}
    for name in options.only:
        torch.manual_seed(0)
        ours = archdsl.compile(name)
        if name in BY_HAND:
            theirs: nn.Module = BY_HAND[name]()
            carry(ours, theirs)
            size, batch = 32, options.batch
        else:
            theirs = timm.create_model(TWINS[name])
            archdsl.load_timm(ours, theirs)
            size, batch = 224, max(options.batch // 4, 2)
        result["steps"][name] = compare(ours, theirs, size, batch, options.pairs, device)
        print(name, json.dumps(result["steps"][name]), flush=True)
    for name in options.only:
        if name in TWINS:
            result["building"][name] = building(read_file(name).text, TWINS[name], 7)
            print(name, json.dumps(result["building"][name]), flush=True)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
