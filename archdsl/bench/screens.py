"""A fully trained table and the screens in, what each screen is worth out: rank correlation, survivors, its cost."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from archdsl import space
from archdsl.base.errors import DataError, StudyError, UsageError
from archdsl.bench.table import Table
from archdsl.data import Dataset, load
from archdsl.ir.recipe import Recipe
from archdsl.network import Architecture
from archdsl.study.admission import SHARE, threshold_of
from archdsl.study.candidate import seeded
from archdsl.study.plan import versions
from archdsl.study.screens import SCREENS, Setting
from archdsl.training.loop import train

YARDSTICK = "params"
TARGETS = {"validation": "accuracy", "test": "test_accuracy"}  # means over the table's seeds
BEST = (0.01, 0.05)
RESAMPLES = 2000  # of the networks, for intervals
REFERENCES = 3  # trainings that are timed, for the cost of one


def measure_screens(
    table: Table, names: Sequence[str] = (), *, seeds: int = 3, data_root: Path | None = None,
    device: torch.device | str = "cpu", command: str | None = None, say: Callable[[str], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Score every member of a table with every screen, and compare with how well its trainings went.

    Args:
        table: every member of a space, trained.
        names: of the screens; all by default, the yardstick always.
        seeds: how often a screen that draws something is measured, seeds 0 to seeds - 1.
        data_root: where the table's data set lies.
        device: where screens compute, and where the reference trainings run whose time they are compared with.
        command: how to repeat it.
        say: told what was found.
        on_step: told the steps of long preparations.

    Returns:
        Plain data: `screens` by name (`validation` and `test`: see `worth`; `seconds`), `training_seconds`, `ceiling`
        (one training against the mean of the others), and how it was measured.

    Raises:
        ArchdslError: there is no such screen, or the table's space or data are not what they were.
    """
    if seeds < 1:
        raise UsageError("--seeds is 1 or more")
    chosen = list(dict.fromkeys([YARDSTICK, *(names or SCREENS)]))
    kinds = {name: SCREENS[name] for name in chosen}
    say = say or (lambda text: None)
    dataset = _data(table, data_root)
    members = members_of(table)
    means = {target: table.mean(score) for target, score in TARGETS.items()}
    truth = {target: np.array([mean[member.hash] for member in members]) for target, mean in means.items()}
    recipe, where = Recipe(**table.facts["recipe"]), torch.device(device)
    found: dict[str, Any] = {}
    scores: dict[str, list[NDArray[np.float64]]] = {}
    clock = clock_of(where)
    reference = training_seconds(members, dataset, recipe, where)
    for name, kind in kinds.items():
        scores[name], seconds = [], []
        for seed in range(1 if name in ("params", "macs") else seeds):
            setting = Setting(table.spec, dataset, recipe, seed, where, None, on_step, say)
            began = clock()
            screen = kind(setting)
            screen.prepare()
            prepared = clock()
            scores[name].append(np.array([screen.score(member) for member in members]))
            seconds.append((prepared - began, (clock() - prepared) / len(members)))
        entry: dict[str, Any] = {target: worth(scores[name], truth[target], scores[YARDSTICK][0]) for target in TARGETS}
        entry["seconds"] = {
            "prepare": statistics.median(prepare for prepare, _ in seconds),
            "member": statistics.median(member for _, member in seconds),
        }
        found[name] = entry | {"summary": kind.summary, "seeds": len(scores[name])}
        correlation = entry["test"]["correlation"]
        say(f"{name}: rank correlation {correlation['value']:+.2f} with the test accuracy")
    return {
        "command": command or "archdsl bench screens",
        "table": {key: table.facts[key] for key in ("name", "data", "seeds", "recipe") if key in table.facts},
        "networks": len(members),
        "share": SHARE,
        "seeds": seeds,
        "resamples": RESAMPLES,
        "device": str(where),
        "versions": versions(),
        "training_seconds": {"before": reference, "after": training_seconds(members, dataset, recipe, where)},
        "ceiling": ceiling(table, members),
        "screens": found,
    }


def members_of(table: Table) -> list[Architecture]:
    """The members of the table's space, as far as they are in the table; all of them have to be.

    Raises:
        StudyError: the space has other members today.
    """
    members = list(space.members(table.spec))
    if {member.hash for member in members} != set(table.by_hash):
        raise StudyError("the space of the table has other members than the table", "make the table again")
    return members


def _data(table: Table, root: Path | None) -> Dataset:
    data = load(table.facts["data"], root=root)
    if data.digest != table.facts["digest"]:
        raise DataError(f"the data set '{data.name}' is not the one that the table was trained on")
    return data


