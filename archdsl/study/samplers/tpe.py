"""`tpe`: the tree-structured Parzen estimator, multivariate; the quickest of those that model scores."""

from __future__ import annotations

from optuna.samplers import BaseSampler, TPESampler

from archdsl.study.samplers import SAMPLERS, Setting


@SAMPLERS.register("tpe")
def tpe(setting: Setting) -> BaseSampler:
    """Optuna's TPESampler; `group` splits a conditional space into parts that are modelled jointly."""
    return TPESampler(seed=setting.seed, multivariate=True, group=True)
