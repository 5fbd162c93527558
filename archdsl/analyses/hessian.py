"""Measures the top eigenvalues of the loss Hessian on each batch: how sharp, and how convex, the loss is there.

Park & Kim 2022 (arXiv 2202.06709) compare networks by these spectra: large positive eigenvalues say sharp,
negative ones say non-convex.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.curvature.lanczos import Extremes, top
from archdsl.analyses.curvature.loss_hessian import LossHessian, check_loss, check_symmetry, trained
from archdsl.analyses.measuring.exact import Batch, check_batches, held_still, memory_guard
from archdsl.analyses.measuring.parts import Parts, batch_by_batch
from archdsl.analyses.results.hessian import HessianResult, plot
from archdsl.base.errors import UsageError

EIGENVALUES = 5  # of each batch


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    *,
    k: int | None = None,
    weight_decay: float = 0.0,
    tol: float = 1e-3,
    seed: int = 0,
    limit: int = 200,
    parts: Parts | None = None,
) -> HessianResult:
    """The k eigenvalues of largest magnitude of the Hessian of NLL_b + (wd/2)|w|^2, for each batch b.

    w are the parameters that are trained (`requires_grad`); the model is in eval mode meanwhile and comes back as it
    was. Memory: one gradient graph at a time (where that is too large, of half the images, and so on: slower, and the
    same Hessian), and one vector of the size of w per product.

    Args:
        model: images (B, C, H, W) -> logits (B, classes), float32.
        batches: images and labels, on the model's device.
        k: eigenvalues per batch; by default 5, or all of them where there are fewer weights.
        weight_decay: wd.
        tol: relative residual at which an eigenvalue counts as found.
        seed: of the starting vectors.
        limit: products per batch after which what is not settled is left at the residual it has.
        parts: results of the first batches from before, and where those of the others go one by one.

    Raises:
        UsageError: k is below 1 or above the number of parameters, or the batches are unusable.
        RunError: the loss is not finite, the Hessian not symmetric, or memory ran out.
    """
    check_batches(model, batches)
    params = trained(model)
    size = sum(p.numel() for p in params)
    k = min(EIGENVALUES, size) if k is None else k
    if not 1 <= k <= size:
        raise UsageError(f"{k} eigenvalues asked of a Hessian of {size} x {size}", f"k lies between 1 and {size}")

    def one(number: int, batch: Batch, chunk: int) -> HessianResult:
        hessian = LossHessian(model, batch, params, weight_decay, chunk)  # its graph goes with it
        check_loss(hessian.loss, number)
        found = top(hessian, hessian.start(seed * 1_000_003 + number), k, tol=tol, limit=limit)
        check_symmetry(found.krylov.asymmetry, number, params[0].dtype)
        return _result(hessian.loss, found, size, len(batch[0]), weight_decay)

    with held_still(model), memory_guard("the Hessian spectrum"):
        return batch_by_batch(batches, one, parts)


def _result(loss: float, found: Extremes, params: int, images: int, weight_decay: float) -> HessianResult:
    """Of one batch."""
    return HessianResult(
        eigenvalues=found.values[None],
        residuals=found.residuals[None],
        smallest=np.array([found.smallest]),
        largest=np.array([found.largest]),
        products=np.array([float(found.krylov.steps)]),
        asymmetry=np.array([found.krylov.asymmetry]),
        loss=np.array([loss]),
        params=params,
        images=images,
        weight_decay=weight_decay,
    )


ANALYSES.register("hessian")(
    Analysis(
        name="hessian",
        scores=("log_ape", "ape", "nep", "ncr", "lambda_max"),
        result=HessianResult,
        measure=measure,
        plot=plot,
        sample=Sample("train", augment=True, count=12, size=16),
        overlaid=("",),
    )
)
