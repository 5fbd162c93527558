"""A run's folder at any moment to the document that `results.json` will hold: what a search has found so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from pydantic import ValidationError

from archdsl import ir, report, space
from archdsl.base.errors import StudyError
from archdsl.blocks.composites.definition import attends
from archdsl.language import parse
from archdsl.study.history import History
from archdsl.study.plan import Plan
from archdsl.study.records import records
from archdsl.study.results import FILE, JOURNAL, is_outdated
from archdsl.study.store import OWN, PLAN, SHARED
from archdsl.training.experiment import with_epochs


def snapshot(run: Path) -> dict[str, Any]:
    """The results of a search, finished or not. Nothing is written, and a search at work is not disturbed.

    Args:
        run: the run's folder.

    Returns:
        `results.json` where that is the newest; else what the journal says, without what only the end tells: finals,
        budget, command.

    Raises:
        StudyError: this is no run's folder, or a file in it cannot be read.
    """
    if not is_outdated(run):
        if (run / PLAN).exists() and not (run / FILE).exists():
            if not (run / SHARED).exists():
                raise StudyError(
                    f"the search in '{run}' has only begun: no network is recorded yet",
                    "try again in a moment, or give --live, which waits",
                )
            raise StudyError(
                f"'{run}' holds no records of its search yet",
                "one with --storage keeps them in its database until it ends; optuna-dashboard shows them there",
            )
        return report.load(run)
    try:
        plan = Plan.model_validate_json((run / PLAN).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise StudyError(f"'{run / PLAN}' cannot be read", "name the folder of a search: its --run DIR") from None
    trials = _trials(run, plan)
    history = History(plan.objectives)
    for entry in records(trial for trial in trials if trial.state.is_finished()):
        history.take_in(entry)
    return _document(plan, history, trials)


def awaited(run: Path) -> bool:
    """Whether a search may still begin in a folder, or has begun and recorded nothing: no reader can say more yet."""
    if any((run / name).exists() for name in (JOURNAL, FILE, SHARED)):
        return False
    try:
        names = [file.name for file in run.iterdir()]
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return PLAN in names or all(name in OWN or name.startswith(f".{PLAN}.") for name in names)


def stamp(run: Path) -> tuple[int, ...]:
    """Something that differs when the run's files have changed."""
    found: list[int] = []
    for name in (JOURNAL, FILE):
        try:
            status = (run / name).stat()
        except OSError:
            continue
        found += [status.st_mtime_ns, status.st_size]
    return tuple(found)


def kinds(spec: ir.Spec) -> dict[str, str]:
    """What each label of a spec does, so that the report colours a space's own letters too."""
    blocks = [node for node in ir.walk(spec.stages) if isinstance(node, ir.BlockSpec)]
    return {b.names[0]: "msa" if attends(b, spec.blocks) else "conv" for b in blocks}


def _trials(run: Path, plan: Plan) -> list[optuna.trial.FrozenTrial]:
    """Optuna's trials; a line that is only half written yet is left for the next time."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = JournalStorage(JournalFileBackend(str(run / JOURNAL)))
        study = optuna.load_study(study_name=plan.spec_name, storage=storage)
        return study.get_trials(deepcopy=False)
    except KeyError:  # the search has only begun
        return []
    except ValueError as error:
        raise StudyError(
            f"the journal in '{run}' is damaged: {error}", "the command that began the search mends it, or says how"
        ) from None
    finally:
        optuna.logging.set_verbosity(level)


def _document(plan: Plan, history: History, trials: list[optuna.trial.FrozenTrial]) -> dict[str, Any]:
    spec = with_epochs(parse(plan.spec_text), plan.epochs)
    began = [trial.datetime_start for trial in trials if trial.datetime_start]
    # Not between two dates: the clock that gives them may have been set meanwhile.
    trained = sum(trial["seconds"] for trial in history.trials) / plan.workers
    return {
        "archdsl": plan.versions.get("archdsl"),
        "language": plan.language,
        "versions": plan.versions,
        "started": min(began).astimezone().isoformat(timespec="seconds") if began else "",
        "seconds": round(trained, 1) or None,
        "seed": plan.seed,
        "sampler": plan.sampler,
        "spec": {"name": plan.spec_name, "text": plan.spec_text, "hash": plan.spec_hash, "size": space.size(spec)},
        "data": {"name": plan.data, "digest": plan.data_digest},
        "recipe": plan.recipe.model_dump(),
        "objectives": [{"name": name, "direction": direction} for name, direction in plan.objectives],
        "decisions": [{"name": d.name, "choices": list(d.choices)} for d in space.decisions(spec)],
        "kinds": kinds(spec),
        "trials": history.trials,
        "best": history.best(),
        "pareto": history.front(),
        "finalists": [],
        "finished": False,
    }
