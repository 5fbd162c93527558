"""`random`: every hole decided evenly; the yardstick."""

from __future__ import annotations

from optuna.samplers import BaseSampler, RandomSampler

from archdsl.study.samplers import SAMPLERS


@SAMPLERS.register("random")
def random(seed: int, objectives: int) -> BaseSampler:
    """Optuna's RandomSampler."""
    return RandomSampler(seed=seed)
