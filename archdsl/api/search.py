"""Searches a space: the verb `archdsl.search`, which runs the study and draws its page."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archdsl import ir, report, space
from archdsl.base.device import one_thread, pick_device
from archdsl.base.errors import Diagnostic, DiskFullError, SpecError, UsageError
from archdsl.base.files import is_full
from archdsl.base.passwords import masked
from archdsl.data import DEFAULT_DATA
from archdsl.language.sources import Source, read_spec
from archdsl.network import digest
from archdsl.study.cache import Cache
from archdsl.study.claims import Ledger
from archdsl.study.database import open_engine
from archdsl.study.numbers import SEEDS_OF_NUMPY, check_numbers
from archdsl.study.plan import Plan, objectives_of, plan_search
from archdsl.study.pool import default_workers
from archdsl.study.quiet import quiet
from archdsl.study.samplers import AUTO, SAMPLERS, Setting, recommend
from archdsl.study.session import Session
from archdsl.study.store import PLAN, RunFolder
from archdsl.study.warm_start import first_networks
from archdsl.study.watch import Watch
from archdsl.study.writing import Call
from archdsl.training.experiment import set_up

DEFAULT_SPACE = "placement"
SEEDS = 3

log = logging.getLogger(__name__)


def search(
    text_or_path: str | Path = DEFAULT_SPACE, *, budget: int = 50, data: str | None = None,
    data_root: Path | None = None, download: bool = False, objectives: Sequence[str] = (), sampler: str = AUTO,
    epochs: int | None = None, seed: int = 0, halving: bool = True, final_seeds: int = SEEDS,
    workers: int | None = 1, device: str = "auto", run: Path | None = None, timeout: float | None = None,
    trial_timeout: float | None = None, storage: str | None = None, study: str | None = None,
    warm_start: Sequence[Path] = (), cache: Path | None = None, watch: Watch | None = None,
    command: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Search a space for the member that scores best.

    Running it again with the same arguments goes on where it stopped, or gives the same results at once.

    Args:
        text_or_path: the space: a `.arch` text, a path, or a shipped name.
        budget: how many different networks to train; the whole space if it is smaller.
        data: data set; by default what the file names, else the embedded one.
        data_root, download: where torchvision's data sets lie, and whether to fetch them.
        objectives: scores to optimise (`accuracy`, `minimize:nll`); several make a Pareto search. By default the
            file's, else accuracy.
        sampler: `bayes`, `tpe`, `gp`, `evolution`, `nsga2`, `buildup`, `random`, `exhaustive`, another that is
            installed, or `auto`.
        epochs: of each training, in place of the file's, and of a hole that stands there.
        seed: of everything.
        halving: stop networks early whose accuracy curve is below the others'.
        final_seeds: how often the leaders and the baselines are trained again at the end.
        workers: processes that train, each with one thread; None for one per core (at most 8; one on a GPU), as the
            command line does. Results depend on it: a proposal knows of all candidates but those still in training. In
            a script, more than one needs `if __name__ == "__main__":` around the call, since each worker imports it.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        run: the run's folder; by default one under `runs/` named after the spec and the study's identity.
        timeout: seconds after which no further training starts, of the finals either.
        trial_timeout: seconds after which one training is given up, as failed.
        storage: a PostgreSQL (`postgresql+psycopg://…`) in which other machines can join; by default a journal in the
            run's folder. Results then depend on which worker was quicker.
        study: its name there; by default that of the run's folder.
        warm_start: folders of other searches, whose best networks are trained first (up to ten of each), after the
            baselines: those that are members of this space by the names of their decisions, whatever data and recipe
            they were found with.
        cache: a folder that several searches share: a training found there (same network, recipe, data, seed, versions,
            kind of device, threads) is taken from there, and new ones are kept there. The results are the same.
        watch: is told what happens.
        command: how to call this search in the report; passwords of URLs in it are masked.

    Returns:
        What `results.json` holds, and under `run` the folder.

    Raises:
        ArchdslError: spec, data, options or run folder are wrong, or the search was interrupted.
    """
    watch = watch or Watch()
    started, began = time.time(), time.monotonic()  # a date for the reader, and what durations are taken from
    check_numbers(
        budget=budget, workers=workers, final_seeds=final_seeds, seed=seed, timeout=timeout, trial_timeout=trial_timeout
    )
    if study is not None and storage is None:
        raise UsageError("--study names a study in a storage", "give --storage as well, or leave --study out")
    source = read_spec(text_or_path)
    chosen_device = pick_device(device)
    wanted = objectives_of(source.spec(), tuple(objectives))
    spec, dataset, recipe = set_up(source, data, data_root, download, epochs)
    space.check(spec, source.text, source.path)
    name, reason = recommend(spec, budget) if sampler == AUTO else (sampler, "")
    plan = plan_search(
        spec, source.text, dataset, epochs=epochs, recipe=recipe, objectives=wanted, sampler=name, seed=seed,
        halving=halving, finalist_seeds=final_seeds, workers=workers or default_workers(chosen_device),
        warm_start_from=tuple(map(str, warm_start)),
    )  # fmt: skip
    path = run or default_folder(plan, sampler)
    plan = _settled(plan, _begun_with(path, storage, study), spec, auto=sampler == AUTO)
    reason = reason if plan.sampler == name else "which it was begun with"
    _try_sampler(plan, spec, budget)
    call = Call(_extent(spec, source), budget, masked(command or "archdsl.search(…)"), started, began)
    if cache is not None:
        Cache.check(cache)
    folder = RunFolder(path, plan, None if storage is None else study or path.name)
    with folder.lock(), quiet(), one_thread(chosen_device):
        session = Session(
            spec=spec, data=dataset, source=(data or spec.data or DEFAULT_DATA, data_root), plan=plan, folder=folder,
            call=call, device=chosen_device, device_name=device, timeout=timeout, trial_timeout=trial_timeout,
            storage=storage, study=study, cache=cache, watch=watch, draw=_draw,
        )  # fmt: skip
        results = session.run(reason)
    return results | {"run": str(folder.path)}


