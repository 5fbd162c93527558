"""Measures the milliseconds that an image takes in a network on a device: those of its blocks, summed.

A block is run alone, on random numbers of its input's shape, in float32 and eval mode. A block that several networks
hold is measured once, so that the second network of a search costs next to nothing. What lies between the blocks is not
measured, and a block alone finds its weights in the cache: `benchmarks/latency.py` says how far the sum is from the
network's own time.
"""

from __future__ import annotations

import json
import logging
import math
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archdsl import ir
from archdsl.base.device import Clock, device_name, failures, one_thread
from archdsl.base.errors import Diagnostic, SpecError
from archdsl.base.files import write_atomically
from archdsl.ir.conditions import LATENCY, reader, truth, unmet
from archdsl.network import Architecture, PlacedBlock
from archdsl.network.model import build_node, initialise

FORMAT = 1
LONGEST = 0.05  # seconds for a block, if its median is not steady before
WARM_UP, FEWEST, MOST, LOOK = (
    3,
    5,
    1_000,
    8,
)  # runs: thrown away, at least, at most, and between two looks at the median
STEADY = 0.02  # a median whose 95% interval reaches no further to either side is steady
SAMPLE = 1e-3  # seconds of work between two events on a GPU, which count no finer than half a microsecond

log = logging.getLogger(__name__)


class Latencies:
    """The time that blocks take on a device, each of them measured when it is first asked for.

    Args:
        device: where.
        path: a JSON file that keeps what was measured, for any number of devices and versions; None for memory alone.
        batch: images that flow through a block at once.

    Attributes:
        settings: device, threads, precision, batch and version in words; times under other settings are not compared.
        measured: how many blocks were measured, not found.
    """

    def __init__(self, device: torch.device, path: Path | None = None, batch: int = 1) -> None:
        self.device, self.path, self.batch = device, path, batch
        threads = ", one thread" if device.type == "cpu" else ""
        images = "one image" if batch == 1 else f"{batch} images"
        self.settings = f"{device.type} ({device_name(device)}{threads}), {images}, float32, torch {torch.__version__}"
        self.measured = 0
        self._file = _read(path)
        self._known: dict[str, float] = self._file.setdefault(self.settings, {})

    def of(self, architecture: Architecture) -> float:
        """Milliseconds of a network: the sum over its blocks.

        Raises:
            RunError: a block needs more memory than there is, or the file cannot be written.
        """
        return math.fsum(self.blocks(architecture))

    def blocks(self, architecture: Architecture) -> list[float]:
        """Milliseconds of each of its blocks, in the order of `Architecture.blocks`."""
        before = self.measured
        with one_thread(self.device), failures(self.batch), torch.random.fork_rng(devices=[]):
            found = [self._block(block) for block in architecture.blocks()]
        if self.path is not None and self.measured > before:
            text = json.dumps({"format": FORMAT, "milliseconds": self._file}, indent=1)
            write_atomically(self.path, text + "\n")
        return found

    def _block(self, block: PlacedBlock) -> float:
        key = f"{block.meaning[:32]} {'x'.join(map(str, block.x))}"
        if key not in self._known:
            torch.manual_seed(0)
            module = build_node(block.tree)
            initialise(module)
            x = torch.randn(self.batch, *block.x.dims, device=self.device)
            self._known[key] = milliseconds(module.to(self.device).eval(), x)
            self.measured += 1
        return self._known[key]


def milliseconds(module: nn.Module, x: Tensor, longest: float = LONGEST) -> float:
    """Median time of a forward pass, warmed up, repeated until the median is steady or `longest` seconds are over."""
    seconds: list[float] = []
    with torch.inference_mode():
        for _ in range(WARM_UP):
            last = _seconds(module, x, 1)
        runs = math.ceil(SAMPLE / max(last, 1e-6)) if x.device.type == "cuda" else 1
        began = time.perf_counter()
        while len(seconds) < MOST:
            seconds.append(_seconds(module, x, runs))
            late = time.perf_counter() - began > longest
            if len(seconds) >= FEWEST and (late or (len(seconds) % LOOK == 0 and _is_steady(seconds))):
                break
    return 1000 * statistics.median(seconds)


def _seconds(module: nn.Module, x: Tensor, runs: int) -> float:
    """Time of a run, so many of them back to back."""
    clock = Clock(x.device)
    for _ in range(runs):
        module(x)
    clock.stop()
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)
    return clock.seconds() / runs


def _is_steady(seconds: Sequence[float]) -> bool:
    """By the notch of a box plot (McGill, Tukey and Larsen 1978, doi:10.1080/00031305.1978.10479236)."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return 1.57 * (high - low) / math.sqrt(len(seconds)) <= STEADY * middle


# ---- requirements ----------------------------------------------------------------------------------------


def broken(conditions: Iterable[ir.Condition], architecture: Architecture, latencies: Latencies) -> list[Diagnostic]:
    """The conditions that an architecture breaks; nothing is measured where what is counted decides them all."""
    conditions = tuple(conditions)
    measured: dict[str, float] = {}
    if any(truth(condition, reader(architecture)) is None for condition in conditions):
        measured[LATENCY] = latencies.of(architecture)
    help = f"measured on {latencies.settings}" if measured else None
    found = (unmet(condition, architecture, measured, help) for condition in conditions)
    return [diagnostic for diagnostic in found if diagnostic is not None]


def check(
    spec: ir.Spec, architecture: Architecture, latencies: Latencies, text: str = "", path: str = "<spec>"
) -> None:
    """Measure what `require` of a spec without holes asks for.

    Raises:
        SpecError: a requirement is not met.
        RunError: there is too little memory to measure it.
    """
    if found := broken(spec.require, architecture, latencies):
        raise SpecError(found, text, path)


# ---- the file --------------------------------------------------------------------------------------------


def _read(path: Path | None) -> dict[str, dict[str, float]]:
    """What a file holds; a damaged one is told of and measured anew."""
    if path is None or not path.exists():
        return {}
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        return {
            str(settings): {str(key): _time(value) for key, value in times.items()}
            for settings, times in content["milliseconds"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.warning("'%s' cannot be used, so blocks are measured anew: %s", path, error)
        return {}


def _time(value: Any) -> float:
    if not isinstance(value, float) or not 0 < value < math.inf:
        raise ValueError(f"{value!r} is no time")
    return value
