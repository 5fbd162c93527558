"""Works for a shared search: takes a network that nobody has, trains it, writes it down."""

from __future__ import annotations

import logging
import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from archdsl import ir
from archdsl.network import Architecture, digest
from archdsl.study.claims import Claim, Ledger
from archdsl.study.database import patiently
from archdsl.study.deaths import MACHINE, given_up
from archdsl.study.history import History
from archdsl.study.parameters import member
from archdsl.study.plan import Plan
from archdsl.study.pool import Pool
from archdsl.study.proposer import Proposer
from archdsl.study.quiet import quiet
from archdsl.study.record import RECORD, key_of, member_of, record, records
from archdsl.study.rungs import Rungs
from archdsl.study.store import settle
from archdsl.study.timing import Timing
from archdsl.study.trial import search_task

_log = logging.getLogger(__name__)

PAUSE = 2.0  # seconds before looking again for work while others still train


class NotTrainedError(Exception):
    """Ends a trial of Optuna's that trained nothing, or whose training failed; its record says why."""


@dataclass(frozen=True)
class Job:
    """What a worker has decided to do next.

    Attributes:
        architecture: the network; None lets the sampler propose one.
        lost: a claim to take over.
        before: the record of a network to promote.
    """

    architecture: Architecture | None = None
    lost: Claim | None = None
    before: dict[str, Any] | None = None