def training_seconds(members: Sequence[Architecture], data: Dataset, recipe: Recipe, device: torch.device) -> float:
    """Median seconds of a training here and now, over members spread through the list."""
    found = []
    for place in range(REFERENCES):
        member = members[(2 * place + 1) * len(members) // (2 * REFERENCES)]
        clock = clock_of(device)
        began = clock()
        train(seeded(member, 0), data, recipe, device=device)
        found.append(clock() - began)
    return statistics.median(found)


def clock_of(device: torch.device) -> Callable[[], float]:
    """Seconds of this process alone on a CPU, which other processes do not lengthen; wall time on a GPU."""
    return time.process_time if device.type == "cpu" else time.perf_counter


# ---- what a score is worth -------------------------------------------------------------------------------


def worth(
    scores: Sequence[NDArray[np.float64]], truth: NDArray[np.float64], yardstick: NDArray[np.float64]
) -> dict[str, Any]:
    """What a screen would have done to a search of a table.

    Args:
        scores: (n,) for every seed of the screen, the higher the better, NaN where unknown.
        truth: (n,) the accuracies.
        yardstick: (n,) the scores to beat.

    Returns:
        `correlation`: Spearman's rho, mean over the screen's seeds, with a bootstrap interval over networks, and each
        seed's; `beyond`: the same of the difference to the yardstick's rho; `survive`: by share, how much of the best
        survives admission, mean over seeds; `gain`: mean accuracy of the admitted minus that of all; `regret`: how far
        the best admitted network lies below the best of all.
    """
    ranked = [correlate(one, truth) for one in scores]
    picks = np.random.default_rng(0).integers(len(truth), size=(RESAMPLES, len(truth)))
    drawn = np.array([statistics.fmean(correlate(one[p], truth[p]) for one in scores) for p in picks])
    against = np.array([correlate(yardstick[p], truth[p]) for p in picks])
    admitted = [admit(one) for one in scores]
    order = np.argsort(-truth, kind="stable")
    best = {share: order[: math.ceil(share * len(truth))] for share in BEST}
    value = statistics.fmean(ranked)
    return {
        "correlation": _estimate(value, drawn) | {"seeds": ranked},
        "beyond": _estimate(value - correlate(yardstick, truth), drawn - against),
        "survive": {
            f"{share:.0%}": {"of": len(places), "share": statistics.fmean(float(a[places].mean()) for a in admitted)}
            for share, places in best.items()
        },
        "admitted": statistics.fmean(float(a.mean()) for a in admitted),
        "gain": statistics.fmean(float(truth[a].mean() - truth.mean()) for a in admitted),
        "regret": statistics.fmean(float(truth.max() - truth[a].max()) for a in admitted),
    }  # fmt: skip


def admit(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the members a search would train, by the rule of `archdsl.study.admission` over all of them."""
    return ~(scores < threshold_of(scores.tolist(), SHARE))


def correlate(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Spearman's rho of the pairs where the left one is known; ties share their mean rank; 0 where all are tied.

    >>> correlate(np.array([1.0, 2.0, 3.0, np.nan]), np.array([10.0, 20.0, 15.0, 0.0]))
    0.5
    """
    known = ~np.isnan(left)
    if not known.any():
        return 0.0
    a, b = ranks(left[known]), ranks(right[known])
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return round(float(a @ b) / scale, 12) if scale else 0.0


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0, ties with their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: NDArray[np.float64] = ends - (counts + 1) / 2
    return mean[inverse]


def ceiling(table: Table, members: Sequence[Architecture]) -> dict[str, Any]:
    """What a whole training tells of the mean of the others, and its first epoch: no screen can be asked for more."""

    def against_others(value: Callable[[str, int], float], score: str) -> float:
        found = []
        for seed in table.seeds:
            others = [other for other in table.seeds if other != seed]
            left = np.array([value(member.hash, seed) for member in members])
            right = np.array(
                [statistics.fmean(table.by_hash[m.hash][other].scores[score] for other in others) for m in members]
            )
            found.append(correlate(left, right))
        return statistics.fmean(found)

    if len(table.seeds) < 2:
        return {}
    rows: Mapping[str, Mapping[int, Any]] = table.by_hash
    return {
        target: {
            "training": against_others(lambda key, seed: rows[key][seed].scores["accuracy"], score),
            "first_epoch": against_others(lambda key, seed: rows[key][seed].accuracy[0], score),
            "training_nll": against_others(lambda key, seed: -rows[key][seed].scores["nll"], score),
        }
        for target, score in TARGETS.items()
    }


def _estimate(value: float, drawn: NDArray[np.float64]) -> dict[str, Any]:
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return {"value": value, "low": low, "high": high}


def verdict(entry: Mapping[str, Any]) -> str:
    """`use` where a screen beats the parameter count on the test split beyond chance, else `do not use`."""
    return "use" if entry["test"]["beyond"]["low"] > 0 and entry["test"]["correlation"]["low"] > 0 else "do not use"
