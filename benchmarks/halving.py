"""What successive halving is worth on the table that is kept here, by where networks wait, how many go on, and by what.

    python benchmarks/halving.py [--seeds 60] [--out benchmarks/results/halving.json]

Random proposals, so that it is the rungs that are compared. The search goes through the code that proposes and promotes
in a real one; only the learning curves are looked up.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from machine import describe
from optuna.study import StudyDirection
from samplers import Truth, plain, truth_of
from table import Row, Table, shipped

from archdsl.base.statistics import mean_interval
from archdsl.study.history import History
from archdsl.study.proposer import Proposer
from archdsl.study.quiet import quiet
from archdsl.study.record import key_of, member_of
from archdsl.study.rungs import YARDSTICKS, Rungs

OBJECTIVE = ("accuracy", "maximize")
GOOD = 0.05  # of the networks, whose survival is counted
AT = (30, 50, 75, 100, 150)  # epochs after which regret is stated
SHARES = ((0.25,), (0.5,), (0.25, 0.5))  # of three epochs: networks can wait after the first and the second
GUIDES = (("accuracy", "maximize"), ("nll", "minimize"))


@dataclass(frozen=True)
class Halved:
    """A search with halving that was simulated.

    Attributes:
        epochs: that each network was trained for, by hash, in the order in which they were begun.
        course: after each training or piece of one: epochs spent in all, and the finished network that looks best.
    """

    epochs: dict[str, int]
    course: tuple[tuple[int, str], ...]

    def best_after(self, epochs: int) -> str:
        """The network that looks best when so many epochs are spent."""
        return next((best for spent, best in reversed(self.course) if spent <= epochs), self.course[0][1])


def halve(table: Table, rungs: Rungs, sampler: str, seed: int, limit: int) -> Halved:
    """Search a table by accuracy until so many epochs are spent.

    Args:
        table: all networks with their learning curves.
        rungs: where networks wait, and which go on; the sampler is told of accuracy whatever they go by.
        sampler: its name.
        seed: of the search, which sees the trainings of one seed: `seed` modulo their number.
        limit: epochs to spend.
    """
    training = table.seeds[seed % len(table.seeds)]
    epochs: dict[str, int] = {}
    course: list[tuple[int, str]] = []
    spent, best = 0, ""
    with quiet():
        study = optuna.create_study(direction=StudyDirection.MAXIMIZE)
        history = History((OBJECTIVE,))
        proposer = Proposer(table.spec, sampler, seed, study, history, len(table.by_hash))
        while spent < limit:
            promoted = rungs.promotable(history.by_number.values())
            if promoted is not None:
                member = member_of(promoted, table.spec)
                trial, number, before = proposer.again(member), promoted["number"], promoted["epochs"]
            elif (proposal := proposer.propose()) is not None:
                (trial, member), number, before = proposal, len(history.by_number), 0
            else:
                break
            row = table.by_hash[member.hash][training]
            until = len(row.accuracy) if number < YARDSTICKS else rungs.next(before, len(row.accuracy))
            entry = _entry(row, until)
            entry |= {"number": number, "key": key_of(member), "choices": dict(member.choices)}
            entry |= {"kind": "continued" if before else "trained", "values": history.values(entry)}
            proposer.close(trial, entry, entry["values"])
            epochs[member.hash] = until
            spent += until - before
            found = history.best()
            best = best if found is None else found["hash"]
            course.append((spent, best))
    return Halved(epochs, tuple(course))


def _entry(row: Row, epochs: int) -> dict[str, Any]:
    """What a search records of a training that came so far."""
    of = len(row.accuracy)
    return {
        "hash": row.hash, "epochs": epochs, "recipe": {"epochs": of},
        "state": "complete" if epochs == of else "stopped",
        "curve": list(row.accuracy[:epochs]), "curve_nll": list(row.nll[:epochs]),
        "scores": {"accuracy": row.accuracy[epochs - 1], "nll": row.nll[epochs - 1]},
    }  # fmt: skip


def compare_rungs(
    table: Table, variants: Sequence[Rungs], *, sampler: str = "random", seeds: int = 60, limit: int = 150,
    on_search: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Search a table with every way to halve, on many seeds.

    Args:
        table: a space trained whole.
        variants: what to compare.
        sampler: proposes; `random` shows the rungs alone.
        seeds: searches of each, seeds 0 to seeds - 1.
        limit: epochs spent in each.
        on_search: told (done, in all) after each search.
    """
    truth = truth_of(table, OBJECTIVE)
    epochs = len(table.rows[0].accuracy)
    found = []
    for place, rungs in enumerate(variants):
        searches = []
        for seed in range(seeds):
            searches.append(halve(table, rungs, sampler, seed, limit))
            if on_search is not None:
                on_search(place * seeds + seed + 1, len(variants) * seeds)
        found.append(_described(rungs, epochs) | _summary(searches, truth, epochs, limit))
    return found


def _described(rungs: Rungs, epochs: int) -> dict[str, Any]:
    return {"rungs": list(rungs.rungs(epochs).values()), "kept": rungs.kept, "by": rungs.objectives[0][0]}


def _summary(searches: Sequence[Halved], truth: Truth, epochs: int, limit: int) -> dict[str, Any]:
    top = max(truth.merit.values())
    good = set(sorted(truth.merit, key=lambda key: -truth.merit[key])[: math.ceil(GOOD * len(truth.merit))])
    met = [search.epochs[key] == epochs for search in searches for key in good if key in search.epochs]
    return {
        "begun": statistics.fmean(len(search.epochs) for search in searches),
        "finished": statistics.fmean(sum(n == epochs for n in search.epochs.values()) for search in searches),
        "good_that_finish": statistics.fmean(met) if met else None,  # where none of them was begun
        "found_best": statistics.fmean(
            any(search.epochs.get(key) == epochs for key in truth.best) for search in searches
        ),
        "regret_at": {
            n: plain(mean_interval([top - truth.merit[search.best_after(n)] for search in searches]))
            for n in AT
            if n <= limit
        },
    }


def variants() -> list[Rungs]:
    """No halving, and every combination."""
    halved = [Rungs((guide,), shares=shares, kept=kept) for shares in SHARES for kept in (2, 3, 4) for guide in GUIDES]
    return [Rungs(halving=False), *halved]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = compare_rungs(shipped(), variants(), seeds=options.seeds)
    for entry in found:
        at = "  ".join(f"{100 * entry['regret_at'][n]['value']:.2f}" for n in AT)
        good = "none" if entry["good_that_finish"] is None else f"{entry['good_that_finish']:.2f}"
        print(
            f"{entry['rungs']!s:8} 1/{entry['kept']} by {entry['by']:8}  {entry['begun']:5.1f} begun  "
            f"{entry['finished']:4.1f} finished  {good} of the best 5% finish  "
            f"{entry['found_best']:.2f} found  regret {at}"
        )
    document = {"seeds": options.seeds, "variants": found, "machine": describe()}
    if options.out:
        options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
