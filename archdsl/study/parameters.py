"""Translates members of a space to Optuna's parameters and back; names and options are the spec's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from archdsl import ir, space
from archdsl.ir.wording import option_labels
from archdsl.network import Architecture
from archdsl.space import Hole


def distribution(hole: Hole) -> BaseDistribution:
    """How Optuna sees a hole: a choice by the labels of its options, a range by its values."""
    match hole:
        case ir.FloatRange():
            return FloatDistribution(hole.low, hole.high, log=hole.log)
        case ir.IntRange():
            return IntDistribution(hole.low, _top(hole), step=hole.step)
    return CategoricalDistribution(option_labels(hole))


def suggest(trial: optuna.trial.Trial, hole: Hole) -> float:
    """Let Optuna decide a hole: the number of the option, or the value of a float range."""
    match hole:
        case ir.FloatRange():
            return trial.suggest_float(hole.name, hole.low, hole.high, log=hole.log)
        case ir.IntRange():
            return decided(hole, trial.suggest_int(hole.name, hole.low, _top(hole), step=hole.step))
    return decided(hole, trial.suggest_categorical(hole.name, option_labels(hole)))


def decided(hole: Hole, value: Any) -> float:
    """What a value of Optuna's means for a hole; the inverse of `parameter`."""
    match hole:
        case ir.FloatRange():
            return float(value)
        case ir.IntRange():
            return (int(value) - hole.low) // hole.step
    return option_labels(hole).index(value)


def parameter(hole: Hole, choice: float) -> Any:
    """What Optuna calls the decision `choice` of a hole."""
    match hole:
        case ir.FloatRange():
            return choice
        case ir.IntRange():
            return hole.low + int(choice) * hole.step
    return option_labels(hole)[int(choice)]


def parameters(spec: ir.Spec, architecture: Architecture) -> dict[str, Any]:
    """A member as Optuna's parameters: the holes that were open in it, by name."""
    choices = architecture.choices
    return {hole.name: parameter(hole, choices[hole.name]) for hole in ir.holes(spec) if hole.name in choices}


def member(spec: ir.Spec, values: Mapping[str, Any]) -> Architecture | None:
    """The member with these parameters; None where they decide too little, or what they decide does not fit."""
    try:
        return space.attempt(spec, lambda hole: decided(hole, values[hole.name]))
    except (KeyError, ValueError):
        return None


def _top(hole: ir.IntRange) -> int:
    """The largest value of a range: its upper end, or the last step below it."""
    return hole.low + (hole.count() - 1) * hole.step
