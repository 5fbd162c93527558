"""Measures the spatial variance of each unit's feature maps: which units smooth, which sharpen.

Park & Kim 2022 (arXiv 2202.06709, section 3): attention lowers the variance of feature maps, as a spatial average
does; convolutions and MLPs raise it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.measuring.exact import Batch
from archdsl.analyses.measuring.features import watch
from archdsl.analyses.measuring.reduction import Reduction
from archdsl.analyses.results.depth import against_depth, log_heights
from archdsl.analyses.results.result import BatchMeans, Floats, Place, place
from archdsl.base.errors import RunError
from archdsl.network.units import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class UnitVariance(Place):
    """One unit's variances.

    Attributes:
        after: (B,) of its output, per batch: over the pixels, unbiased, averaged over channels and images.
        before: (B,) of its input, or None where that is on another grid.
    """

    after: Floats
    before: Floats | None

    @property
    def change(self) -> Floats | None:
        """(B,) ln(after / before); None on another grid, or where either is 0 (a constant map)."""
        if self.before is None or (self.before <= 0).any() or (self.after <= 0).any():
            return None
        change: Floats = np.log(self.after / self.before)
        return change


@dataclass(frozen=True, eq=False)
class VarianceResult(BatchMeans):
    """Variances of all units with more than one pixel, in the network's order.

    Attributes:
        units: one entry each.
        images: (B,) per batch.
        notes: what was left out, and why.
    """

    units: tuple[UnitVariance, ...]
    images: Floats
    notes: tuple[str, ...]

    def scores_by_batch(self) -> dict[str, Floats]:
        """variance_change_conv, …_msa, …_mlp: the mean log ratio out/in over the units of a kind, if there are any."""
        changes: dict[str, list[Floats]] = {}
        for unit in self.units:
            if (change := unit.change) is not None:
                changes.setdefault(f"variance_change_{unit.kind}", []).append(change)
        return {name: np.mean(rows, axis=0) for name, rows in changes.items()}


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    units: Sequence[Unit],
) -> VarianceResult:
    """The feature-map variance of every unit, in one forward pass per batch.

    Units that change the grid, and those with a constant map, do not count for the scores.

    Args:
        model: in any mode; it comes back as it was.
        batches: images (B, C, H, W) and labels, on the model's device; labels are not looked at.
        units: `archdsl.network.model.units(model)`, or a choice of them.

    Raises:
        UsageError: a unit is not in the model.
        RunError: none has a map larger than 1 x 1, one gave no map, or numbers that are not finite.
    """
    observer = VarianceObserver(units)
    watch(model, batches, units, [observer])
    return observer.result()


class VarianceObserver(Reduction):
    """Reduces every map to its variance as the forward pass goes by."""

    def __init__(self, units: Sequence[Unit]) -> None:
        super().__init__(units, [index for index, unit in enumerate(units) if unit.grid[0] * unit.grid[1] > 1])
        if not self.kept:
            raise RunError("no block has a map larger than 1 x 1, so there is no variance to measure")

    def reduce(self, image: Tensor) -> Tensor:
        """(B, C, H, W) -> its mean variance (1,)."""
        pixels = image.shape[-2] * image.shape[-1]
        # Less one pixel, a constant map is 0 everywhere, and not some rounding of its mean.
        centred = image - image[..., :1, :1]
        centred -= centred.mean((-2, -1), keepdim=True)
        # Plain sums: `Tensor.var` is not vectorised over two dimensions, and takes 10 to 70 times as long on a CPU.
        return centred.square_().sum((-2, -1)).mean(dtype=torch.float64)[None] / (pixels - 1)

    def result(self) -> VarianceResult:
        """All variances per batch."""
        by_batch = self.by_batch()
        found = []
        for number, index in enumerate(self.kept):
            rows = [batch[number] for batch in by_batch]
            before = [row.before for row in rows if row.before is not None]
            found.append(
                UnitVariance(
                    **place(self.units[index]),
                    after=np.concatenate([row.after for row in rows]),
                    before=np.concatenate(before) if len(before) == len(rows) else None,
                )
            )
        return VarianceResult(tuple(found), np.array(self.images, dtype=np.float64), self.notes("no variance"))


def plot(result: VarianceResult, ax: Axes, *, label: str | None = None, color: str | None = None) -> None:
    """The variance of the units' outputs against normalised depth; equal steps up or down are equal ratios.

    Attention units are shaded, subsampling is marked. Call it again on the same axes with a `color` to compare.
    """

    def mean(values: Floats) -> float:
        average = float(np.average(values, weights=result.images))
        return average if average > 0 else np.nan  # a constant map has no place on a logarithmic axis

    first = result.units[0].before
    start = None if first is None else mean(first)
    against_depth(ax, result.units, [mean(unit.after) for unit in result.units], start=start, label=label, color=color)
    log_heights(ax)
    ax.set_ylabel("feature-map variance")


ANALYSES.register("variance")(
    Analysis(
        name="variance",
        scores=("variance_change_conv", "variance_change_msa", "variance_change_mlp"),
        result=VarianceResult,
        measure=measure,
        plot=plot,
        sample=Sample("validation", augment=False, count=12, size=16),  # the Fourier analysis's: one forward pass
        observe=VarianceObserver,
    )
)
