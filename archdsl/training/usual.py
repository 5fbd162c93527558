"""Decides the holes of `train(…)` as near to the default recipe as they allow: how baselines are trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archdsl import ir
from archdsl.ir.decisions import Hole
from archdsl.ir.recipe import Recipe


def usual_recipe(spec: ir.Spec) -> dict[str, float]:
    """How to train what a search compares with: what is nearest to the default of those numbers that a hole allows.

    A choice of other things than numbers that does not offer the default is decided to its first option. An argument
    that is calculated from holes says nothing about them: they are left out.

    Returns:
        Decisions by the name of the hole: the index of an option, or the number itself for a range of reals.
    """
    defaults = Recipe().model_dump()
    return {
        value.name: _usual(value, defaults[name])
        for name, value in spec.train.items()
        if isinstance(value, ir.Pick | ir.IntRange | ir.FloatRange)
    }


def _usual(hole: Hole, default: Any) -> float:
    match hole:
        case ir.FloatRange():
            return float(min(max(default, hole.low), hole.high))
        case ir.IntRange():
            nearest = math.ceil(float(default - hole.low) / hole.step - 0.5)  # of two equally near the smaller
            return min(max(nearest, 0), hole.count() - 1)
        case ir.Pick():
            return _nearest(hole.options, default)
    return 0


def _nearest(options: Sequence[Any], default: Any) -> int:
    """The place of the default among options; else of the number nearest to it; else the first."""
    if default in options:
        return options.index(default)
    numbers = [place for place, option in enumerate(options) if type(option) in (int, float)]
    if type(default) not in (int, float):
        return 0
    return min(numbers, key=lambda place: abs(options[place] - default), default=0)
