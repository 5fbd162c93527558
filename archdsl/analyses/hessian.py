"""A model and batches in, the top eigenvalues of the loss Hessian of each batch out: how sharp, how convex it is there.

Park & Kim 2022 (arXiv 2202.06709) compare networks by these spectra: large positive eigenvalues say sharp,
negative ones say non-convex.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.double_backward import DoubleBackward
from archdsl.analyses.exact import Batch, check_batches, held_still, memory_guard
from archdsl.analyses.hessian_plot import plot
from archdsl.analyses.lanczos import Extremes, Operator, top
from archdsl.analyses.result import Floats, Result, jackknife
from archdsl.errors import RunError, UsageError


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
    k: int = 5,
    weight_decay: float = 0.0,
    tol: float = 1e-3,
    seed: int = 0,
    limit: int = 200,
    on_batch: Callable[[int, int], None] | None = None,
) -> HessianResult:
    """The k eigenvalues of largest magnitude of the Hessian of NLL_b + (wd/2)|w|^2, for each batch b.

    w are the parameters that are trained (`requires_grad`); the model is in eval mode meanwhile and comes back as it
    was. Memory: one gradient graph at a time, and one vector of the size of w per product.

    Args:
        model: images (B, C, H, W) -> logits (B, classes), float32.
        batches: images and labels, on the model's device.
        k: eigenvalues per batch.
        weight_decay: wd.
        tol: relative residual at which an eigenvalue counts as found.
        seed: of the starting vectors.
        limit: products per batch after which what is not settled is left at the residual it has.
        on_batch: told (done, total).

    Raises:
        UsageError: k is below 1 or above the number of parameters, or the batches are unusable.
        RunError: the loss is not finite, the Hessian not symmetric, or memory ran out.
    """
    params = [p for p in model.parameters() if p.requires_grad]
    size = sum(p.numel() for p in params)
    check_batches(model, batches)
    if not 1 <= k <= size:
        raise UsageError(
            f"{k} eigenvalues asked of a Hessian of {size} x {size}",
            f"k lies between 1 and {size}" if size else "the model has no parameter that requires a gradient",
        )
    rows: list[tuple[float, Extremes]] = []
    with held_still(model), memory_guard("the Hessian spectrum"):
        for number, batch in enumerate(batches, start=1):
            loss, product = hessian(model, batch, params, weight_decay)
            if not np.isfinite(loss):
                raise RunError(
                    f"the loss of batch {number} is {loss}, so it has no Hessian",
                    "was the network trained with too high a learning rate?",
                )
            generator = torch.Generator().manual_seed(seed * 1_000_003 + number)  # CPU: the same on every device
            start = torch.randn(size, generator=generator).to(params[0])
            found = top(product, start, k, tol=tol, limit=limit)
            del product  # and with it the graph, before the next one is built
            _check_symmetry(found, number, start.dtype)
            rows.append((loss, found))
            if on_batch is not None:
                on_batch(number, len(batches))
    return _collect(rows, size, len(batches[0][0]), weight_decay)


def hessian(
    model: nn.Module, batch: Batch, params: Sequence[nn.Parameter], weight_decay: float = 0.0
) -> tuple[float, Operator]:
    """The loss of a batch, and v -> Hv with its Hessian; v and Hv are flat, in the order of `params`.

    The graph of the gradient is built here, once, and lives as long as the returned function: a product is then one
    pass backward through it. (`torch.func`'s second derivatives of an affine LayerNorm are wrong, hence
    `autograd.grad` twice; fused attention has no second derivative, hence `DoubleBackward`, and the plain one where
    that has no rule.)
    """
    images, labels = batch
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), DoubleBackward():
        loss = F.cross_entropy(model(images), labels)
        gradient = torch.autograd.grad(loss, params, create_graph=True, allow_unused=True)
    shapes = [p.shape for p in params]
    sizes = [p.numel() for p in params]
    # Parameters the loss does not depend on, or only linearly, have no second derivative.
    curved = [index for index, entry in enumerate(gradient) if entry is not None and entry.requires_grad]
    outputs = [gradient[index] for index in curved]

    def product(vector: Tensor) -> Tensor:
        parts = torch.split(vector, sizes)
        directions = [parts[index].view(shapes[index]) for index in curved]
        found = (
            torch.autograd.grad(outputs, params, directions, retain_graph=True, allow_unused=True)
            if outputs
            else [None] * len(params)
        )
        flat = torch.cat(
            [torch.zeros_like(v) if h is None else h.reshape(-1) for h, v in zip(found, parts, strict=True)]
        )
        return flat.add_(vector, alpha=weight_decay)

    penalty = 0.5 * weight_decay * sum(float(p.detach().double().square().sum()) for p in params)
    return float(loss.detach()) + penalty, product


def _check_symmetry(found: Extremes, number: int, dtype: torch.dtype) -> None:
    """Every run probes its own Hessian: an unsymmetric one has no spectrum to report."""
    asymmetry, bound = found.krylov.asymmetry, float(torch.finfo(dtype).eps) ** 0.5
    if not asymmetry <= bound:
        raise RunError(
            f"the Hessian of batch {number} is not symmetric: |u.Hv - v.Hu| / (|u| |Hv|) is {asymmetry:.1e}, "
            f"above {bound:.1e}",
            "some layer's second derivative is wrong or random: a custom autograd function, dropout that ignores eval "
            "mode, or half precision inside",
        )


def _collect(rows: Sequence[tuple[float, Extremes]], params: int, images: int, weight_decay: float) -> HessianResult:
    found = [extremes for _, extremes in rows]
    return HessianResult(
        eigenvalues=np.stack([f.values for f in found]),
        residuals=np.stack([f.residuals for f in found]),
        smallest=np.array([f.smallest for f in found]),
        largest=np.array([f.largest for f in found]),
        products=np.array([float(f.krylov.steps) for f in found]),
        asymmetry=np.array([f.krylov.asymmetry for f in found]),
        loss=np.array([loss for loss, _ in rows]),
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
        overlaid=("",),
    )
)
