"""`search`: a space and a data set in, the best member out, with everything measured on the way in a run folder."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna

from archdsl import ir, space
from archdsl.architecture import digest
from archdsl.conditions import open_measures
from archdsl.device import one_thread, pick_device
from archdsl.errors import DiskFullError, RunError, SpecError, UsageError
from archdsl.experiment import DEFAULT_DATA, set_up
from archdsl.files import is_full
from archdsl.latency import Latencies
from archdsl.sources import read_spec
from archdsl.study.admission import make_screen
from archdsl.study.begun import begun
from archdsl.study.candidate import evaluate
from archdsl.study.distributed import Place, Shared, join
from archdsl.study.finals import Finals
from archdsl.study.plan import Plan, objectives_of, plan_search
from archdsl.study.pool import Pool, default_workers
from archdsl.study.proposer import Admits, both
from archdsl.study.runner import Runner
from archdsl.study.samplers import AUTO, SAMPLERS, Setting, recommend
from archdsl.study.screens import SCREENS
from archdsl.study.store import RECORD, RunFolder
from archdsl.study.timing import Timing
from archdsl.study.warm_start import first_networks
from archdsl.study.watch import Watch
from archdsl.study.writing import device_text, write_results

DEFAULT_SPACE = "placement"
SEEDS = 3

__all__ = ["Watch", "join", "search"]


def search(
    text_or_path: str | Path = DEFAULT_SPACE, *, budget: int = 50, data: str | None = None,
    data_root: Path | None = None, download: bool = False, objectives: Sequence[str] = (), sampler: str = AUTO,
    epochs: int | None = None, seed: int = 0, halving: bool = True, final_seeds: int = SEEDS,
    workers: int | None = 1, device: str = "auto", run: Path | None = None, timeout: float | None = None,
    trial_timeout: float | None = None, storage: str | None = None, study: str | None = None,
    screen: str | None = None, warm_start: Sequence[Path] = (), cache: Path | None = None, watch: Watch | None = None,
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
        epochs: of each training, in place of the recipe's.
        seed: of everything.
        halving: stop networks early whose accuracy curve is below the others'.
        final_seeds: how often the leaders and the baselines are trained again at the end.
        workers: processes that train, each with one thread; None for one per core (at most 8; one on a GPU), as the
            command line does. Results depend on it: a proposal knows of all candidates but those still in training. In
            a script, more than one needs `if __name__ == "__main__":` around the call, since each worker imports it.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        run: the run's folder; by default one under `runs/` named after the spec and the study's identity.
        timeout: seconds after which no further training starts.
        trial_timeout: seconds after which one training is given up, as failed.
        storage: a PostgreSQL (`postgresql+psycopg://…`) in which other machines can join; by default a journal in the
            run's folder. Results then depend on which worker was quicker.
        study: its name there; by default that of the run's folder.
        screen: trains only members that score as well as the better half of the space before any training (`supernet`,
            `synflow`, …); `docs/screens.md` says which are worth it. Baselines are trained all the same.
        warm_start: folders of other searches, whose best networks are trained first (up to ten of each), after the
            baselines: those that are members of this space by the names of their decisions, whatever data and recipe
            they were found with.
        cache: a folder that several searches share: a training found there (same network, recipe, data, seed, versions,
            kind of device, threads) is taken from there, and new ones are kept there. The results are the same.
        watch: is told what happens.
        command: how to call this search in the report.

    Returns:
        What `results.json` holds, and under `run` the folder.

    Raises:
        ArchdslError: spec, data, options or run folder are wrong, or the search was interrupted.
    """
    watch = watch or Watch()
    started, began = time.time(), time.monotonic()  # a date for the reader, and what durations are taken from
    _check_numbers(budget, workers, final_seeds, {"--timeout": timeout, "--trial-timeout": trial_timeout})
    source = read_spec(text_or_path)
    chosen_device = pick_device(device)
    wanted = objectives_of(source.spec(), tuple(objectives))
    spec, dataset, recipe = set_up(source, data, data_root, download, epochs)
    space.check(spec, source.text, source.path)
    name, reason = recommend(spec, budget) if sampler == AUTO else (sampler, "")
    if screen is not None:
        _ = SCREENS[screen]
    plan = plan_search(
        spec, source.text, dataset, recipe=recipe, objectives=wanted, sampler=name, seed=seed, halving=halving,
        finalist_seeds=final_seeds, workers=workers or default_workers(chosen_device), screen=screen,
        warm_start_from=tuple(map(str, warm_start)),
    )  # fmt: skip
    path = run or default_folder(plan, sampler)
    before = begun(path, storage, study)
    if before is not None:
        plan = plan.settled(before, auto=sampler == AUTO)
        reason = reason if plan.sampler == name else "which it was begun with"
    elif warm_start:
        plan = plan.model_copy(update={"warm_start": first_networks(warm_start, spec, wanted, seed)})
    # Made once before anything is written: a sampler may refuse a space it knows nothing to do with.
    with _quiet():
        SAMPLERS[plan.sampler](Setting(seed, spec, tuple(direction for _, direction in wanted), budget))
    extent = space.extent(spec)
    if extent.feasible == 0 or (extent.feasible is None and not extent.feasible_estimate):
        raise SpecError([_no_member(spec)], source.text, source.path)
    folder = RunFolder(path, plan)
    with folder.lock(), _quiet(), one_thread(chosen_device):
        watch.opened(folder.path, plan.model_dump(mode="json"))
        networks = "" if extent.networks is None else f", {extent.networks:,} networks"
        watch.say(
            f"{extent.size:,} fillings{networks}; sampler {plan.sampler}{reason and f' ({reason})'}; {dataset.name}; "
            f"{device_text(chosen_device, plan.workers)}; {folder.path}"
        )
        timing = Timing(spec, wanted, Latencies(chosen_device, folder.path / "latency.json"))
        if timing.needed:
            watch.say(_timing_text(spec, timing))
        timing.prepare()
        deadline = None if timeout is None else time.monotonic() + timeout
        source_of_data = (data or spec.data or DEFAULT_DATA, data_root)
        pool = Pool(evaluate, plan.workers, dataset, source_of_data, chosen_device, watch.step, trial_timeout)
        caches = (folder.path / "cache", *(() if cache is None else (cache,)))
        admits: Admits = timing.admits
        admission = None
        if screen is not None:
            admission = make_screen(screen, spec, dataset, recipe, seed, chosen_device, folder.path, watch)
            admits = both(timing.admits, admission.reason)
        runner: Runner | Shared
        if storage is None:
            runner = Runner(
                spec, plan, folder, pool, budget=budget, watch=watch, deadline=deadline, admits=admits,
                timing=timing, caches=caches,
            )  # fmt: skip
        else:
            name = study or folder.path.name
            checkpoints = folder.path / "checkpoints"
            place = Place(storage, name, *source_of_data, device, checkpoints, timeout, trial_timeout, caches)
            runner = Shared(spec, plan, folder, pool, place, budget=budget, watch=watch, timing=timing)
            watch.say(f"other machines join with: archdsl worker --storage … --study {name}")
        facts = {
            "extent": extent, "started": started, "began": began, "budget": budget,
            "command": command or "archdsl.search(…)",
        }  # fmt: skip
        finalists: list[dict[str, Any]] = []
        try:
            if admission is not None:
                admission.prepare()
            runner.run()
            finalists = Finals(runner).run() if final_seeds and runner.best() else []
        except KeyboardInterrupt as interrupt:
            if isinstance(interrupt.__context__, KeyboardInterrupt):  # the second: no waiting for the report
                raise
            write_results(runner, folder, facts, finalists, finished=False)
            raise RunError(
                f"stopped after {len(runner.trials)} of {budget} networks; all of them are kept",
                "the same command goes on from here",
            ) from None
        except OSError as error:
            if not is_full(error):
                raise
            raise DiskFullError(
                f"the disk is full: {len(runner.trials)} of {budget} networks are trained, all of them are kept",
                "free some space; the same command goes on from here",
            ) from None
        finally:
            pool.close()
            watch.end()
        results = write_results(runner, folder, facts, finalists, finished=True)
    if not results["trials"] and runner.history.turned_away:
        raise RunError(*_turned_away(runner))
    if results["best"] is None:
        reasons = sorted({trial["reason"] for trial in results["trials"] if trial["reason"]})
        raise RunError(
            f"none of the {len(results['trials'])} networks could be trained: {'; '.join(reasons[:3])}",
            f"'{folder.path}' holds them all; change train(…) in the file, for example to a lower lr",
        )
    return results | {"run": str(folder.path)}