class Worker:
    """The loop of one worker.

    Args:
        spec: the space, fitted to the data.
        plan: the study's.
        budget: how many networks it trains in all, by all workers.
        study: Optuna's, in the database; ledger: the claims beside it.
        pool: one place to train, with the data.
        checkpoints: folder for the states of networks; shared between machines, promoted networks go on anywhere.
        name: of the worker, in its records.
        deadline: `time.monotonic()` after which nothing more is begun.
        timing: turns away what breaks a bound on latency, and gives trained networks theirs.
        caches: folders of trainings that are not done again.
    """

    def __init__(
        self, spec: ir.Spec, plan: Plan, budget: int, study: optuna.Study, ledger: Ledger, pool: Pool,
        checkpoints: Path, *, name: str | None = None, deadline: float | None = None, timing: Timing | None = None,
        caches: tuple[Path, ...] = (),
    ) -> None:  # fmt: skip
        self.spec, self.plan, self.study, self.ledger, self.pool = spec, plan, study, ledger, pool
        self.checkpoints, self.deadline, self.timing, self.caches = checkpoints, deadline, timing, caches
        self.name = name or worker_name(os.getpid())
        self.rungs = Rungs(plan.objectives, plan.halving)
        self.budget = budget
        # Workers that know the same must not all propose the same.
        self.proposer = Proposer(
            spec, plan.sampler, plan.seed + random.Random(self.name).randrange(10**6), study,
            History(plan.objectives), budget, None if timing is None else timing.admits, plan.warm_start,
        )  # fmt: skip
        self._claims: list[Claim] = []
        self._mine: Claim | None = None

    def run(self, on_record: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Work until the budget is spent and nothing is left to promote, or the time is up.

        Ctrl-C gives back what is in training. A lost connection is waited for.
        """
        try:
            while self.deadline is None or time.monotonic() < self.deadline:
                job = patiently(self._look)
                if job == "wait":
                    time.sleep(PAUSE)
                elif job == "done":
                    return
                elif isinstance(job, Job):
                    self._do(job, on_record)
        except BaseException:
            if self._mine is not None:
                claim = self._mine
                patiently(lambda: self.ledger.give_back(claim), patience=5)
                self.study.tell(claim.trial, state=TrialState.FAIL, skip_if_finished=True)
            raise

    def _look(self) -> Job | str:
        """Read what all have done, and decide: take over, promote, propose, wait or end."""
        optuna.storages.fail_stale_trials(self.study)
        trials = self.study.get_trials(deepcopy=False)
        history = recorded(trials, self.plan)
        self.proposer.history = history
        self._claims = self.ledger.claims()
        running = []
        for claim in self._claims:
            if (claim.number, claim.rung) in history.done:
                continue
            state = trials[claim.trial].state
            if state == TrialState.FAIL:
                architecture = member(self.spec, trials[claim.trial].params)
                if architecture is not None:
                    return Job(architecture, lost=claim, before=history.by_number.get(claim.number))
            elif not state.is_finished():
                running.append(claim)
        busy = {claim.number for claim in running}
        promoted = self.rungs.promotable(history.by_number.values(), busy)
        if promoted is not None:
            return Job(member_of(promoted, self.spec), before=promoted)
        if sum(claim.rung == 0 for claim in self._claims) < self.budget and self.proposer.aim(self._busy()):
            return Job()
        return "wait" if running else "done"

    def _busy(self) -> set[str]:
        """Keys of all networks that somebody has or had."""
        return {claim.key for claim in self._claims} - set(self.proposer.history.seen)

    def _do(self, job: Job, on_record: Callable[[dict[str, Any]], None] | None) -> None:
        """One trial of Optuna's; it runs inside `optimize`, whose heartbeat says that this worker is alive."""
        told: list[dict[str, Any]] = []
        number: list[int] = []

        def objective(trial: optuna.Trial) -> list[float]:
            number.append(trial.number)
            entry = self._trial(trial, job)
            if entry is None:
                raise NotTrainedError
            patiently(lambda: trial.set_user_attr(RECORD, entry))
            self._mine = None
            told.append(entry)
            if entry.get("values") is None:
                raise NotTrainedError
            values: list[float] = entry["values"]
            return values

        def once() -> None:
            if not number:
                if job.architecture is not None:
                    self.proposer.aim_at(job.architecture)
                self._optimize(objective, number)
            elif told:  # the connection was lost between the record and the end of the trial
                settle(self.study, number[0])

        patiently(once)
        if told and on_record is not None and told[0]["kind"] in ("trained", "continued"):
            on_record(told[0])

    def _optimize(self, objective: Callable[[optuna.Trial], list[float]], number: list[int]) -> None:
        try:
            with quiet(optuna.logging.CRITICAL):  # that trials end without being trained is told by their records
                self.study.optimize(objective, n_trials=1, catch=(NotTrainedError,))
        except (ValueError, UpdateFinishedTrialError):
            if not number or not self.study.trials[number[0]].state.is_finished():
                raise
            # Cut off for so long that others gave this worker up and took its network over: theirs counts.
            _log.warning("trial %d was taken over by another worker", number[0])
            self._mine = None

    def _trial(self, trial: optuna.Trial, job: Job) -> dict[str, Any] | None:
        """The record of a trial; None when there is none, since somebody else has the network."""
        found = self.proposer.judge(
            self.proposer.decide(trial), set() if job.architecture is not None else self._busy()
        )
        if job.architecture is None:
            if not isinstance(found, Architecture):
                return found
            architecture = found
        else:
            architecture = job.architecture
        claim = self._claim(trial, job, key_of(architecture))
        if claim is None:
            return None
        self._mine = claim
        if (reason := given_up(MACHINE, claim.tries - 1)) is not None:
            outcome: dict[str, Any] = {"died": reason}
        else:
            place = self.checkpoints / f"{digest(claim.key)[:20]}.safetensors"
            self.pool.submit(search_task(self.plan, architecture, claim.number, place, job.before, self.caches))
            outcome = self.pool.take()
            if self.timing is not None and "scores" in outcome:
                outcome["scores"] |= self.timing.scores(architecture)
        outcome.pop("traceback", None)
        entry = record(claim.number, architecture, outcome, job.before)
        entry |= {"rung": claim.rung, "worker": self.name, "optuna": trial.number}
        entry["values"] = self.proposer.history.values(entry)
        return entry

    def _claim(self, trial: optuna.Trial, job: Job, key: str) -> Claim | None:
        if job.lost is not None:
            lost = job.lost
            if not patiently(lambda: self.ledger.reclaim(lost, trial.number, self.name)):
                return None
            return Claim(lost.number, lost.rung, key, trial.number, lost.tries + 1, self.name)
        if job.before is not None:
            number, rung = job.before["number"], job.before["rung"] + 1
            if not patiently(lambda: self.ledger.promote(number, rung, key, trial.number, self.name)):
                return None
            return Claim(number, rung, key, trial.number, 1, self.name)
        claimed = patiently(lambda: self.ledger.claim(key, trial.number, self.name))
        return None if claimed is None else Claim(claimed, 0, key, trial.number, 1, self.name)


def worker_name(process: int | None) -> str:
    """What a worker process of this machine is called in records."""
    return f"{socket.gethostname()}:{process}"


class Recorded(History):
    """A history that knows which claims are done, and why the last member was turned away that was."""

    def __init__(self, objectives: Any) -> None:
        super().__init__(objectives)
        self.done: set[tuple[int, int]] = set()
        self.last_reason = ""

    def take_in(self, entry: dict[str, Any]) -> None:
        """See `History`; a record of an earlier rung that comes late changes nothing."""
        if "rung" in entry:
            self.done.add((entry["number"], entry["rung"]))
            known = self.by_number.get(entry["number"])
            if known is not None and known["rung"] > entry["rung"]:
                return
        if entry["kind"] == "unfit":
            self.last_reason = entry.get("reason", self.last_reason)
        super().take_in(entry)


def recorded(trials: list[optuna.trial.FrozenTrial], plan: Plan) -> Recorded:
    """What all workers have written down."""
    history = Recorded(plan.objectives)
    for entry in records(trials):
        history.take_in(entry)
    return history
