"""Writes `trials.csv`: one row per trial, and columns that stay in place from run to run."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from archdsl.base.files import write_atomically
from archdsl.study.results import Results, Trial, read
from archdsl.study.watch import layout_text

FIRST = ("number", "state", "hash", "layout", "params", "macs", "epochs", "seconds")


def columns(results: Results) -> tuple[list[str], list[str]]:
    """Names of the scores (objectives first, then by alphabet) and of the decisions (in the order of the spec)."""
    counted = set(FIRST)
    objectives = [objective.name for objective in results.objectives if objective.name not in counted]
    others = sorted({name for trial in results.trials for name in trial.scores} - counted - set(objectives))
    decisions = [decision.name for decision in results.decisions]
    unlisted = sorted({name for trial in results.trials for name in trial.decisions} - set(decisions))
    return list(dict.fromkeys([*objectives, *others])), [*decisions, *unlisted]


def write_csv(document: dict[str, Any], path: Path) -> Path:
    """Write the table of a results document; whoever reads it meanwhile sees the old one or the new one.

    Raises:
        RunError: it cannot be written.
    """
    results = read(document)
    scores, decisions = columns(results)
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow([*FIRST, *scores, *decisions, "reason"])
    table.writerows(_row(trial, scores, decisions) for trial in results.trials)
    return write_atomically(path, out.getvalue())


def _row(trial: Trial, scores: list[str], decisions: list[str]) -> list[str]:
    return [
        str(trial.number),
        trial.state,
        trial.hash,
        _text(layout_text(trial.layout)),
        _number(trial.params),
        _number(trial.macs),
        _number(trial.epochs),
        _number(trial.seconds),
        *(_number(trial.scores.get(name)) for name in scores),
        *(_text(trial.decisions.get(name, "")) for name in decisions),
        _text(trial.reason or ""),
    ]


def _number(value: float | None) -> str:
    """Every digit, so that reading it back gives the same number; nothing where there is none."""
    return "" if value is None or not math.isfinite(value) else repr(value)


def _text(value: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    if not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
