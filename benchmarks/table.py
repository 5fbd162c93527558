"""Trains every member of a small space on several seeds, and measures it: a table to compare search methods on.

    python benchmarks/table.py placement --out placement.csv [--seeds 3] [--workers 2] [--data fashion] [--epochs 3]

A table is a CSV file with one row per network and seed, and a JSON file beside it that says how it was made. Running it
again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from archdsl import analyses, ir, space
from archdsl.base.device import pick_device
from archdsl.base.errors import ArchdslError, RunError, StudyError, UsageError
from archdsl.base.files import write_atomically
from archdsl.data import DEFAULT_DATA, Dataset
from archdsl.language import parse
from archdsl.language.sources import read_spec
from archdsl.network import Architecture
from archdsl.study.plan import versions
from archdsl.study.pool import Pool
from archdsl.study.trial import Task
from archdsl.training.experiment import seeded, set_up
from archdsl.training.loop import evaluate, train

_log = logging.getLogger(__name__)

BATCHES = 4  # of 16 images each, for the Hessian of one training; three seeds make twelve
COSTS = ("params", "macs")
QUALITY = ("accuracy", "nll", "ece", "test_accuracy", "test_nll")
MEASURED = ("log_ape", "ape", "nep", "ncr", "lambda_max", "high_freq", "smoothing_contrast")
FOLDER = Path(__file__).parent / "tables"


@dataclass(frozen=True, slots=True)
class Row:
    """One training.

    Attributes:
        layout: labels of the blocks, stages apart by `|`: `CCM|CMM|CC`.
        hash: of the network; seed: of its training.
        accuracy, nll: on the validation split after each epoch; the scores of the same names are the last ones.
        scores: by name; what a network cannot have is absent.
        seconds: of the training alone.
    """

    layout: str
    hash: str
    seed: int
    accuracy: tuple[float, ...]
    nll: tuple[float, ...]
    scores: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Table:
    """All trainings of a space.

    Attributes:
        rows: one per network and seed.
        facts: how it was made: `spec` (its text), `data`, `recipe`, `seeds`, `command`, `versions`, `machine`.
    """

    rows: tuple[Row, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def spec(self) -> ir.Spec:
        """The space, fitted to the data it was trained on."""
        spec = parse(self.facts["spec"], self.facts.get("name", "table"))
        return spec.model_copy(update={"input": tuple(self.facts["input"]), "classes": self.facts["classes"]})

    @cached_property
    def by_hash(self) -> dict[str, dict[int, Row]]:
        """The trainings of each network, by seed."""
        found: dict[str, dict[int, Row]] = {}
        for row in self.rows:
            found.setdefault(row.hash, {})[row.seed] = row
        return found

    @property
    def seeds(self) -> list[int]:
        """Seeds every network was trained with."""
        return sorted({row.seed for row in self.rows})

    def mean(self, score: str) -> dict[str, float]:
        """A score of each network that has it, mean over its seeds."""
        found = {}
        for key, trainings in self.by_hash.items():
            values = [row.scores[score] for row in trainings.values() if score in row.scores]
            if values:
                found[key] = statistics.fmean(values)
        return found

    @classmethod
    def read(cls, path: Path) -> Table:
        """The table in a CSV file, with the facts in the JSON file beside it.

        Raises:
            StudyError: there is no such table, or it is damaged.
        """
        facts, rows = _read_facts(path), _read_rows(path)
        if not rows:
            raise StudyError(f"the table '{path}' has no rows", "'python benchmarks/table.py' goes on with it")
        return cls(rows, facts)


def shipped(name: str = "placement-fashion") -> Table:
    """A table that is kept here."""
    return Table.read(FOLDER / f"{name}.csv")


def make(
    text_or_path: str | Path, path: Path, *, data: str | None = None, data_root: Path | None = None,
    download: bool = False, seeds: int = 3, epochs: int | None = None, workers: int = 1, device: str = "auto",
    command: str | None = None, on_row: Callable[[int, int, Row], None] | None = None,
) -> Table:  # fmt: skip
    """Train every member of a space on several seeds, and measure it; goes on where an earlier call stopped.

    Args:
        text_or_path: the space: a `.arch` text, a path, or a shipped name.
        path: the CSV file to write; a JSON file of the same name stands beside it.
        data, data_root, download: the data set.
        seeds: trainings of each network, seeds 0 to seeds - 1.
        epochs: in place of the recipe's.
        workers: processes that train.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        command: how to repeat it, for the JSON file.
        on_row: told (done, in all, row) after each training.

    Raises:
        UsageError: the space is too large to train.
        StudyError: the file holds another table.
        RunError: a training failed.
    """
    source = read_spec(text_or_path)
    spec, dataset, recipe = set_up(source, data, data_root, download, epochs)
    space.check(spec, source.text, source.path)
    if any(isinstance(hole, ir.FloatRange) for hole in ir.holes(spec)) or space.size(spec) > space.EXACT_LIMIT:
        raise UsageError("a space with so many members cannot be trained whole", "leave fewer holes in it")
    members = {member.hash: member for member in space.members(spec)}
    where = pick_device(device)
    facts = {
        "name": spec.name, "spec": source.text, "input": list(dataset.input), "classes": dataset.classes,
        "data": dataset.name, "digest": dataset.digest, "recipe": recipe.model_dump(), "seeds": seeds,
        "hessian_batches": BATCHES,
    }  # fmt: skip
    done = _begun(path, facts)
    if not path.with_suffix(".json").exists():
        whole = facts | {
            "command": command or "python benchmarks/table.py",
            "versions": versions(),
            "device": str(where),
        }
        write_atomically(path.with_suffix(".json"), json.dumps(whole, indent=1) + "\n")
    todo = [(m, seed) for seed in range(seeds) for m in members.values() if (m.hash, seed) not in done]
    pool = Pool(measure, workers, dataset, (data or spec.data or DEFAULT_DATA, data_root), where)
    count = len(done)
    try:
        for entry in _carry_out(pool, todo, recipe, path.parent):
            if "reason" in entry or "died" in entry:
                raise RunError(f"a training failed: {entry.get('reason') or entry['died']}")
            row = _row(entry)
            _append(path, entry)
            count += 1
            if on_row is not None:
                on_row(count, len(members) * seeds, row)
    finally:
        pool.close()
    return Table.read(path)


def _carry_out(
    pool: Pool, todo: Sequence[tuple[Architecture, int]], recipe: Any, folder: Path
) -> Iterator[dict[str, Any]]:
    """Results in the order of `todo`, a few more than there are processes handed in at a time."""
    waiting = iter(todo)
    for _ in todo:
        while len(pool) < 2 * pool.size and (task := next(waiting, None)) is not None:
            architecture, seed = task
            pool.submit(Task(architecture, recipe, seed, folder / f"{architecture.hash[:12]}-{seed}.safetensors"))
        yield pool.take()


def measure(
    task: Task, data: Dataset, device: torch.device, on_step: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Train one network and measure it: an entry of the table, or `{"reason": …}`."""
    architecture = task.architecture
    try:
        network = seeded(architecture, task.seed)
        began = time.perf_counter()
        result = train(network, data, task.recipe, seed=task.seed, device=device, on_step=on_step)
        seconds = time.perf_counter() - began
        test = evaluate(network, data.test, data, device=device)
        found = analyses.scores(
            analyses.measure_all(
                network, data, units=architecture.units, only=("hessian", "fourier"), device=device,
                options={"hessian": {"weight_decay": task.recipe.weight_decay}}, batches=BATCHES,
            )
        )  # fmt: skip
    except RunError as error:
        return {"reason": error.message}
    entry: dict[str, Any] = {
        "layout": "|".join("".join(stage) for stage in architecture.layout),
        "hash": architecture.hash,
        "seed": task.seed,
        "params": architecture.params,
        "macs": architecture.macs,
        "accuracy": result.metrics.accuracy,
        "nll": result.metrics.nll,
        "ece": result.metrics.ece,
        "test_accuracy": test.accuracy,
        "test_nll": test.nll,
        "seconds": round(seconds, 3),
    }
    for epoch in result.curve:
        entry |= {f"accuracy_{epoch.number}": epoch.metrics.accuracy, f"nll_{epoch.number}": epoch.metrics.nll}
    entry |= {name: found.get(name, math.nan) for name in MEASURED}
    return {key: f"{value:.7g}" if isinstance(value, float) else value for key, value in entry.items()}


