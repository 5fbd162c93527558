"""Trains the search's leaders and the baselines again from scratch on several seeds, and tests them: the finals."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from archdsl.interchange.arch_text import write
from archdsl.network import Architecture, digest
from archdsl.study.baselines import baselines
from archdsl.study.deaths import Deaths
from archdsl.study.distributed import Shared
from archdsl.study.record import how_trained, key_of, member_of
from archdsl.study.runner import Runner
from archdsl.study.store import FINAL
from archdsl.study.trial import Task, task_of

LEADERS = 2  # how many of the search's best are trained again; single trainings are too noisy to trust the first


class Finals:
    """Trains the finalists, one seed after the other; what is done is kept in the run's folder.

    Args:
        runner: a search that has ended.

    Attributes:
        left_out: how many trainings were not begun because the search's time was used up.
    """

    def __init__(self, runner: Runner | Shared) -> None:
        self.runner = runner
        self.done: dict[str, Any] = runner.folder.read_finals()
        self.left_out = 0

    def run(self) -> list[dict[str, Any]]:
        """The finalists as `results.json` has them, the winner first.

        The winner is the finalist with the best mean on the validation split over all its trainings, baselines among
        them: it is not worse than they are by construction. The test split decides nothing.
        """
        runner = self.runner
        contenders = self._contenders()
        seeds = [runner.plan.seed + 1 + i for i in range(runner.plan.finalist_seeds)]
        different = {key_of(a): (name, a) for name, a in contenders.items()}
        todo = [(name, a, s) for s in seeds for name, a in different.values() if _training(a, s) not in self.done]
        self._train(todo, analysed=seeds[0])
        entries = [self._entry(name, architecture, seeds) for name, architecture in contenders.items()]
        entries = [entry for entry in entries if entry["seeds"]]
        if not entries:
            return []
        winner = self._winner(entries)
        named = [entry for entry in entries if entry["name"] in baselines(runner.spec)]
        return [winner | {"name": "winner"}, *named]

    def _train(self, todo: list[tuple[str, Architecture, int]], analysed: int) -> None:
        """Train finalists, but those in whose training the search was killed too often; one seed's are analysed."""
        runner = self.runner
        deaths = Deaths(runner.folder.path / "deaths.json")
        reasons = [deaths.reason(f"final {_training(a, seed)}") for _, a, seed in todo]
        tasks = [self._task(a, seed, analyse=seed == analysed) for _, a, seed in todo]
        handed_in = 0
        for count, ((name, a, seed), task, reason) in enumerate(zip(todo, tasks, reasons, strict=True)):
            handed_in = self._hand_in(tasks, reasons, handed_in, count)
            if handed_in == count:  # it is late
                self.left_out = len(todo) - count
                runner.watch.say(f"the time is used up: {self.left_out} of {len(todo)} final trainings are left out")
                runner.watch.say("the same command without --timeout, or with a larger one, makes them up")
                return
            runner.watch.finals(count, len(todo), f"{name}, seed {seed}")
            if reason is not None:
                outcome: dict[str, Any] = {"died": reason}
            elif runner.pool.here:  # a pool looks after its workers' deaths, nobody after this process's
                with deaths.noted(f"final {_training(a, seed)}", task.checkpoint):
                    outcome = runner.pool.take()
            else:
                outcome = runner.pool.take()
            self._keep(a, seed, outcome)

    def _hand_in(self, tasks: list[Task], reasons: list[str | None], handed_in: int, taken: int) -> int:
        """Hand in all trainings, but with a time limit no more than go on at a time; how many were handed in so far."""
        runner = self.runner
        upto = len(tasks) if runner.deadline is None else min(len(tasks), taken + runner.pool.size)
        while handed_in < upto and not runner.late():
            if reasons[handed_in] is None:
                runner.pool.submit(tasks[handed_in])
            handed_in += 1
        return handed_in

    def _contenders(self) -> dict[str, Architecture]:
        """The leaders of the search and the baselines, each candidate once unless it goes by two names."""
        runner = self.runner
        name, direction = runner.plan.objectives[0]
        front = set(runner.history.front())
        complete = [t for t in runner.history.trials if t["state"] == "complete" and name in t["scores"]]
        ranked = sorted(complete, key=lambda t: t["scores"][name], reverse=direction == "maximize")
        ranked.sort(key=lambda t: t["number"] not in front)
        leaders = ranked[:LEADERS] if self._retrainable() else ranked[:1]
        found = {f"leader {i}": member_of(t, runner.spec) for i, t in enumerate(leaders, start=1)}
        fit = {
            name: a
            for name, a in baselines(runner.spec).items()
            if runner.timing is None or not runner.timing.admits(a)
        }
        return found | fit

    def _retrainable(self) -> bool:
        """Whether the finals measure what was searched for: one objective, and one that training gives."""
        objectives = self.runner.plan.objectives
        return len(objectives) == 1 and objectives[0][0] in ("accuracy", "nll", "ece")

    def _winner(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        if not self._retrainable():
            return entries[0]
        name, direction = self.runner.plan.objectives[0]

        def mean(entry: dict[str, Any]) -> float:
            return statistics.fmean(seed["validation"][name] for seed in entry["seeds"])

        return max(entries, key=mean) if direction == "maximize" else min(entries, key=mean)

    def _task(self, architecture: Architecture, seed: int, analyse: bool) -> Task:
        name = f"{FINAL}{digest(key_of(architecture))[:20]}-{seed}"
        folder, caches = self.runner.folder, self.runner.caches
        return task_of(architecture, seed, folder.checkpoint(name), final=True, analyse=analyse, caches=caches)

    def _keep(self, architecture: Architecture, seed: int, outcome: dict[str, Any]) -> None:
        """Put a training among the finished ones, in the run's folder."""
        runner = self.runner
        if "test" in outcome:
            kept = {
                "seed": seed,
                "validation": {name: outcome["scores"][name] for name in ("accuracy", "nll", "ece")},
                "test": outcome["test"],
                "curve": [point["accuracy"] for point in outcome["curve"]],
            }
            kept |= {name: outcome[name] for name in ("analyses", "measured") if name in outcome}
        else:
            kept = {"failed": outcome.get("reason") or outcome.get("died")}
            runner.watch.say(f"a final training failed: {kept['failed']}")
        for note in outcome.get("notes", []):
            runner.watch.say(note)
        self.done[_training(architecture, seed)] = kept
        runner.folder.write_json("finals.json", self.done)

    def _entry(self, name: str, architecture: Architecture, seeds: list[int]) -> dict[str, Any]:
        done: list[Mapping[str, Any]] = [self.done.get(_training(architecture, seed), {}) for seed in seeds]
        done = [one for one in done if "test" in one]
        measured = next((one for one in done if "analyses" in one), {})
        timed = {} if self.runner.timing is None else self.runner.timing.scores(architecture)
        return how_trained(architecture) | {
            "name": name,
            "layout": architecture.layout,
            "hash": architecture.hash,
            "spec": write(architecture),
            "params": architecture.params,
            "macs": architecture.macs,
            "seeds": [{key: one[key] for key in ("seed", "validation", "test", "curve")} for one in done],
            "scores": measured.get("measured", {}) | timed,
            "hessian": measured.get("analyses", {}).get("hessian"),
            "fourier": measured.get("analyses", {}).get("fourier"),
        }


def _training(architecture: Architecture, seed: int) -> str:
    """What a final training is known by: its candidate, network and recipe, and the seed."""
    return f"{key_of(architecture)}-{seed}"
