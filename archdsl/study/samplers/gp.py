"""`gp`: Optuna's Bayesian optimisation with a Gaussian process; `bayes` finds more in less time."""

from __future__ import annotations

from optuna.samplers import BaseSampler, GPSampler

from archdsl.study.samplers import SAMPLERS, Setting


@SAMPLERS.register("gp")
def gp(setting: Setting) -> BaseSampler:
    """Optuna's GPSampler, which takes one or several objectives."""
    return GPSampler(seed=setting.seed, warn_independent_sampling=False)
