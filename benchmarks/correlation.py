"""Rank correlation of every score and of early epochs with mean accuracy, and whether the paper's rule holds in a table.

python benchmarks/correlation.py [--table CSV] [--target accuracy] [--json]
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from table import COSTS, MEASURED, QUALITY, Row, Table, shipped

from archdsl import space
from archdsl.base.errors import ArchdslError, UsageError
from archdsl.base.statistics import Interval, adjusted, difference
from archdsl.study.baselines import placements

Floats = NDArray[np.float64]

RESAMPLED = 1_000  # bootstrap samples of networks
LEVEL = 95  # percent, of every interval
TARGETS = ("test_accuracy", "accuracy")
YARDSTICK = "params"


def correlations(table: Table, target: str = "test_accuracy", seed: int = 0) -> dict[str, Any]:
    """Spearman's rho with a network's mean accuracy, of every score and of what early epochs show.

    A score is taken as a search would know it, from one training; its rho is the mean over the seeds. What is measured
    on the same training as part of the target shares its noise, so the target leaves that seed out.

    Raises:
        UsageError: the table has a single seed, so that nothing is left to compare with.
    """
    if target not in TARGETS:
        raise UsageError(f"--target is {' or '.join(TARGETS)}")
    if len(table.seeds) < 2:
        raise UsageError("a table of one seed has no other to compare a training with", "train it on two seeds or more")
    keys = [key for key, trainings in table.by_hash.items() if set(table.seeds) <= set(trainings)]
    truth = _column(table, keys, lambda row: row.scores[target])
    epochs = len(table.rows[0].accuracy)
    columns = {
        name: _column(table, keys, functools.partial(_score, name=name)) for name in (*COSTS, *QUALITY, *MEASURED)
    }
    for epoch in range(epochs - 1):
        for curve in ("accuracy", "nll"):
            read = functools.partial(_early, curve=curve, epoch=epoch)
            columns[f"{curve} after epoch {epoch + 1}"] = _column(table, keys, read)
    rng = np.random.default_rng(seed)
    return {
        "target": target,
        "networks": len(keys),
        "scores": {name: _rho(values, truth, rng) for name, values in columns.items()},
    }


def _score(row: Row, name: str) -> float:
    return row.scores.get(name, math.nan)


def _early(row: Row, curve: str, epoch: int) -> float:
    found: tuple[float, ...] = getattr(row, curve)
    return found[epoch]


def _column(table: Table, keys: Sequence[str], read: Callable[[Row], float]) -> Floats:
    """(networks, seeds)."""
    return np.array([[read(table.by_hash[key][seed]) for seed in table.seeds] for key in keys])


def _rho(values: Floats, truth: Floats, rng: np.random.Generator) -> dict[str, float]:
    """Mean over seeds of the correlation of one training with the mean of the other seeds' truth."""
    there = ~np.isnan(values).any(1)
    pairs = [(values[there, s], np.delete(truth, s, 1).mean(1)[there]) for s in range(values.shape[1])]

    def mean_rho(chosen: NDArray[np.int64] | slice) -> float:
        return float(np.mean([spearman(x[chosen], y[chosen]) for x, y in pairs]))

    count = int(there.sum())
    drawn = [mean_rho(rng.integers(0, count, count)) for _ in range(RESAMPLED)] if count > 3 else [float("nan")]
    low, high = np.nanpercentile(drawn, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return {"value": mean_rho(slice(None)), "low": float(low), "high": float(high), "n": count}


def spearman(x: Floats, y: Floats) -> float:
    """Spearman's rho, ties sharing their mean rank; NaN where one side is constant."""
    a, b = ranks(x), ranks(y)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 0 else float("nan")


def ranks(x: Floats) -> Floats:
    """Ranks from 0; equal values get the mean of theirs."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: Floats = (ends - (counts + 1) / 2)[inverse]
    return mean


def places(table: Table, target: str = "test_accuracy") -> dict[str, Any]:
    """Whether the paper's rule (MSAs at the ends of stages) is true here: effects on mean accuracy, with intervals.

    Returns:
        `msa_at`: the effect of an MSA at each place, the others held still. `ends`: members whose stages end with MSAs
        against members whose stages begin with them, by how many MSAs they have, and over all these strata.
    """
    found = placements(table.spec)
    if not found:
        raise UsageError("no place of the table's space is a choice between convolution and attention")
    names = list(found)
    keys, columns = _placed(table, names, {name: place[3] for name, place in found.items()})
    mean = table.mean(target)
    values = np.array([mean[key] for key in keys])
    effects = adjusted(columns, values)
    return {
        "target": target,
        "msa_at": {} if effects is None else {n: _plain(e) for n, e in zip(names, effects, strict=True)},
        "ends": _ends(columns, values, [place[4] for place in found.values()]),
    }


def _placed(table: Table, names: Sequence[str], msa: dict[str, str]) -> tuple[list[str], Floats]:
    """Networks, and 1 where they have an MSA, by place."""
    members = {m.hash: m for m in space.members(table.spec) if m.hash in table.by_hash}
    rows = [[float(m.decisions.get(name) == msa[name]) for name in names] for m in members.values()]
    return list(members), np.array(rows)


def _ends(columns: Floats, values: Floats, stages: Sequence[str]) -> dict[str, Any]:
    """End minus beginning at equal numbers of MSAs; strata are weighed by what they tell."""
    lean = np.zeros(len(values))
    for stage in dict.fromkeys(stages):
        of = [j for j, name in enumerate(stages) if name == stage]
        if len(of) > 1:
            lean += columns[:, of[-1]] - columns[:, of[0]]
    strata: dict[int, Any] = {}
    parts: list[tuple[float, float]] = []
    count = columns.sum(1).astype(int)
    for n in sorted(set(count.tolist())):
        ends, starts = values[(count == n) & (lean > 0)], values[(count == n) & (lean < 0)]
        if len(ends) < 2 or len(starts) < 2:
            continue
        strata[n] = _plain(difference(list(ends), list(starts)))
        parts.append((strata[n]["value"], float(ends.var(ddof=1) / len(ends) + starts.var(ddof=1) / len(starts))))
    if not parts:
        return {"strata": strata, "all": None}
    weights = np.array([1 / max(error, 1e-12) for _, error in parts])
    value = float(weights @ np.array([v for v, _ in parts]) / weights.sum())
    half = 1.959964 / float(np.sqrt(weights.sum()))
    return {"strata": strata, "all": {"value": value, "low": value - half, "high": value + half}}


def _plain(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def shown(result: dict[str, Any]) -> str:
    """The result as tables for reading."""
    lines = [f"Spearman's rho with the mean {result['target'].replace('_', ' ')} of the other seeds"]
    for name, rho in sorted(result["scores"].items(), key=lambda item: -abs(item[1]["value"])):
        label = f"{name} (yardstick)" if name == YARDSTICK else name
        lines.append(f"{label:28}{rho['value']:+.2f}  {rho['low']:+.2f} to {rho['high']:+.2f}  {rho['n']} networks")
    found = result["placement"]
    lines += ["", "Effect of an MSA at each place, the others held still, in points of accuracy"]
    lines += [f"{name:48}{_points(effect)}" for name, effect in found["msa_at"].items()]
    for count, effect in found["ends"]["strata"].items():
        lines.append(f"{f'at stage ends, not beginnings; {count} MSAs':48}{_points(effect)}")
    if found["ends"]["all"] is not None:
        lines.append(f"{'the same over all these':48}{_points(found['ends']['all'])}")
    return "\n".join(lines)


def _points(effect: dict[str, float]) -> str:
    return f"{100 * effect['value']:+.2f}  {100 * effect['low']:+.2f} to {100 * effect['high']:+.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, help="a CSV file of table.py; by default the one that is kept here")
    parser.add_argument("--target", default="test_accuracy", help="or accuracy, on the validation split")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        trained = shipped() if options.table is None else Table.read(options.table)
        result = correlations(trained, options.target) | {"placement": places(trained, options.target)}
    except ArchdslError as error:
        sys.exit(str(error))
    print(json.dumps(result, indent=1) if options.json else shown(result))


if __name__ == "__main__":
    main()