def _check_numbers(budget: int, workers: int | None, final_seeds: int, limits: Mapping[str, float | None]) -> None:
    """Raises UsageError for numbers that mean nothing; `limits` are seconds, by flag."""
    if budget < 1:
        raise UsageError(f"a budget of {budget} trains nothing", "give --budget 1 or more")
    for flag, seconds in limits.items():
        if seconds is not None and seconds <= 0:
            raise UsageError(f"{flag} is a number of seconds above 0")
    if workers is not None and workers < 1:
        raise UsageError("--workers is 1 or more")
    if final_seeds < 0:
        raise UsageError("--final-seeds is 0 or more")


def default_folder(plan: Plan, sampler: str) -> Path:
    """The folder of a study under `runs/`: the same for the same study, whatever the budget.

    Args:
        plan: of the study, before what was begun has settled anything.
        sampler: as the user named it; `auto` chooses by the budget.
    """
    unsaid = {name for name in ("screen", "warm_start_from") if not getattr(plan, name)}
    said = plan.model_dump(mode="json", exclude={"versions", "warm_start"} | unsaid)
    identity = digest(said | {"sampler": sampler})
    data = plan.data.partition(":")[0]
    return Path("runs") / f"{plan.spec_name}-{data}-{identity[:8]}"


def _no_member(spec: ir.Spec) -> Any:
    from archdsl.errors import Diagnostic

    place = spec.require[0].at if spec.require else None
    return Diagnostic(
        f"no feasible member among {space.DRAWS:,} drawn from this space",
        place,
        "loosen 'require', or shrink the space",
    )


def _timing_text(spec: ir.Spec, timing: Timing) -> str:
    excluded = open_measures(spec.require)
    not_counted = f", not counting what {', '.join(excluded)} excludes" if excluded else ""
    return f"latency_ms is measured on {timing.latencies.settings}{not_counted}"


def _turned_away(runner: Runner | Shared) -> tuple[str, str]:
    """What to say where no member was fit to be trained."""
    reasons = [
        trial.user_attrs[RECORD]["reason"]
        for trial in runner.study.get_trials(deepcopy=False)
        if "reason" in trial.user_attrs.get(RECORD, {})
    ]
    return (
        f"none of the {len(runner.history.turned_away):,} networks that were proposed is fit to be trained, "
        f"the first for this: {reasons[0]}",
        "loosen 'require' in the file, or shrink the networks of the space",
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's own messages stay out of the way; they repeat what the watch shows."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(level)
