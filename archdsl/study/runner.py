"""The search itself: propose, filter, train, score, record, until the budget is spent or the space is."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

import optuna
from optuna.samplers import PartialFixedSampler
from optuna.trial import TrialState

from archdsl import ir, space
from archdsl.architecture import Architecture, digest
from archdsl.study import candidate
from archdsl.study.baselines import baselines
from archdsl.study.interrupts import uninterrupted
from archdsl.study.parameters import parameters, suggest
from archdsl.study.plan import Plan
from archdsl.study.pool import Pool, Task
from archdsl.study.rungs import Rungs
from archdsl.study.samplers import EXHAUSTIVE, SAMPLERS, Setting
from archdsl.study.store import RECORD, RunFolder, settle
from archdsl.study.watch import Watch, layout_text

PATIENCE = 10  # proposals in a row that are no new member, before one is drawn at random
CURVES = ("accuracy", "nll")

Trained = tuple[optuna.trial.Trial, Architecture]


class Runner:
    """One search.

    Args:
        spec: the space, fitted to the data.
        plan: what the run is about.
        folder: its files.
        pool: trains the candidates.
        budget: how many different networks to train.
        watch: who is told.
        deadline: `time.monotonic()` after which no further training starts, None for never.
    """

    def __init__(
        self, spec: ir.Spec, plan: Plan, folder: RunFolder, pool: Pool, *, budget: int, watch: Watch,
        deadline: float | None = None,
    ) -> None:  # fmt: skip
        self.spec, self.plan, self.folder, self.pool = spec, plan, folder, pool
        self.budget, self.watch, self.deadline = budget, watch, deadline
        self.study = folder.study()
        self.rungs = Rungs(plan.recipe.epochs)
        self.asked = 0  # trials that ended on their own; the seed of the next proposal
        self.fruitless = 0  # of those, how many in a row brought nothing new
        self.trials: list[dict[str, Any]] = []
        self.seen: dict[str, dict[str, Any]] = {}
        self.queue = list(baselines(spec).values())
        for entry in folder.records(self.study):
            self._take_in(entry)
        self._listing: Iterator[Architecture] | None = None
        continuous = any(isinstance(hole, ir.FloatRange) for hole in ir.holes(spec))
        self._countable = not continuous and space.size(spec) <= space.EXACT_LIMIT

    def run(self) -> None:
        """Train until the budget, the time or the space is used up; always as many at a time as the pool is large.

        Results are taken in the order in which the candidates were proposed, so what a proposal knows depends on the
        seed and the number of workers alone, not on which training happened to be quicker.
        """
        self.watch.begin(len(self.trials), self.budget)
        running: list[Trained] = []
        open_ = True
        try:
            while True:
                while open_ and len(running) < self.pool.size and len(self.trials) + len(running) < self.budget:
                    with uninterrupted():
                        proposal = self._propose({candidate.key_of(a) for _, a in running})
                    open_ = proposal is not None and not self._late()
                    if proposal is not None and open_:
                        self._submit(proposal[1], len(self.trials) + len(running))
                        running.append(proposal)
                    elif proposal is not None:
                        self.study.tell(proposal[0], state=TrialState.FAIL)
                if not running:
                    break
                self._record(running[0], self.pool.take())
                running.pop(0)
        except BaseException:
            # Ctrl-C or a defect: these trials are not recorded, and come again when the search is resumed.
            for trial, _ in running:
                settle(self.study, trial.number)
            raise
        if len(self.trials) < self.budget:
            why = "the time is used up" if self._late() else "the space has no further network"
            self.watch.say(f"{why}: {len(self.trials)} of {self.budget} trained")

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    # ---- proposing ----

    def _propose(self, busy: set[str]) -> Trained | None:
        """A member that neither was trained nor is in training; None when there is no further one."""
        repeats = 0  # proposals of what is in training right now
        while True:
            fixed = self._fixed(busy, stuck=self.fruitless + repeats >= PATIENCE)
            seed = self.plan.seed * 100_003 + self.asked + len(busy) + repeats
            sampler = SAMPLERS[self.plan.sampler](self._setting(seed))
            if fixed is not None:
                sampler = PartialFixedSampler(parameters(self.spec, fixed), sampler)
            elif self.plan.sampler == EXHAUSTIVE or self.fruitless + repeats >= PATIENCE:
                return None
            self.study.sampler = sampler
            trial = self.study.ask()
            architecture = space.attempt(self.spec, lambda hole, trial=trial: suggest(trial, hole))  # type: ignore[misc]
            if architecture is None:
                self._close(trial, {"kind": "unfit"}, None)
            elif candidate.key_of(architecture) in busy:
                self.study.tell(trial, state=TrialState.FAIL)
                repeats += 1
            elif (known := self.seen.get(candidate.key_of(architecture))) is not None:
                values = known.get("values") if known["state"] != "failed" else None
                self._close(trial, {"kind": "duplicate", "of": known["number"], "values": values}, values)
            else:
                return trial, architecture

    def _setting(self, seed: int) -> Setting:
        directions = tuple(direction for _, direction in self.plan.objectives)
        return Setting(seed, self.spec, directions, self.budget)

    def _fixed(self, busy: set[str], stuck: bool) -> Architecture | None:
        """A member chosen without the sampler: a baseline, the next of all, or at random when the sampler is stuck."""

        def new(member: Architecture) -> bool:
            key = candidate.key_of(member)
            return key not in self.seen and key not in busy

        while self.queue:
            if new(baseline := self.queue.pop(0)):
                return baseline
        if self.plan.sampler == EXHAUSTIVE:
            self._listing = self._listing or space.members(self.spec, candidate.key_of)
            return next(filter(new, self._listing), None)
        if not stuck:
            return None
        rng = random.Random(f"{self.plan.seed}:{self.asked}")
        if self._countable:
            unseen = list(filter(new, space.members(self.spec, candidate.key_of)))
            return rng.choice(unseen) if unseen else None
        drawn = (space.draw(self.spec, rng) for _ in range(space.EXACT_LIMIT))
        return next((member for member in drawn if member is not None and new(member)), None)

    def _close(self, trial: optuna.trial.Trial, entry: dict[str, Any], values: list[float] | None) -> None:
        """End an Optuna trial with its record; without values it counts as failed for the sampler."""
        with uninterrupted():
            trial.set_user_attr(RECORD, entry)
            if values is None:
                self.study.tell(trial, state=TrialState.FAIL)
            else:
                self.study.tell(trial, values)
            self._take_in(entry)

    def _take_in(self, entry: dict[str, Any]) -> None:
        self.asked += 1
        if entry["kind"] != "trained":
            self.fruitless += 1
            return
        self.fruitless = 0
        self.trials.append(entry)
        self.seen[entry["key"]] = entry
        self.rungs.enter(entry["curve"])

    # ---- training ----

    def _submit(self, architecture: Architecture, number: int) -> None:
        self.watch.candidate(number, layout_text(architecture.layout), architecture.params)
        # The first ones are the yardstick for the others and are never stopped.
        bars = self.rungs.bars() if self.plan.halving and number >= 3 else {}
        key = candidate.key_of(architecture)
        self.pool.submit(
            Task(
                architecture, candidate.recipe_for(self.plan.recipe, architecture), self.plan.seed,
                self.folder.checkpoint(digest(key)[:20]), tuple(name for name, _ in self.plan.objectives), bars,
            )
        )  # fmt: skip

    def _record(self, trained: Trained, outcome: dict[str, Any]) -> None:
        trial, architecture = trained
        number = len(self.trials)
        if "died" in outcome:
            outcome = {"state": "failed", "reason": outcome["died"], "curve": [], "seconds": 0.0, "scores": {}}
        entry = candidate.record(number, architecture, outcome)
        entry |= {"kind": "trained", "key": candidate.key_of(architecture), "optuna": trial.number}
        entry["values"] = self._values(entry)
        self._close(trial, entry, entry["values"])
        self.watch.result(entry, self.best())

    def _values(self, entry: dict[str, Any]) -> list[float] | None:
        """What the sampler is told of a trial.

        A stopped network enters with its metric when stopped plus the median gain the finished ones made from there;
        without it a sampler would either not learn of it or think it worse than it is. It is never the best.
        """
        if entry["state"] == "failed":
            return None
        values = []
        for name, _ in self.plan.objectives:
            value = entry["scores"].get(name)
            if value is not None and entry["state"] == "stopped" and name in CURVES:
                value += self._gain(name, entry["epochs"])
            values.append(value)
        return None if any(value is None or value != value for value in values) else values

    def _gain(self, name: str, epochs: int) -> float:
        curve = "curve" if name == "accuracy" else "curve_nll"
        gains = [t[curve][-1] - t[curve][epochs - 1] for t in self.trials if t["state"] == "complete"]
        return statistics.median(gains) if gains else 0.0

    # ---- what was found ----

    def best(self) -> dict[str, Any] | None:
        """The best trial by the first objective, of those on the Pareto front; None before any is complete."""
        front = [self.trials[number] for number in self.front()]
        name, direction = self.plan.objectives[0]
        if not front:
            return None
        return (max if direction == "maximize" else min)(front, key=lambda trial: trial["scores"][name])

    def front(self) -> list[int]:
        """Numbers of the trials no other trial beats in every objective; one of them when there is one objective."""
        names = [(name, -1.0 if direction == "maximize" else 1.0) for name, direction in self.plan.objectives]
        points = [
            (trial["number"], [sign * trial["scores"][name] for name, sign in names])
            for trial in self.trials
            if trial["state"] == "complete" and all(name in trial["scores"] for name, _ in names)
        ]
        if len(names) == 1:
            return [min(points, key=lambda p: p[1])[0]] if points else []
        return [n for n, p in points if not any(_dominates(q, p) for _, q in points)]


def _dominates(a: list[float], b: list[float]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b
