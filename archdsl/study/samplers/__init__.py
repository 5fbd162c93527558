"""The samplers, one file each; a new file here registers itself and is known to `archdsl search --sampler NAME`.

A sampler is a function `(setting) -> optuna.samplers.BaseSampler`. It is made anew for every trial and knows nothing
but the study's history and a seed that depends on the trial, so that a resumed search goes on as if never interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from optuna.samplers import BaseSampler

from archdsl import ir
from archdsl.registry import Registry
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

SAMPLERS: Registry[SamplerFactory] = Registry("sampler", "archdsl.study.samplers")

EXHAUSTIVE = "exhaustive"


def choose_sampler(spec: ir.Spec, budget: int) -> str:
    """The name of a fitting sampler: `exhaustive` where all members fit the budget, else `tpe`.

    On a fully trained table of placements multivariate TPE is no worse than GP, and a proposal takes it 10 ms where GP
    takes hundreds (`benchmarks/trial_overhead.py`), which for small networks is a good part of a training.
    """
    continuous = any(isinstance(hole, ir.FloatRange) for hole in ir.holes(spec))
    return EXHAUSTIVE if not continuous and size(spec) <= min(budget, EXACT_LIMIT) else "tpe"


__all__ = ["EXHAUSTIVE", "SAMPLERS", "SamplerFactory", "Setting", "choose_sampler"]
