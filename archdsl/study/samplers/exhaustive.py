"""`exhaustive`: every member once; the default where the whole space fits the budget."""

from __future__ import annotations

from optuna.samplers import BaseSampler, RandomSampler

from archdsl.study.samplers import EXHAUSTIVE, SAMPLERS, Setting


@SAMPLERS.register(EXHAUSTIVE)
def exhaustive(setting: Setting) -> BaseSampler:
    """The runner hands the members in one by one; what Optuna is asked for beyond them does not matter."""
    return RandomSampler(seed=setting.seed)
