"""Runs a search on one machine: propose, train to the next rung, record, promote, until budget or time is used up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from archdsl import ir
from archdsl.network import Architecture, digest
from archdsl.study.deaths import Deaths
from archdsl.study.history import History
from archdsl.study.parameters import member
from archdsl.study.plan import Plan
from archdsl.study.pool import Pool
from archdsl.study.proposer import Proposer
from archdsl.study.record import key_of, member_of, record
from archdsl.study.rungs import Rungs
from archdsl.study.store import RunFolder, settle
from archdsl.study.timing import Timing
from archdsl.study.trial import search_task
from archdsl.study.turned_away import TurnedAway, summary
from archdsl.study.watch import Watch, layout_text


@dataclass(frozen=True)
class Running:
    """A network in training.

    Attributes:
        trial: Optuna's; number: of the record; before: its record so far, of a promoted network.
        doomed: why it is not trained but recorded as failed.
    """

    trial: optuna.trial.Trial
    architecture: Architecture
    number: int
    before: dict[str, Any] | None = None
    doomed: str | None = None


class Runner:
    """One search on one machine: this process proposes and records, the pool trains.

    Args:
        spec: the space, fitted to the data.
        plan: what the run is about.
        folder: its files.
        pool: trains the candidates.
        budget: how many different networks to train.
        watch: who is told.
        deadline: `time.monotonic()` after which no further training starts, None for never.
        timing: turns away what breaks a bound on latency, and gives trained networks theirs.
        caches: folders of trainings that are not done again.
    """

    def __init__(
        self, spec: ir.Spec, plan: Plan, folder: RunFolder, pool: Pool, *, budget: int, watch: Watch,
        deadline: float | None = None, timing: Timing | None = None, caches: tuple[Path, ...] = (),
    ) -> None:  # fmt: skip
        self.spec, self.plan, self.folder, self.pool = spec, plan, folder, pool
        self.budget, self.watch, self.deadline = budget, watch, deadline
        self.study = folder.study()
        self.history = History(plan.objectives)
        for entry in folder.records(self.study):
            self.history.take_in(entry)
        self.rungs = Rungs(plan.objectives, plan.halving)
        admits = None if timing is None else timing.admits
        self.proposer = Proposer(
            spec, plan.sampler, plan.seed, self.study, self.history, budget, admits, plan.warm_start
        )
        self.timing, self.caches = timing, caches
        self.turned_away = TurnedAway(watch.say, len(self.history.turned_away))
        self.deaths = Deaths(folder.path / "deaths.json")
        for values in folder.orphans if pool.here else ():
            if (architecture := member(spec, values)) is not None:
                self.deaths.add(key_of(architecture), self._checkpoint(architecture))

    def run(self) -> None:
        """Train until the budget, the time or the space is used up; always as many at a time as the pool is large.

        Results are taken in the order in which the trainings were handed in, so what a decision knows depends on the
        seed and the number of workers alone, not on which training happened to be quicker.
        """
        self.watch.begin(len(self.history.by_number), self.budget)
        running: list[Running] = []
        try:
            while True:
                while len(running) < self.pool.size and (job := self._next(running)) is not None:
                    self._submit(job)
                    running.append(job)
                if not running:
                    break
                doomed = running[0].doomed
                self._record(running[0], self.pool.take() if doomed is None else {"died": doomed})
                running.pop(0)
        except BaseException:
            # Ctrl-C, a full disk or a defect: these trials are not recorded, and come again when the search is resumed.
            for job in running:
                settle(self.study, job.trial.number)
            raise
        if len(self.history.by_number) < self.budget:
            why = "the time is used up" if self.late() else self.proposer.ended
            self.watch.say(f"{why}: {len(self.history.by_number)} of {self.budget} trained")
        if turned_away := len(self.history.turned_away):
            self.watch.say(summary(self.study, turned_away))
        if not self.late():  # where the space has no further network, no larger budget will promote one
            self.folder.remove_checkpoints(() if self.proposer.ended else self.history.trials)

    def late(self) -> bool:
        """Whether the time is used up."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def _next(self, running: list[Running]) -> Running | None:
        """What to train next: a promoted network if there is one, else a new one while the budget lasts."""
        if self.late():
            return None
        promoted = self.rungs.promotable(self.history.by_number.values(), {job.number for job in running})
        if promoted is not None:
            architecture = member_of(promoted, self.spec)
            trial = self.proposer.again(architecture)
            return Running(trial, architecture, promoted["number"], promoted, self._doom(architecture))
        started = len(self.history.by_number) + sum(job.before is None for job in running)
        if started >= self.budget:
            return None
        busy = {key_of(job.architecture) for job in running}
        proposal = self.proposer.propose(busy, self.late, self._turned_away)
        return None if proposal is None else Running(*proposal, started, doomed=self._doom(proposal[1]))

    def _turned_away(self, reason: str) -> None:
        self.turned_away.tell(len(self.history.turned_away), reason)

    def _doom(self, architecture: Architecture) -> str | None:
        return self.deaths.reason(key_of(architecture))

    def _checkpoint(self, architecture: Architecture) -> Path:
        return self.folder.checkpoint(digest(key_of(architecture))[:20])

    def _submit(self, job: Running) -> None:
        architecture = job.architecture
        if job.before is None:
            self.watch.candidate(job.number, layout_text(architecture.layout), architecture.params)
        if job.doomed is not None:
            return
        place = self._checkpoint(architecture)
        self.pool.submit(search_task(self.plan, architecture, job.number, place, job.before, self.caches))

    def _record(self, job: Running, outcome: dict[str, Any]) -> None:
        self.folder.log_defect(outcome.pop("traceback", None), job.number)
        if self.timing is not None and "scores" in outcome:
            outcome["scores"] |= self.timing.scores(job.architecture)
        entry = record(job.number, job.architecture, outcome, job.before)
        entry |= {"optuna": job.trial.number}
        entry["values"] = self.history.values(entry)
        self.proposer.close(job.trial, entry, entry["values"])
        if "anew" in outcome:
            self.watch.say(f"{outcome['anew']}: network {job.number} was trained from the beginning")
        self.watch.result(entry, self.history.best())
