"""A study's trials in, what archdsl wrote down of each out; records of another version are told of, not guessed at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import optuna

from archdsl.base.errors import StudyError

RECORD = "archdsl"  # the user attribute of a trial that holds its entry in results.json
FIELDS = (  # of a training
    "number", "state", "key", "decisions", "choices", "recipe", "epochs", "scores", "curve", "curve_nll",
)  # fmt: skip


def records(trials: Iterable[optuna.trial.FrozenTrial]) -> list[dict[str, Any]]:
    """The entries of the trials that have one, in order, duplicates and misfits among them.

    Raises:
        StudyError: a version of archdsl that keeps other records wrote them.
    """
    found = [trial.user_attrs[RECORD] for trial in trials if RECORD in trial.user_attrs]
    for entry in found:
        needed = FIELDS if entry.get("kind") in ("trained", "continued") else ("kind",)
        if missing := [name for name in needed if name not in entry]:
            raise StudyError(
                f"the study was begun by another version of archdsl: a record has no '{missing[0]}'",
                "go on with that version, or begin anew elsewhere",
            )
    return found
