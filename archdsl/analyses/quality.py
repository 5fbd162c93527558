"""Measures accuracy, negative log-likelihood and calibration, and draws the reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.measuring.exact import Batch, check_batches, held_still, memory_guard
from archdsl.analyses.results.result import Floats, Result
from archdsl.base import colours
from archdsl.base.errors import RunError
from archdsl.base.metrics import Tally, bin_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class QualityResult(Result):
    """How right the network is, and how well it knows.

    Attributes:
        accuracy: fraction.
        nll: nats.
        ece: expected calibration error, as `archdsl.base.metrics` defines it.
        nll_error: standard error of nll over images.
        images: how many.
        count: (bins,) images whose confidence, the probability of the top class, fell into each bin of equal width.
        confidence: (bins,) mean confidence of these; 0 where there are none.
        correct: (bins,) fraction of these that are right; 0 where there are none.
        ece_error: standard error of ece over images; None for a single one.
    """

    accuracy: float
    nll: float
    ece: float
    nll_error: float
    images: int
    count: Floats
    confidence: Floats
    correct: Floats
    ece_error: float | None = None

    def scores(self) -> dict[str, float]:
        """accuracy, nll, ece."""
        return {"accuracy": self.accuracy, "nll": self.nll, "ece": self.ece}

    @property
    def draws(self) -> int:
        """Images."""
        return self.images

    def standard_errors(self) -> dict[str, float]:
        """Over images."""
        if self.images < 2:
            return {}
        found = {"accuracy": (self.accuracy * (1 - self.accuracy) / (self.images - 1)) ** 0.5, "nll": self.nll_error}
        return found if self.ece_error is None else found | {"ece": self.ece_error}


def measure(model: nn.Module, batches: Sequence[Batch]) -> QualityResult:
    """Accuracy, NLL and calibration in float32 and eval mode.

    Args:
        model: images (B, C, H, W) -> logits (B, classes); it comes back as it was.
        batches: images and labels, on the model's device.

    Raises:
        RunError: the logits are not finite, or memory ran out.
    """
    check_batches(model, batches)
    tally, losses, gaps, places = Tally(batches[0][0].device), [], [], []
    with held_still(model), memory_guard("a forward pass"), torch.no_grad():
        for images, labels in batches:
            logits = model(images)
            tally.add(logits, labels)
            losses.append(F.cross_entropy(logits, labels, reduction="none"))
            confidence, answers = logits.float().softmax(1).max(1)
            gaps.append((answers == labels).float() - confidence)
            places.append(bin_of(confidence))
    loss = torch.cat(losses).double().cpu().numpy()
    if not np.isfinite(loss).all():
        raise RunError("the network's outputs are not finite", "look for inf or nan in the weights")
    metrics = tally.metrics()
    count, right, total = tally.bins.cpu().numpy()
    return QualityResult(
        accuracy=metrics.accuracy,
        nll=metrics.nll,
        ece=metrics.ece,
        nll_error=float(loss.std(ddof=1) / len(loss) ** 0.5) if len(loss) > 1 else 0.0,
        images=len(loss),
        count=count,
        confidence=total / np.maximum(count, 1),
        correct=right / np.maximum(count, 1),
        ece_error=_ece_error(torch.cat(gaps), torch.cat(places), right - total),
    )


def _ece_error(gaps: Tensor, places: Tensor, by_bin: Floats) -> float | None:
    """Standard error of the ECE: it is the mean over images of right minus confidence, its sign that of the bin's sum.

    The signs are taken as known, so near perfect calibration this is too small.
    """
    if len(gaps) < 2:
        return None
    signed = gaps.double().cpu().numpy() * np.sign(by_bin)[places.cpu().numpy()]
    return float(signed.std(ddof=1) / len(signed) ** 0.5)


def plot(result: QualityResult, ax: Axes, *, label: str | None = None, color: str | None = None) -> None:
    """The reliability diagram: how often the network is right, against how sure it is; on the diagonal it knows.

    A point's area is the number of its images. Call it again on the same axes to compare networks.
    """
    number = len(ax.collections)
    color = color or colours.network(number)
    marker = colours.marker(number)
    if not ax.lines:
        ax.plot([0, 1], [0, 1], color=colours.FAINT, lw=1, ls=(0, (4, 3)))
    filled = result.count > 0
    x, y = result.confidence[filled], result.correct[filled]
    ax.plot(x, y, color=color, lw=1.2, label=None if label is None else f"{label} (ECE {result.ece:.3f})")
    sizes = 6 + 120 * result.count[filled] / result.images
    ax.scatter(x, y, s=sizes, marker=marker, color=color, lw=0, alpha=0.75, zorder=3, clip_on=False)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_aspect("equal")
    ax.set_xlabel("confidence (predicted probability)")
    ax.set_ylabel("accuracy (fraction right)")
    if label is not None:
        ax.legend(frameon=False, loc="upper left")


ANALYSES.register("quality")(
    Analysis(
        name="quality",
        scores=("accuracy", "nll", "ece"),
        result=QualityResult,
        measure=measure,
        plot=plot,
        sample=Sample("validation", augment=False, count=None, size=250),
        overlaid=("",),
    )
)
