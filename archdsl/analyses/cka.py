"""Measures how alike the representations of any two units are: linear CKA.

CKA(i, j) = HSIC(i, j) / sqrt(HSIC(i, i) HSIC(j, j)) of linear kernels (Kornblith et al. 2019, arXiv 1905.00414), with
HSIC estimated without bias on each batch and averaged over batches (Nguyen et al. 2021, arXiv 2010.15327): the result
does not depend on the size of the batches, but for noise.
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
from archdsl.analyses.measuring.reduction import finite_output
from archdsl.analyses.results.result import Floats, Place, Result, Statistic, place
from archdsl.base import colours
from archdsl.base.errors import RunError, UsageError
from archdsl.network.units import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST = 4  # images per batch, below which there is no unbiased HSIC


@dataclass(frozen=True, eq=False)
class CkaResult(Result):
    """Similarities of U units.

    Attributes:
        units: those with a map, in the network's order.
        hsic: (B, U, U) unbiased HSIC of each batch.
        images: (B,) per batch.
    """

    units: tuple[Place, ...]
    hsic: Floats
    images: Floats

    @property
    def similarity(self) -> Floats:
        """(U, U) CKA over all batches: 1 for the same representation; nan for a unit that gives every image the same.

        An estimate without bias scatters around 0 where there is no likeness, also below it.
        """
        return self._similarity(np.arange(len(self.hsic)))

    def statistics(self) -> dict[str, Statistic]:
        """cka_neighbours: mean CKA of units that follow each other; not for a single unit."""
        return {"cka_neighbours": self._neighbours}

    @property
    def draws(self) -> int:
        """Batches."""
        return len(self.hsic)

    def _similarity(self, kept: np.ndarray) -> Floats:
        hsic = self.hsic[kept].mean(0)
        spread = np.sqrt(np.diag(hsic))  # a sum of squares is not below 0
        norm = np.outer(spread, spread)
        similarity: Floats = np.divide(hsic, norm, out=np.full_like(hsic, np.nan), where=norm > 0)
        return similarity

    def _neighbours(self, kept: np.ndarray) -> float | None:
        values = np.diag(self._similarity(kept), k=1)
        return float(values.mean()) if values.size and np.isfinite(values).all() else None


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    units: Sequence[Unit],
) -> CkaResult:
    """Linear CKA between all units' outputs, in one forward pass per batch.

    Args:
        model: in any mode; it comes back as it was.
        batches: images (B, C, H, W), at least 4 each, and labels, on the model's device; labels are not looked at.
        units: `archdsl.network.model.units(model)`, or a choice of them.

    Raises:
        UsageError: a unit is not in the model, or a batch has fewer than 4 images.
        RunError: a unit gave no map, or numbers that are not finite.
    """
    observer = CkaObserver(units)
    watch(model, batches, units, [observer])
    return observer.result()


class CkaObserver:
    """Keeps the likeness of the images of a batch in each unit, and of a finished batch the HSIC of the units."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = [unit for unit in units if unit.is_map]
        self._kept = [index for index, unit in enumerate(units) if unit.is_map]
        if not self._kept:
            raise RunError("no block has a map, so there is nothing to compare")
        self.images: list[int] = []
        self._grams: dict[int, Tensor] = {}  # of the batch under way
        self._hsic: list[Floats] = []

    def enter(self, index: int, image: Tensor | None) -> None:
        """Outputs alone count."""

    def leave(self, index: int, image: Tensor) -> None:
        """The output counts; of a unit that runs several times in a pass, the last one."""
        if len(image) < LEAST:
            raise UsageError(f"a batch of {len(image)} images is too small for CKA", f"give {LEAST} images or more")
        self._grams[index] = centred_gram(image.flatten(1))

    def end_batch(self, images: int) -> None:
        """All pairs at once: HSIC is the inner product of the centred Gram matrices."""
        rows = torch.stack([self._grams[index].flatten() for index in self._kept])
        hsic = (rows @ rows.T / (images * (images - 3))).cpu().numpy()
        for value, unit in zip(np.diag(hsic), self.units, strict=True):
            finite_output(np.atleast_1d(value), unit)
        self._hsic.append(hsic)
        self.images.append(images)
        self._grams = {}

    def result(self) -> CkaResult:
        """HSIC of every batch."""
        return CkaResult(
            units=tuple(Place(**place(unit)) for unit in self.units),
            hsic=np.stack(self._hsic),
            images=np.array(self.images, dtype=np.float64),
        )


def centred_gram(features: Tensor) -> Tensor:
    """The U-centred Gram matrix of features (B, N): float64 (B, B), diagonal 0, rows and columns sum to 0.

    <A, A'> / (B (B - 3)) of two of these is the unbiased estimate of HSIC (Song et al. 2012; in this form Székely &
    Rizzo 2014, arXiv 1310.2926).
    """
    count = len(features)
    features = features - features.mean(0)  # changes nothing but rounding: the centring takes it out again
    gram = (features @ features.T).double()
    gram.fill_diagonal_(0)
    means = gram.sum(0) / (count - 2)
    centred = gram - means[:, None] - means + gram.sum() / ((count - 1) * (count - 2))
    return centred.fill_diagonal_(0)


def plot(result: CkaResult, ax: Axes, *, label: str | None = None, color: str | None = None) -> None:
    """A map of the likeness of any two units, shallow to deep, subsampling marked, blocks in the colours of their kind.

    There is room for one network in an axes: called again, it takes the place of the one before.
    """
    for image in ax.images:
        if image.colorbar is not None:
            image.colorbar.remove()
    ax.clear()
    count = len(result.units)
    map_ = ax.imshow(result.similarity, cmap=colours.DEPTH, vmin=0, vmax=1, origin="lower", interpolation="nearest")
    ax.figure.colorbar(map_, ax=ax, label="linear CKA")
    for index in range(1, count):
        if result.units[index].grid != result.units[index - 1].grid:
            for line in (ax.axhline, ax.axvline):  # dark on white: seen on either end of the colour map
                line(index - 0.5, color="white", lw=2)
                line(index - 0.5, color=colours.INK, lw=0.9, ls=(0, (4, 3)))
    labels, size = [unit.label for unit in result.units], max(4.0, min(10.0, 220 / count))
    ax.set_xticks(range(count), labels, fontsize=size)
    ax.set_yticks(range(count), labels, fontsize=size)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_tick_params(length=0)
        for text, unit in zip(axis.get_ticklabels(), result.units, strict=True):
            text.set_color(colours.KINDS[unit.kind])
            text.set_fontweight("bold")
    ax.set_xlabel("block, first to last")
    ax.set_ylabel("block, first to last")
    if label is not None:
        ax.set_title(label, color=color or colours.INK)


ANALYSES.register("cka")(
    Analysis(
        name="cka",
        scores=("cka_neighbours",),
        result=CkaResult,
        measure=measure,
        plot=plot,
        sample=Sample("validation", augment=False, count=8, size=64),
        observe=CkaObserver,
    )
)
