"""A whole search on a CPU against the same search as people write it today, end to end, 64 candidates each.

    python benchmarks/search.py [--budget 64] [--parts 2] [--out benchmarks/results/search.json]

The space is the shipped `placement` with its recipe, the data the embedded set, the same splits for both. Ours is
`archdsl search` as a command, without finals, which the naive way has none of. The naive way is an Optuna study on
SQLite with its default sampler, and one `naive_trial.py` after another, each using all cores by itself. Both are run in
turns: ours once before each of the `--parts` of the naive search, and once after the last. What a search found is judged
by the trained table: the mean accuracy over its three seeds of the network that the search took for the best. Goal: at
least 2x less time, and the same best within seed noise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from machine import describe
from table import shipped

from archdsl import space
from archdsl.interchange.export.python_source import source
from archdsl.language.sources import read_spec
from archdsl.network import Architecture
from archdsl.study.parameters import suggest
from archdsl.training.experiment import set_up

TRIAL = Path(__file__).with_name("naive_trial.py")


def ours(folder: Path, budget: int, seed: int) -> dict[str, Any]:
    """One search by the command line."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "archdsl", "search", "--budget", str(budget), "--final-seeds", "0", "--seed", str(seed),
         "--device", "cpu", "--run", str(folder), "--json"],
        check=True, capture_output=True,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    best = json.loads((folder / "results.json").read_text(encoding="utf-8"))["best"]
    return {"seconds": seconds, "best": best["hash"], "accuracy": best["scores"]["accuracy"]}


class Naive:
    """A search that goes on part by part."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.spec, data, self.recipe = set_up(read_spec("placement"), None, None, False, None)
        self.images = folder / "images.npz"
        np.savez(
            self.images,
            x_train=data.train.images[:, 0].numpy(), y_train=data.train.labels.numpy(),
            x_val=data.validation.images[:, 0].numpy(), y_val=data.validation.labels.numpy(),
        )  # fmt: skip
        self.study = optuna.create_study(
            storage=f"sqlite:///{folder}/study.db", direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        self.seconds: list[float] = []
        self.tried: dict[str, float] = {}

    def trial(self) -> None:
        """Propose, train in a fresh process, record."""
        began = time.perf_counter()
        trial = self.study.ask()
        member = space.attempt(self.spec, lambda hole: suggest(trial, hole))
        if member is None:
            raise SystemExit("every placement fits together")
        written = time.perf_counter()
        file = self.write(member)
        spared = time.perf_counter() - written  # people have their model as Python already
        done = subprocess.run(
            [sys.executable, str(TRIAL), str(file), str(self.images), "--seed", str(self.seed),
             "--epochs", str(self.recipe.epochs), "--batch", str(self.recipe.batch)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        accuracy = json.loads(done.stdout)["accuracy"]
        self.study.tell(trial, accuracy)
        self.seconds.append(time.perf_counter() - began - spared)
        self.tried[member.hash] = max(accuracy, self.tried.get(member.hash, 0.0))

    def write(self, member: Architecture) -> Path:
        """The network as plain PyTorch."""
        file = self.folder / f"network_{member.hash[:12]}.py"
        file.write_text(source(member), encoding="utf-8")
        return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=int, default=64)
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    merit = shipped().mean("test_accuracy")
    ranks = {key: 1 + sum(other > value for other in merit.values()) for key, value in merit.items()}
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        naive = Naive(Path(name), 0)
        for part in range(options.parts + 1):
            found.append(ours(Path(name) / f"ours{part}", options.budget, part))
            print("ours", found[-1], flush=True)
            if part < options.parts:
                until = options.budget * (part + 1) // options.parts
                while len(naive.seconds) < until:
                    naive.trial()
                print("naive", len(naive.seconds), "trials", round(sum(naive.seconds), 1), "s", flush=True)
    best = max(naive.tried, key=lambda key: naive.tried[key])
    seconds = [search["seconds"] for search in found]
    result = {
        "benchmark": "search",
        "machine": describe(),
        "budget": options.budget,
        "archdsl": [search | judged(search["best"], merit, ranks) for search in found],
        "naive": {
            "seconds": sum(naive.seconds), "median_trial": statistics.median(naive.seconds),
            "different": len(naive.tried), "best": best, "accuracy": naive.tried[best], **judged(best, merit, ranks),
        },
        "ratio": {
            "median": sum(naive.seconds) / statistics.median(seconds), "least": sum(naive.seconds) / max(seconds),
        },
    }  # fmt: skip
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def judged(key: str, merit: dict[str, float], ranks: dict[str, int]) -> dict[str, Any]:
    """What the table says of a network: its mean test accuracy over three seeds, and its place among all 256."""
    return {"test_by_table": merit[key], "rank_by_table": ranks[key]}


if __name__ == "__main__":
    main()
