"""Registers the samplers, one file each; a new file here is known to `archdsl search --sampler NAME`.

A sampler is a function `(setting) -> optuna.samplers.BaseSampler`. It is made anew for every trial and knows nothing
but the study's history and a seed that depends on the trial, so that a resumed search goes on as if never interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from optuna.samplers import BaseSampler

from archdsl import ir
from archdsl.base.registry import Registry
from archdsl.space import EXACT_LIMIT, size


@dataclass(frozen=True, slots=True)
class Setting:
    """What a sampler is made for.

    Attributes:
        seed: of this proposal.
        spec: the space; `archdsl.study.parameters` turns its members into Optuna's parameters and back.
        directions: `maximize` or `minimize`, one per objective, the study's first objective first.
        budget: how many networks the search may train.
    """

    seed: int
    spec: ir.Spec
    directions: tuple[str, ...]
    budget: int


SamplerFactory: TypeAlias = Callable[[Setting], BaseSampler]

SAMPLERS: Registry[SamplerFactory] = Registry("sampler", "archdsl.study.samplers", group="archdsl.samplers")

AUTO = "auto"  # `recommend` decides, for a new study
EXHAUSTIVE = "exhaustive"


class Choice(NamedTuple):
    """A sampler's name, and in one line why it was chosen."""

    name: str
    reason: str


def recommend(spec: ir.Spec, budget: int) -> Choice:
    """The sampler for a space and a budget: `exhaustive` where all fit, else `bayes`."""
    continuous = any(isinstance(hole, ir.FloatRange) for hole in ir.holes(spec))
    if not continuous and (fillings := size(spec)) <= min(budget, EXACT_LIMIT):
        return Choice(EXHAUSTIVE, f"all {fillings:,} fillings fit a budget of {budget:,}")
    return Choice("bayes", "it learned most from few trainings where all samplers were compared, on a table and a toy")


__all__ = ["AUTO", "EXHAUSTIVE", "SAMPLERS", "Choice", "SamplerFactory", "Setting", "recommend"]
