"""What samplers are worth on a space trained whole: trainings until a best network is found, and regret.

    python benchmarks/samplers.py [--seeds 50] [--budget 100] [--sampler tpe --sampler random] [--out FOLDER]

A simulated search goes through the code that proposes in a real one; only the trainings are looked up in a table. It sees
one noisy training of a network; what counts is the mean over the table's seeds. `--guide nll` tells samplers another score.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samplers_plot import draw
from simulation import Simulated, simulate
from table import Table, shipped

from archdsl.base.errors import ArchdslError, UsageError
from archdsl.base.statistics import Interval, mean_interval
from archdsl.ir.scores import info
from archdsl.study.plan import versions
from archdsl.study.samplers import EXHAUSTIVE, SAMPLERS

BEST = 0.01  # of the networks, by the mean over the table's seeds
AT = (10, 25, 50, 100)  # trainings after which regret is stated
YARDSTICK = "random"


@dataclass(frozen=True)
class Truth:
    """What the table knows and a search does not.

    Attributes:
        merit: of each network, by hash: the mean score over all seeds, turned so that more is better.
        best: hashes of the best networks.
    """

    merit: Mapping[str, float]
    best: frozenset[str]


def truth_of(table: Table, objective: tuple[str, str]) -> Truth:
    """The truth about a score.

    Raises:
        UsageError: the table does not hold it for every network.
    """
    sign = 1.0 if objective[1] == "maximize" else -1.0
    merit = {key: sign * value for key, value in table.mean(objective[0]).items()}
    if len(merit) < len(table.by_hash):
        raise UsageError(f"the table does not hold '{objective[0]}' for every network", "choose another --objective")
    count = max(1, math.ceil(BEST * len(merit)))
    return Truth(merit, frozenset(sorted(merit, key=lambda key: -merit[key])[:count]))


def objective_of(table: Table, score: str) -> tuple[str, str]:
    """(score, direction) for a score's name.

    Raises:
        UnknownNameError: there is no such score.
        UsageError: neither way is better for it.
    """
    direction = info(score).direction
    if direction is None:
        raise UsageError(f"neither way is better for '{score}'", "choose another --objective")
    truth_of(table, (score, direction))
    return score, direction


def first_best(search: Simulated, truth: Truth) -> int | None:
    """How many trainings it took until one of the best was among those trained; None where none was."""
    return next((n for n, key in enumerate(search.hashes, 1) if key in truth.best), None)


def regrets(search: Simulated, truth: Truth, direction: str) -> list[float]:
    """After each training: how far the network that looks best, by its one training, is from the truly best."""
    sign = 1.0 if direction == "maximize" else -1.0
    top, seen, found = max(truth.merit.values()), -math.inf, []
    recommended = search.hashes[0]
    for key, shown in zip(search.hashes, search.shown, strict=True):
        if sign * shown > seen:
            seen, recommended = sign * shown, key
        found.append(top - truth.merit[recommended])
    return found


def compare(
    table: Table, samplers: Sequence[str], *, seeds: int = 50, budget: int = 100, score: str = "accuracy",
    guide: str | None = None, on_search: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Search a table with every sampler on many seeds.

    Args:
        table: a space trained whole.
        samplers: their names.
        seeds: searches of each, seeds 0 to seeds - 1.
        budget: networks trained in each, at most all there are.
        score: what is searched for.
        guide: what the samplers are told; by default what is searched for.
        on_search: told (done, in all) after each search.
    """
    if seeds < 1 or budget < 1:
        raise UsageError("--seeds and --budget are 1 or more")
    objective = objective_of(table, score)
    truth = truth_of(table, objective)
    guiding = objective_of(table, guide or score)
    budget = min(budget, len(table.by_hash))
    found: dict[str, Any] = {}
    for place, name in enumerate(samplers):
        searches = []
        for seed in range(seeds):
            searches.append(simulate(table, name, seed, budget, objective, guiding))
            if on_search is not None:
                on_search(place * seeds + seed + 1, len(samplers) * seeds)
        found[name] = summarise(searches, truth, objective[1])
    for name, entry in found.items():
        if YARDSTICK in found and name != YARDSTICK:
            entry["minus_random"] = against(entry, found[YARDSTICK])
    return {
        "networks": len(table.by_hash), "best": len(truth.best), "seeds": seeds, "budget": budget,
        "objective": {"name": objective[0], "direction": objective[1]}, "guide": guiding[0],
        "random_in_theory": median_of_draws(len(table.by_hash), len(truth.best)),
        "samplers": found,
    }  # fmt: skip


