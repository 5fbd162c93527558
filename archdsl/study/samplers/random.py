"""`random`: every hole decided evenly; the yardstick."""

from __future__ import annotations

from optuna.samplers import BaseSampler, RandomSampler

from archdsl.study.samplers import SAMPLERS, Setting


@SAMPLERS.register("random")
def random(setting: Setting) -> BaseSampler:
    """Optuna's RandomSampler."""
    return RandomSampler(seed=setting.seed)
