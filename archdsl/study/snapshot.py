"""Reads the results of a search, finished or at work, without disturbing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from pydantic import ValidationError

from archdsl import space
from archdsl.base.errors import StudyError
from archdsl.language import parse
from archdsl.study.history import History
from archdsl.study.plan import Plan
from archdsl.study.quiet import quiet
from archdsl.study.record import records
from archdsl.study.results import FILE, JOURNAL, is_outdated, load
from archdsl.study.store import PLAN, SHARED
from archdsl.study.writing import document
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
                    "try again in a moment",
                )
            raise StudyError(
                f"'{run}' holds no records of its search yet",
                "one with --storage keeps them in its database until it ends; optuna-dashboard shows them there",
            )
        return load(run)
    try:
        plan = Plan.model_validate_json((run / PLAN).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise StudyError(f"'{run / PLAN}' cannot be read", "name the folder of a search: its --run DIR") from None
    trials = _trials(run, plan)
    history = History(plan.objectives)
    for entry in records(trial for trial in trials if trial.state.is_finished()):
        history.take_in(entry)
    searched = with_epochs(parse(plan.spec_text), plan.epochs)
    found = document(plan, searched, history)
    # Not between two dates: the clock that gives them may have been set meanwhile.
    seconds = sum(trial["seconds"] for trial in history.trials) / plan.workers
    spec = found["spec"] | {"size": space.size(searched)}
    return found | {"started": _started(trials), "seconds": round(seconds, 1) or None, "spec": spec}


def _trials(run: Path, plan: Plan) -> list[optuna.trial.FrozenTrial]:
    """Optuna's trials; a line that is only half written yet is left for the next time."""
    try:
        with quiet(optuna.logging.ERROR):
            storage = JournalStorage(JournalFileBackend(str(run / JOURNAL)))
            return optuna.load_study(study_name=plan.spec_name, storage=storage).get_trials(deepcopy=False)
    except KeyError:  # the search has only begun
        return []
    except ValueError as error:
        raise StudyError(
            f"the journal in '{run}' is damaged: {error}", "the command that began the search mends it, or says how"
        ) from None


def _started(trials: list[optuna.trial.FrozenTrial]) -> str:
    began = [trial.datetime_start for trial in trials if trial.datetime_start]
    return min(began).astimezone().isoformat(timespec="seconds") if began else ""