def summarise(searches: Sequence[Simulated], truth: Truth, direction: str) -> dict[str, Any]:
    """The figures of one sampler."""
    firsts = [first_best(search, truth) for search in searches]
    curves = [regrets(search, truth, direction) for search in searches]
    median = statistics.median(math.inf if first is None else first for first in firsts)
    length = min(map(len, curves))
    return {
        "first_best": firsts,
        "median_first_best": None if math.isinf(median) else median,
        "regret": [statistics.fmean(curve[n] for curve in curves) for n in range(length)],
        "regret_at": {n: plain(mean_interval([curve[n - 1] for curve in curves])) for n in AT if n <= length},
        "regrets_at": {n: [curve[n - 1] for curve in curves] for n in AT if n <= length},
        "wasted": statistics.fmean(search.wasted for search in searches),
    }


def against(entry: Mapping[str, Any], yardstick: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """Regret minus the yardstick's, in pairs of searches of the same seed, which see the same trainings."""
    return {
        n: plain(mean_interval([a - b for a, b in zip(values, yardstick["regrets_at"][n], strict=True)]))
        for n, values in entry["regrets_at"].items()
        if n in yardstick["regrets_at"]
    }


def median_of_draws(networks: int, best: int) -> int:
    """How many draws without repetition hit one of the best in half of all cases."""
    missed = 1.0
    for n in range(networks):
        missed *= max(0, networks - n - best) / (networks - n)
        if missed <= 0.5:
            return n + 1
    return networks


def plain(interval: Interval) -> dict[str, float]:
    """An interval as JSON has it."""
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def shown(result: dict[str, Any]) -> str:
    """The result as a table for reading."""
    name = result["objective"]["name"]
    unit, points = (100, "points of accuracy") if name == "accuracy" else (1, name)
    told = f", told {result['guide']}" if result["guide"] != name else ""
    places = list(next(iter(result["samplers"].values()))["regret_at"])
    heads = [f"{f'regret at {place}':>18}" for place in places]
    best = f"trainings to a best {result['best']}"
    lines = [
        f"{result['networks']} networks, {result['seeds']} searches of {result['budget']} trainings by {name}{told}",
        f"{'sampler':12}{best:>24}{''.join(heads)}{'in vain':>10}",
    ]
    for sampler, entry in result["samplers"].items():
        median, at = entry["median_first_best"], entry["regret_at"].values()
        regret = "".join(f"{unit * r['value']:>10.2f} ± {unit * (r['high'] - r['value']):5.2f}" for r in at)
        first = f"over {result['budget']}" if median is None else f"{median:g}"
        lines.append(f"{sampler:12}{first:>24}{regret}{entry['wasted']:>10.1f}")
    lines += [
        f"Regret of the network that looks best, in {points}, with 95% intervals of the mean over searches.",
        f"Draws without repetition take {result['random_in_theory']} trainings (median, exact, without baselines).",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, help="a CSV file of table.py; by default the one that is kept here")
    parser.add_argument("--seeds", type=int, default=50, help="simulated searches of each sampler")
    parser.add_argument("--budget", type=int, default=100, help="networks trained in each")
    parser.add_argument("--sampler", action="append", help="which; by default all but exhaustive")
    parser.add_argument("--objective", default="accuracy", help="the score that is searched for")
    parser.add_argument("--guide", help="the score that samplers are told; by default the objective")
    parser.add_argument("--out", type=Path, help="folder for samplers.json, .svg and .png")
    options = parser.parse_args()
    try:
        trained = shipped() if options.table is None else Table.read(options.table)
        names = list(dict.fromkeys(options.sampler or [name for name in SAMPLERS if name != EXHAUSTIVE]))
        for name in names:
            _ = SAMPLERS[name]  # a typo is found before an hour of simulation
        result = compare(
            trained, names, seeds=options.seeds, budget=options.budget, score=options.objective, guide=options.guide
        )
    except ArchdslError as error:
        sys.exit(str(error))
    facts = {"name": trained.facts.get("name"), "data": trained.facts.get("data"), "seeds": trained.seeds}
    command = shlex.join(["python", "benchmarks/samplers.py", *sys.argv[1:]])
    result |= {"table": facts, "versions": versions(), "command": command}
    print(shown(result))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "samplers.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        draw(result, options.out / "samplers")


if __name__ == "__main__":
    main()
