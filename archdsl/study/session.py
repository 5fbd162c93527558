"""Carries a search out in its folder, from the first word to the last file."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archdsl import ir
from archdsl.base.errors import DiskFullError, RunError
from archdsl.base.files import is_full
from archdsl.base.interrupts import answered, as_interrupt, uninterrupted
from archdsl.data import Dataset
from archdsl.ir.conditions import open_measures
from archdsl.network.latency import Latencies
from archdsl.study.distributed import Place, Shared
from archdsl.study.finals import Finals
from archdsl.study.plan import Plan
from archdsl.study.pool import Pool
from archdsl.study.runner import Runner
from archdsl.study.store import RunFolder
from archdsl.study.timing import Timing
from archdsl.study.trial import run_trial
from archdsl.study.turned_away import reasons
from archdsl.study.watch import Watch
from archdsl.study.writing import Call, device_text, write_results


@dataclass(frozen=True)
class Session:
    """A search at work in its folder.

    Attributes:
        spec: the space, fitted to the data.
        data: what is trained on; source: its name and where it lies, for the workers.
        plan, folder: what the search is about, and where its files are.
        call: what this call is, for the report.
        device: that trains; device_name: as the user named it, for other machines.
        timeout, trial_timeout: seconds for all and for one training, None for no limit.
        storage, study: the database of a shared search, None for a search of this machine, and the name in it.
        cache: a further folder of trainings.
        watch: is told.
        draw: draws the page of the results that lie in a folder.
    """

    spec: ir.Spec
    data: Dataset
    source: tuple[str, Path | None]
    plan: Plan
    folder: RunFolder
    call: Call
    device: torch.device
    device_name: str
    timeout: float | None
    trial_timeout: float | None
    storage: str | None
    study: str | None
    cache: Path | None
    watch: Watch
    draw: Callable[[Path], object]

    def run(self, reason: str) -> dict[str, Any]:
        """Search until budget, time or space are used up, and write all files.

        Args:
            reason: why this sampler; "" where the user chose it.

        Returns:
            What `results.json` holds.

        Raises:
            ArchdslError: the search cannot be begun, was interrupted, or found nothing.
        """
        self._introduce(reason)
        timing = self._timing()
        with _told_when_full(lambda: f"the disk is full: the study in '{self.folder.path}' cannot be opened"):
            runner = self._runner(timing)
        with _told_when_full(lambda: f"the disk is full: {self._progress(runner)} are trained, all of them are kept"):
            results = self._carry_out(runner)
        _check_found(results, runner)
        return results

    def _introduce(self, reason: str) -> None:
        """Say what is searched, how and where."""
        self.watch.opened(self.folder.path, self.plan.model_dump(mode="json"))
        extent = self.call.extent
        networks = "" if extent.networks is None else f", {extent.networks:,} networks"
        self.watch.say(
            f"{extent.size:,} fillings{networks}; sampler {self.plan.sampler}{reason and f' ({reason})'}; "
            f"{self.data.name}; {device_text(self.device, self.plan.workers)}; {self.folder.path}"
        )

    def _timing(self) -> Timing:
        """What measures latency where the search asks for it; the baselines' is measured already."""
        timing = Timing(self.spec, self.plan.objectives, Latencies(self.device, self.folder.path / "latency.json"))
        if timing.needed:
            excluded = open_measures(self.spec.require)
            not_counted = f"; the counts above heed no requirement on {', '.join(excluded)}" if excluded else ""
            self.watch.say(f"latency_ms is measured on {timing.latencies.settings}{not_counted}")
        timing.prepare()
        return timing

    def _runner(self, timing: Timing) -> Runner | Shared:
        """What will search."""
        plan, folder, watch, budget = self.plan, self.folder, self.watch, self.call.budget
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        pool = Pool(run_trial, plan.workers, self.data, self.source, self.device, watch.step, self.trial_timeout)
        caches = (folder.path / "cache", *(() if self.cache is None else (self.cache,)))
        if self.storage is None:
            return Runner(
                self.spec, plan, folder, pool, budget=budget, watch=watch, deadline=deadline, timing=timing,
                caches=caches,
            )  # fmt: skip
        name = self.study or folder.path.name
        place = Place(
            self.storage, name, *self.source, self.device_name, folder.path / "checkpoints", self.timeout,
            self.trial_timeout, caches,
        )  # fmt: skip
        shared = Shared(self.spec, plan, folder, pool, place, budget=budget, watch=watch, timing=timing)
        watch.say(f"other machines join with: archdsl worker --storage … --study {name}")
        return shared

    def _carry_out(self, runner: Runner | Shared) -> dict[str, Any]:
        """Search, train the finalists, and write the files; those of an interrupted search, too."""
        finalists: list[dict[str, Any]] = []
        left_out = 0
        try:
            with uninterrupted(), as_interrupt():
                runner.run()
                if self.plan.finalist_seeds and runner.history.best():
                    finals = Finals(runner)
                    finalists, left_out = finals.run(), finals.left_out
        except KeyboardInterrupt:
            if answered() > 1:  # no waiting for the report
                raise
            write_results(runner, self.folder, self.call, finalists, self.draw, finished=False)
            raise RunError(
                f"stopped after {self._progress(runner)}; all of them are kept", "the same command goes on from here"
            ) from None
        finally:
            runner.pool.close()
            self.watch.end()
        return write_results(runner, self.folder, self.call, finalists, self.draw, finished=True, left_out=left_out)

    def _progress(self, runner: Runner | Shared) -> str:
        return f"{len(runner.history.trials)} of {self.call.budget} networks"


@contextlib.contextmanager
def _told_when_full(text: Callable[[], str]) -> Iterator[None]:
    """Raises DiskFullError with this text where the disk turns out to be full, such as in Optuna's journal."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise DiskFullError(text(), "free some space; the same command goes on from here") from None


def _check_found(results: dict[str, Any], runner: Runner | Shared) -> None:
    """Raises RunError where no network was trained to an end."""
    if not results["trials"] and runner.history.turned_away:
        raise RunError(*_turned_away(runner))
    if not results["trials"] and runner.late():
        raise RunError("the time was used up before a network was trained", "give more of it with --timeout")
    if results["best"] is None:
        failed = sorted({trial["reason"] for trial in results["trials"] if trial["reason"]})
        raise RunError(
            f"none of the {len(results['trials'])} networks could be trained: {'; '.join(failed[:3])}",
            f"'{runner.folder.path}' holds them all; change train(…) in the file, for example to a lower lr",
        )


def _turned_away(runner: Runner | Shared) -> tuple[str, str]:
    """What to say where no member was fit to be trained."""
    return (
        f"none of the {len(runner.history.turned_away):,} networks that were proposed is fit to be trained, "
        f"the first for this: {reasons(runner.study)[0]}",
        "loosen 'require' in the file, or shrink the networks of the space",
    )
