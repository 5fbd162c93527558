"""Fuzzes: a million inputs through all that a stranger's file goes through, and the 64 KB attacks; as JSON.

    python benchmarks/fuzz.py --inputs 1000000 --processes 2 [--seed 0] [--seconds 7200]

What is wanted: no traceback, no step of more than one second of processor time, no input of 64 KB that takes more than
200 MB. The machinery is `tests/fuzzing`; with `atheris` installed a part of the inputs is led by coverage. What was
found so far is written every minute; Ctrl-C (or SIGTERM) ends the run after the inputs under way, with what was tried.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from fuzzing import alone, attacks, bombs, campaign, guided, limits, mutation, trial  # noqa: E402
from fuzzing.tally import Tally  # noqa: E402

from archdsl.base.files import write_atomically  # noqa: E402

SAVED = 60.0  # seconds between two partial results
WARM = (b"stage[C M T mixer mbconv convnext bottleneck]", b"stage[{C|M}*3] require count(M)>1", b"stage[C", b"\xff")


def machine() -> Any:
    """As `machine.describe`, in a process of its own: PyTorch has no business in those that are measured."""
    code = "import json, machine; print(json.dumps(machine.describe()))"
    found = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, check=True)
    return json.loads(found.stdout)


def large(bar: Progress, over: Callable[[], bool]) -> Tally:
    """Every attack at 64 KB and every bomb at several numbers, each alone in a process of at most 200 MB."""
    inputs = [(name, make(attacks.KILOBYTES_64)) for name, make in attacks.ATTACKS.items()]
    numbers = (3, 99, 1000, 9999, 10_001, 1_000_000)
    inputs += [(name, bombs.with_number(name, number)) for name in bombs.BOMBS for number in numbers]
    tally = Tally()
    for name, text in bar.track(inputs, description="64 KB"):
        if over():
            break
        data = text.encode("utf-8", "replace")
        before = time.process_time()
        found = alone.try_alone(data)
        if found.finding is not None:
            bar.console.print(f"{name}: {found.finding}", markup=False)
        tally.add("64 KB" if name in attacks.ATTACKS else "bombs", data, found, time.process_time() - before)
    return tally


def mixed(
    bar: Progress, args: argparse.Namespace, over: Callable[[], bool], save: Callable[[Tally], None], left: float
) -> Tally:
    """The mixture, and where atheris is installed a tenth led by coverage."""
    by_coverage = args.inputs // 10 if guided.available() else 0
    task = bar.add_task("mixture", total=args.inputs - by_coverage)
    told: set[Any] = set()
    saved = time.monotonic()

    def done(total: Tally) -> None:
        nonlocal saved
        bar.update(task, completed=total.inputs)
        for key, found in total.findings.items():
            if key not in told:
                told.add(key)
                bar.console.print(f"{found.finding}\n  {found.data[:200]!r}", markup=False)
        if time.monotonic() - saved > SAVED:
            save(total)
            saved = time.monotonic()

    total = campaign.run(args.seed, args.inputs - by_coverage, args.processes, done, over)
    if by_coverage and not over():
        save(total)
        total.merge(guided.run(by_coverage, left, args.seed, over))
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0**6, help="stop after so long")
    parser.add_argument("--small", action="store_true", help="leave the inputs of 64 KB out")
    parser.add_argument("--large", action="store_true", help="the inputs of 64 KB only")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "fuzz.json")
    args = parser.parse_args()
    told_to_stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: told_to_stop.append(number))
    where = machine()
    for data in (*WARM, *mutation.corpus()):  # what is imported or built at first use is no cost of the input
        trial.try_input(data, 60)
    began = time.monotonic()
    big = Tally()

    def over() -> bool:
        return bool(told_to_stop) or time.monotonic() > began + args.seconds

    def save(many: Tally, ended: bool = False) -> None:
        took = time.monotonic() - began
        document = {
            "benchmark": "fuzz",
            "complete": ended and not over(),
            "seed": args.seed,
            "processes": args.processes,
            "limits": {"cpu_seconds_per_step": limits.SECONDS, "megabytes": limits.MEGABYTES},
            "wall_seconds": round(took),
            "inputs": many.inputs + big.inputs,
            "inputs_per_second": round((many.inputs + big.inputs) / took, 1),
            "atheris": guided.available(),
            "findings": len(many.findings) + len(big.findings),
            "mixture": many.plain(),
            "large": big.plain(),
            "machine": where,
        }
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.out, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        if ended:
            print(f"{document['inputs']:,} inputs in {took:.0f} s, {document['findings']} findings: {args.out.name}")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        if not args.small:
            big = large(bar, over)
        many = Tally() if args.large else mixed(bar, args, over, save, args.seconds)
    save(many, ended=True)


if __name__ == "__main__":
    main()
