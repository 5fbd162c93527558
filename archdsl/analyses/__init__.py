"""Measures what a trained network is like inside: one file per analysis, each with `measure`, a result and `plot`.

results = analyses.measure_all(model, data, units=archdsl.network.model.units(model), only=["hessian", "fourier"])
analyses.scores(results)                        # {"log_ape": …, "high_freq": …}
ANALYSES["hessian"].plot(results["hessian"], ax)
"""

from archdsl.analyses.contract import ANALYSES, Analysis, Observer, Sample
from archdsl.analyses.measuring.sample import batches
from archdsl.analyses.measuring.suite import check_compat, measure_all, scores, standard_errors, usual
from archdsl.analyses.results.result import Result
from archdsl.ir.scores import SCORES, ScoreInfo

__all__ = [
    "ANALYSES",
    "SCORES",
    "Analysis",
    "Observer",
    "Result",
    "Sample",
    "ScoreInfo",
    "batches",
    "check_compat",
    "measure_all",
    "scores",
    "standard_errors",
    "usual",
]
