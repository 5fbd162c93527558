"""`nsga2`: a genetic algorithm for several objectives (NSGA-II, Deb et al. 2002), its population fit for the budget."""

from __future__ import annotations

from optuna.samplers import BaseSampler, NSGAIISampler

from archdsl.study.samplers import SAMPLERS, Setting

GENERATIONS = 5  # a budget should last for; Optuna's population of 50 would be all of a budget of 50, drawn at random


@SAMPLERS.register("nsga2")
def nsga2(setting: Setting) -> BaseSampler:
    """Optuna's NSGAIISampler with a population of a fifth of the budget, 10 to 50."""
    return NSGAIISampler(seed=setting.seed, population_size=max(10, min(50, setting.budget // GENERATIONS)))
