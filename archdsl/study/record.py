"""Writes down what came of a trial, and reads it back; records of another version are told of, not guessed at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import optuna

from archdsl import ir, space
from archdsl.base.errors import StudyError
from archdsl.interchange.arch_text import write
from archdsl.ir.arguments import show
from archdsl.network import Architecture
from archdsl.training.experiment import recipe_of

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


def key_of(architecture: Architecture) -> str:
    """What makes two networks of a search the same: the network, and what holes decided of its recipe."""
    decided = [f"train.{name}={show(architecture.train[name])}" for name in architecture.tuned]
    return " ".join([architecture.hash, *decided])


def how_trained(architecture: Architecture) -> dict[str, Any]:
    """What records and finalists say of how a network is trained.

    Returns:
        `key`, what it is known by; `recipe`, whole; `tuned`, what holes decided of it.
    """
    return {
        "key": key_of(architecture),
        "recipe": recipe_of(architecture).model_dump(),
        "tuned": {name: architecture.train[name] for name in architecture.tuned},
    }


def member_of(entry: dict[str, Any], spec: ir.Spec) -> Architecture:
    """The member of a space that a record is about.

    Raises:
        StudyError: the record's decisions mean nothing in this space.
    """
    choices = entry["choices"]
    found = (
        None
        if set(choices) - {hole.name for hole in ir.holes(spec)}
        else space.attempt(spec, lambda hole: choices[hole.name])
    )
    if found is None:
        raise StudyError(f"trial {entry['number']} is no member of this space", "choose another folder with --run")
    return found


def record(
    number: int, architecture: Architecture, outcome: dict[str, Any], before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A trial's entry in `results.json`, and in the study.

    Args:
        number: of the trial.
        architecture: what was trained.
        outcome: of `run_trial`, or `{"died": reason}`.
        before: the entry so far, of a network that was promoted.
    """
    if "died" in outcome:
        outcome = {"state": "failed", "reason": outcome["died"], "curve": [], "seconds": 0.0, "scores": {}}
    story = outcome | {key: before[key] for key in ("anew",) if before is not None and key in before}
    return (
        {
            "kind": "trained" if before is None else "continued",
            "number": number,
            "state": outcome["state"],
            "hash": architecture.hash,
            "spec": write(architecture),
            "layout": architecture.layout,
            "decisions": dict(architecture.decisions),
            "choices": dict(architecture.choices),
            "params": architecture.params,
            "macs": architecture.macs,
            "epochs": len(outcome["curve"]),
            "seconds": round(outcome["seconds"] + (0.0 if before is None else before["seconds"]), 3),
            "reason": outcome["reason"],
            "scores": outcome["scores"],
            "curve": [point["accuracy"] for point in outcome["curve"]],
            "curve_nll": [point["nll"] for point in outcome["curve"]],
        }
        | how_trained(architecture)
        | {key: story[key] for key in ("cached", "anew") if key in story}
    )
