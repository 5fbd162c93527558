"""Every score a network can have, by name: what it is, its unit, which way is better; known without importing torch.

`maximize` and `minimize` of a spec name these. An analysis says in its own file which of them it provides; one that
brings names of its own declares them when it registers (see `archdsl.analyses.contract`).
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass
from typing import Literal

from archdsl.errors import UnknownNameError

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True, slots=True)
class ScoreInfo:
    """One score.

    Attributes:
        source: who provides it: "training", "cost", or the name of an analysis.
        direction: which way is better; None where neither is (a description of behaviour, not a merit).
        unit: of the number, in words short enough for a table head.
        what: one line for help and reports.
    """

    source: str
    direction: Direction | None
    unit: str
    what: str


SCORES: dict[str, ScoreInfo] = {
    "accuracy": ScoreInfo("training", "maximize", "fraction", "share of images whose top class is right"),
    "nll": ScoreInfo("training", "minimize", "nats", "mean negative log-likelihood of the true class"),
    "ece": ScoreInfo("training", "minimize", "fraction", "expected calibration error, 15 bins"),
    "params": ScoreInfo("cost", "minimize", "parameters", "trainable parameters"),
    "macs": ScoreInfo("cost", "minimize", "MACs", "multiply-accumulates of one image"),
    "log_ape": ScoreInfo("hessian", "minimize", "ln", "logarithm of the average positive Hessian eigenvalue"),
    "ape": ScoreInfo("hessian", "minimize", "1", "average positive eigenvalue among the top k by magnitude"),
    "nep": ScoreInfo("hessian", "minimize", "fraction", "share of negative eigenvalues among the top k by magnitude"),
    "ncr": ScoreInfo("hessian", "minimize", "1", "most negative eigenvalue against the largest, max(0, -min)/max"),
    "lambda_max": ScoreInfo("hessian", "minimize", "1", "largest Hessian eigenvalue"),
    "high_freq": ScoreInfo("fourier", None, "nats", "relative log amplitude at 0.5 pi, mean over the stages' ends"),
    "smoothing_contrast": ScoreInfo(
        "fourier", None, "nats", "change of relative log amplitude over attention blocks minus that over conv blocks"
    ),
}


def info(name: str) -> ScoreInfo:
    """The score called `name`.

    Raises:
        UnknownNameError: nobody provides it.

    >>> info("log_ape").direction
    'minimize'
    """
    if name not in SCORES and _unlisted_analyses():
        importlib.import_module("archdsl.analyses").ANALYSES.__contains__("")  # fills the registry: they declare theirs
    if name not in SCORES:
        raise UnknownNameError("score", name, SCORES)
    return SCORES[name]


def declare(name: str, score: ScoreInfo) -> None:
    """Enter the score of an analysis; one name means one thing."""
    if SCORES.setdefault(name, score) != score:
        raise ValueError(f"score '{name}' is already provided by '{SCORES[name].source}'")


def _unlisted_analyses() -> bool:
    """Whether the analyses' folder has files beyond our own (`_BUILT_IN`), which only importing them can tell about."""
    spec = importlib.util.find_spec("archdsl.analyses")
    folders = spec.submodule_search_locations if spec else None
    return any(module.name not in _BUILT_IN for module in pkgutil.iter_modules(folders or []))


_BUILT_IN = frozenset(
    "contract exact features fourier hessian lanczos quality result sample suite".split()
)
