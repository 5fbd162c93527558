"""A model and batches in, the top eigenvalues of the loss Hessian of each batch out: how sharp, how convex it is there.

Park & Kim 2022 (arXiv 2202.06709) compare networks by these spectra: large positive eigenvalues say sharp,
negative ones say non-convex.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.curvature import LossHessian, check_loss, check_symmetry, trained
from archdsl.analyses.exact import Batch, check_batches, held_still, memory_guard
from archdsl.analyses.hessian_plot import plot
from archdsl.analyses.lanczos import Extremes, top
from archdsl.analyses.parts import Parts, batch_by_batch
from archdsl.analyses.result import Floats, Result, jackknife
from archdsl.base.errors import UsageError

EIGENVALUES = 5  # of each batch


@dataclass(frozen=True, eq=False)
class HessianResult(Result):
    """Spectra of B batches.

    Attributes:
        eigenvalues: (B, k) by falling magnitude.
        residuals: (B, k) |Hy - theta y| / |theta|: how far each can be trusted.
        smallest: (B,) most negative Ritz value of the batch's Krylov run, the last two scores' lower end.
        largest: (B,) largest Ritz value, that is the largest eigenvalue.
        products: (B,) Hessian-vector products spent.
        asymmetry: (B,) |u.Hv - v.Hu| / (|u| |H|), the worst met.
        loss: (B,) NLL + (wd/2)|w|^2, nats.
        params: length of w.
        images: per batch.
        weight_decay: wd.
    """

    eigenvalues: Floats
    residuals: Floats
    smallest: Floats
    largest: Floats
    products: Floats
    asymmetry: Floats
    loss: Floats
    params: int
    images: int
    weight_decay: float

    def scores(self) -> dict[str, float]:
        """log_ape (ln), ape, nep (fraction), ncr, lambda_max; without a positive eigenvalue only nep and lambda_max."""
        everyone = np.arange(len(self.eigenvalues))
        found = {name: statistic(everyone) for name, statistic in self._statistics().items()}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def draws(self) -> int:
        """Batches."""
        return len(self.eigenvalues)

    def standard_errors(self) -> dict[str, float]:
        """Of each score, over the batches, by the jackknife."""
        count = len(self.eigenvalues)
        found = {name: jackknife(statistic, count) for name, statistic in self._statistics().items()}
        return {name: value for name, value in found.items() if value is not None}

    def _statistics(self) -> dict[str, Callable[[np.ndarray], float | None]]:
        """Each score as a function of which batches it is computed from."""

        def ape(kept: np.ndarray) -> float | None:
            positive = self.eigenvalues[kept][self.eigenvalues[kept] > 0]
            return float(positive.mean()) if positive.size else None

        def log_ape(kept: np.ndarray) -> float | None:
            average = ape(kept)
            return None if average is None else float(np.log(average))

        def ncr(kept: np.ndarray) -> float | None:
            if (self.largest[kept] <= 0).any():
                return None
            return float(np.mean(np.maximum(0.0, -self.smallest[kept]) / self.largest[kept]))

        return {
            "log_ape": log_ape,
            "ape": ape,
            "nep": lambda kept: float((self.eigenvalues[kept] < 0).mean()),
            "ncr": ncr,
            "lambda_max": lambda kept: float(self.largest[kept].mean()),
        }


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
    on_batch: Callable[[int, int], None] | None = None,
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
        on_batch: told (done, total).

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
        return batch_by_batch(batches, one, parts, on_batch)


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
        seeded=True,
        decays=True,
        parts=True,
        overlaid=("",),
    )
)
