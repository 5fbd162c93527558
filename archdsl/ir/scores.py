"""Lists every score a network can have: what it is, its unit, which way is better; known without importing torch.

`maximize` and `minimize` of a spec name these, and `archdsl check` has to know them at once: that is why an analysis's
scores stand here and not in its own file (registering one whose names are missing here is an error).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archdsl.base.errors import UnknownNameError

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True, slots=True)
class ScoreInfo:
    """One score.

    Attributes:
        source: who provides it: "training", "cost", "latency", or the name of an analysis.
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
    "latency_ms": ScoreInfo("latency", "minimize", "ms", "forward time of one image: its blocks, measured and summed"),
    "log_ape": ScoreInfo("hessian", "minimize", "ln", "logarithm of the average positive Hessian eigenvalue"),
    "ape": ScoreInfo("hessian", "minimize", "1", "average positive eigenvalue among the top k by magnitude"),
    "nep": ScoreInfo("hessian", "minimize", "fraction", "share of negative eigenvalues among the top k by magnitude"),
    "ncr": ScoreInfo("hessian", "minimize", "1", "most negative eigenvalue against the largest, max(0, -min)/max"),
    "lambda_max": ScoreInfo("hessian", "minimize", "1", "largest Hessian eigenvalue"),
    "hessian_trace": ScoreInfo(
        "hessian_density", "minimize", "1", "trace of the Hessian of the NLL, without weight decay"
    ),
    "negative_energy": ScoreInfo(
        "hessian_density",
        "minimize",
        "fraction",
        "sum of negative eigenvalues of the NLL over the sum of all, in magnitude",
    ),
    "block_log_lambda_conv": ScoreInfo(
        "hessian_blocks", None, "ln", "largest Hessian eigenvalue in a conv block's own weights, mean over them"
    ),
    "block_log_lambda_msa": ScoreInfo(
        "hessian_blocks", None, "ln", "largest Hessian eigenvalue in an attention block's own weights, mean over them"
    ),
    "block_log_lambda_mlp": ScoreInfo(
        "hessian_blocks", None, "ln", "largest Hessian eigenvalue in an MLP block's own weights, mean over them"
    ),
    "high_freq": ScoreInfo("fourier", None, "nats", "relative log amplitude at 0.5 pi, mean over the stages' ends"),
    "smoothing_contrast": ScoreInfo(
        "fourier", None, "nats", "change of relative log amplitude over attention blocks minus that over conv blocks"
    ),
    "variance_change_conv": ScoreInfo("variance", None, "ln", "feature-map variance out over in, mean of conv blocks"),
    "variance_change_msa": ScoreInfo(
        "variance", None, "ln", "feature-map variance out over in, mean of attention blocks"
    ),
    "variance_change_mlp": ScoreInfo("variance", None, "ln", "feature-map variance out over in, mean of MLP blocks"),
    "noise_auc": ScoreInfo("noise", "maximize", "fraction", "accuracy with noise over without, mean of ten bands"),
    "noise_tilt": ScoreInfo(
        "noise", None, "fraction", "accuracy with noise above 0.5 pi minus accuracy with noise below"
    ),
    "lesion_conv": ScoreInfo("lesion", None, "fraction", "accuracy lost without one conv block, mean over them"),
    "lesion_msa": ScoreInfo("lesion", None, "fraction", "accuracy lost without one attention block, mean over them"),
    "lesion_mlp": ScoreInfo("lesion", None, "fraction", "accuracy lost without one MLP block, mean over them"),
    "lesion_end_conv": ScoreInfo(
        "lesion", None, "fraction", "accuracy lost without a conv block that ends a stage, mean"
    ),
    "lesion_end_msa": ScoreInfo(
        "lesion", None, "fraction", "accuracy lost without an attention block that ends a stage, mean"
    ),
    "lesion_end_mlp": ScoreInfo(
        "lesion", None, "fraction", "accuracy lost without an MLP block that ends a stage, mean"
    ),
    "landscape_rise": ScoreInfo(
        "landscape", "minimize", "nats", "mean rise of the NLL over the unit disc of two filter-normalised directions"
    ),
    "corruption_error": ScoreInfo(
        "corruption",
        "minimize",
        "fraction",
        "share of corrupted images that are wrong, mean of corruptions and severities",
    ),
    "corruption_retained": ScoreInfo(
        "corruption", "maximize", "fraction", "accuracy on corrupted images over accuracy on clean ones"
    ),
    "cka_neighbours": ScoreInfo("cka", None, "1", "linear CKA of blocks that follow each other, mean"),
}


def info(name: str) -> ScoreInfo:
    """The score called `name`.

    Raises:
        UnknownNameError: nobody provides it.

    >>> info("log_ape").direction
    'minimize'
    """
    if name not in SCORES:
        raise UnknownNameError("score", name, SCORES)
    return SCORES[name]
