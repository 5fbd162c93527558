"""Times text to checked IR with shapes, parameters and MACs, warm: 30 blocks, and the slope to 10,000.

    python benchmarks/language.py [--rounds 200] [--out benchmarks/results/language.json]

Goals: at most 2 ms for 30 blocks, linear up to 10,000. CPU seconds, so that other work on the machine counts less.
Each round reads a text that differs in a comment, as a text that was read before is remembered.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import describe

from archdsl import space
from archdsl.language import parse
from archdsl.language.lower import lower
from archdsl.language.parser import read
from archdsl.network import resolve_model

THIRTY = """# Alter-ResNet of thirty blocks
model thirty
input 3x32x32
classes 100
let C = bottleneck(order=pre)
let M = msa(window=4, expansion=4)
stem conv(64)
stage(256)            [C C C C C C C C]
stage(512,  stride=2) [C C C M(heads=6) C C M(heads=6) C]
stage(1024, stride=2, heads=12) [(C M)*4]
stage(2048, stride=2, heads=24) [(C M)*3]
head norm act gap linear
require params <= 100M
"""
NUMBERS = itertools.count()
LENGTHS = (30, 100, 300, 1_000, 3_000, 9_990)


def whole(text: str) -> tuple[int, int]:
    """Everything `archdsl check` does with a text, and the two figures it prints."""
    spec = parse(text)
    architecture = space.check(spec, text)
    return architecture.params, architecture.macs


def fresh(text: str) -> str:
    """The same text as one that was not read before."""
    return f"{text}\n# {next(NUMBERS)}\n"


def seconds(action: Callable[[], Any], rounds: int) -> dict[str, float]:
    """Median and least CPU milliseconds of an action, after three rounds of warming up."""
    for _ in range(3):
        action()
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        action()
        taken.append((time.process_time() - began) * 1e3)
    return {"median_ms": statistics.median(taken), "min_ms": min(taken)}


def spelled(blocks: int) -> str:
    """A file that spells every block out, on lines of twenty."""
    lines = [" ".join(["C", "M"] * 10) for _ in range(blocks // 20)] + ["C " * (blocks % 20)]
    return "stem conv(32) norm\nstage(32, heads=2) [\n" + "\n".join(lines) + "\n]\n"


def repeated(blocks: int) -> str:
    """A file that repeats two blocks."""
    return f"stage(32) [(C M(heads=2))*{blocks // 2}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    reading = read(THIRTY)
    spec = parse(THIRTY)
    result: dict[str, Any] = {
        "machine": describe(),
        "thirty_blocks": {
            "whole": seconds(lambda: whole(fresh(THIRTY)), options.rounds),
            "text to syntax tree": seconds(lambda: read(fresh(THIRTY)), options.rounds),
            "syntax tree to IR": seconds(lambda: lower(reading, THIRTY, ""), options.rounds),
            "shapes, params, MACs, require": seconds(lambda: resolve_model(spec).params, options.rounds),
        },
    }
    for name, text in {"spelled out": spelled, "repeated": repeated}.items():
        rows = {}
        for blocks in LENGTHS:
            found = text(blocks)
            if len(found) > 100_000:
                continue
            rows[blocks] = seconds(lambda found=found: whole(fresh(found)), max(3, options.rounds * 10 // blocks))  # type: ignore[misc]
            rows[blocks]["us_per_block"] = rows[blocks]["min_ms"] * 1e3 / blocks
        result[name] = rows
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