def _append(path: Path, entry: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(entry), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(entry)


def _begun(path: Path, facts: dict[str, Any]) -> set[tuple[str, int]]:
    """(hash, seed) of what a file holds already; it has to be about the same trainings."""
    if not path.with_suffix(".json").exists():
        if path.exists():
            name = path.with_suffix(".json").name
            raise StudyError(f"'{path}' is no table: no '{name}' stands beside it", "name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        return set()
    there = _read_facts(path)
    differing = [key for key in facts if key != "seeds" and there.get(key) != facts[key]]
    if differing:
        raise StudyError(f"'{path}' holds another table; different: {', '.join(differing)}", "name another file")
    _mend(path)
    return {(row.hash, row.seed) for row in _read_rows(path)} if path.exists() else set()


def _mend(path: Path) -> None:
    """Cut off the half of a row that a kill or a full disk left at the end; its training is done again."""
    content = path.read_bytes() if path.exists() else b""
    whole, newline, tail = content.rpartition(b"\n")
    if not tail:
        return
    _log.warning("the last row of '%s' was cut off; that network is trained again", path)
    if whole:
        write_atomically(path, whole + newline)
    else:
        path.unlink()


def _read_facts(path: Path) -> dict[str, Any]:
    """What stands beside a table.

    Raises:
        StudyError: it is absent or damaged.
    """
    file = path.with_suffix(".json")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"there is no table '{file}'", "'python benchmarks/table.py' makes one") from None
    except (ValueError, OSError) as error:
        raise StudyError(f"'{file}' is damaged: {error}", _both(path)) from None
    if not isinstance(found, dict):
        raise StudyError(f"'{file}' is damaged: it holds no facts about a table", _both(path))
    return found


def _both(path: Path) -> str:
    return f"put a copy of it back, or delete it and '{path}': 'python benchmarks/table.py' makes both anew"


def _read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of a table.

    Raises:
        StudyError: it is absent or damaged; the line is named.
    """
    rows: list[Row] = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows.extend(_row(entry) for entry in csv.DictReader(file))  # those before the damage, to count its line
    except FileNotFoundError:
        raise StudyError(f"there is no table '{path}'", "'python benchmarks/table.py' makes one") from None
    except (ValueError, KeyError, TypeError, OSError, csv.Error) as error:
        raise StudyError(
            f"the table '{path}' is damaged in line {len(rows) + 2}: {error}",
            "delete that line: 'python benchmarks/table.py' trains what is missing",
        ) from None
    return tuple(rows)


def _row(entry: dict[str, Any]) -> Row:
    """A row from the words of a CSV file."""

    def curve(name: str) -> tuple[float, ...]:
        places = sorted(
            int(key.rpartition("_")[2]) for key in entry if key.startswith(f"{name}_") and key[-1].isdigit()
        )
        return tuple(float(entry[f"{name}_{place}"]) for place in places)

    scores = {name: float(entry[name]) for name in (*COSTS, *QUALITY, *MEASURED) if name in entry}
    return Row(
        layout=entry["layout"], hash=entry["hash"], seed=int(entry["seed"]), accuracy=curve("accuracy"),
        nll=curve("nll"), scores={name: value for name, value in scores.items() if not math.isnan(value)},
        seconds=float(entry["seconds"]),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="the space")
    parser.add_argument("--out", type=Path, required=True, help="the CSV file")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--data")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    def told(done: int, total: int, row: Row) -> None:
        print(f"{done}/{total}  {row.layout}  seed {row.seed}  accuracy {row.scores['accuracy']:.4f}", file=sys.stderr)

    try:
        trained = make(
            options.file, options.out, data=options.data, data_root=options.data_root, seeds=options.seeds,
            epochs=options.epochs, workers=options.workers, device=options.device,
            command=shlex.join(["python", "benchmarks/table.py", *sys.argv[1:]]), on_row=told,
        )  # fmt: skip
    except ArchdslError as error:
        sys.exit(str(error))
    print(f"{options.out}: {len(trained.by_hash)} networks, {len(trained.rows)} trainings")


if __name__ == "__main__":
    main()