def _draw(run: Path) -> None:
    """Draw the page of a run; its results are safe on disk, and a page that cannot be drawn must not lose them.

    Raises:
        DiskFullError: there is no room for it.
    """
    try:
        report.write(run)
    except Exception as error:
        if is_full(error):
            raise DiskFullError(
                f"the disk is full: the report in '{run}' is not written, the results are",
                "free some space; the same command writes it",
            ) from None
        log.exception("the report could not be drawn; 'archdsl report %s' tries again", run)


def default_folder(plan: Plan, sampler: str) -> Path:
    """The folder of a study under `runs/`: the same for the same study, whatever the budget.

    Args:
        plan: of the study, before what was begun has settled anything.
        sampler: as the user named it; `auto` chooses by the budget.
    """
    unsaid = {name for name in ("epochs", "warm_start_from") if not getattr(plan, name)}
    said = plan.model_dump(mode="json", exclude={"versions", "warm_start"} | unsaid)
    identity = digest(said | {"sampler": sampler})
    data = plan.data.partition(":")[0]
    return Path("runs") / f"{plan.spec_name}-{data}-{identity[:8]}"


def _begun_with(folder: Path, storage: str | None, study: str | None) -> Plan | None:
    """The plan a study was begun with; None where it is new, or unreadable, which is told where it is opened.

    Raises:
        StudyError: the storage cannot be used.
    """
    try:
        if storage is not None and (found := Ledger(open_engine(storage), study or folder.name).plan()) is not None:
            return Plan.model_validate_json(found[0])
        return Plan.model_validate_json((folder / PLAN).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def _settled(plan: Plan, before: Plan | None, spec: ir.Spec, *, auto: bool) -> Plan:
    """The plan with what is settled where the study was begun, or else with the networks it is to begin with."""
    if before is not None:
        return plan.settled(before, auto=auto)
    if not plan.warm_start_from:
        return plan
    runs = [Path(run) for run in plan.warm_start_from]
    return plan.model_copy(update={"warm_start": first_networks(runs, spec, plan.objectives, plan.seed)})


def _try_sampler(plan: Plan, spec: ir.Spec, budget: int) -> None:
    """Make the sampler once, before anything is written: it may refuse a space it knows nothing to do with."""
    with quiet():
        directions = tuple(direction for _, direction in plan.objectives)
        SAMPLERS[plan.sampler](Setting(plan.seed % SEEDS_OF_NUMPY, spec, directions, budget))


def _extent(spec: ir.Spec, source: Source) -> space.Extent:
    """How large the space is.

    Raises:
        SpecError: it has no feasible member.
    """
    extent = space.extent(spec)
    if extent.feasible == 0 or (extent.feasible is None and not extent.feasible_estimate):
        mistake = Diagnostic(
            f"no feasible member among {space.DRAWS:,} drawn from this space",
            spec.require[0].at if spec.require else None,
            "loosen 'require', or shrink the space",
        )
        raise SpecError([mistake], source.text, source.path)
    return extent
