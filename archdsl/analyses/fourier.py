"""Measures the relative log amplitude of each unit's output: which spatial frequencies its feature maps are made of.

A(f) = mean over batch and channel of ln(|FFT2(x)| + 1e-6) along the diagonal from the centre of the spectrum to its
corner, and dA(f) = A(f) - A(0), in nats (Park & Kim 2022, arXiv 2202.06709, section 3). Frequencies are true ones, in
units of pi per pixel, up to Nyquist (1.0) where the map's side is even.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.measuring.exact import Batch
from archdsl.analyses.measuring.features import watch
from archdsl.analyses.measuring.reduction import Reduced, Reduction
from archdsl.analyses.results.fourier import HIGH, FourierResult, UnitCurve, plot, stage_ends
from archdsl.analyses.results.result import Floats, place
from archdsl.base.errors import RunError
from archdsl.network.units import Unit

FLOOR = 1e-6


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    units: Sequence[Unit],
    *,
    compat: Literal["parkkim"] | None = None,
) -> FourierResult:
    """The relative log amplitude of every unit's output, in one forward pass per batch.

    Scores: `high_freq` is dA at 0.5 pi, averaged over the last units of all stages; `smoothing_contrast` how much more
    the attention units change dA from input to output (averaged over f > 0) than the conv units do: negative where
    attention smooths and convolution sharpens, as the paper finds. Units that change the grid do not count there.

    Args:
        model: in any mode; it comes back as it was.
        batches: images (B, C, H, W) and labels, on the model's device; labels are not looked at.
        units: `archdsl.network.model.units(model)`, or a choice of them.
        compat: "parkkim": label the bins as the paper's public code does: without the Nyquist frequency, and stretched
            so that the last one is called 1.0 pi, where it is 0.5 pi (4 x 4) to 0.96 pi (56 x 56).

    Raises:
        UsageError: a unit is not in the model.
        RunError: none has a map larger than 1 x 1, one gave no map, or numbers that are not finite.
    """
    observer = FourierObserver(units, compat)
    watch(model, batches, units, [observer])
    return observer.result()


def diagonal(image: Tensor) -> Tensor:
    """|FFT2| along the diagonal from the centre to the corner: (…, H, W) -> (…, F), see `frequencies`.

    For a square map these are the bins (j, j) of FFT2. On a map that is not square they are the bins nearest to the
    frequencies of its shorter side: exact where the longer side is a multiple, else at most half a bin off there.
    """
    H, W = image.shape[-2:]
    side = min(H, W)
    mean = image.mean((-2, -1), keepdim=True)
    amplitude: Tensor
    centred = image - mean  # of a constant map nothing is left, and not some rounding of its mean
    if max(H, W) % side == 0:
        amplitude = torch.fft.rfft(_projection(centred)).abs()
    else:
        bins = np.arange(side // 2 + 1)
        rows, columns = ((bins * length / side).round().astype(np.int64) for length in (H, W))
        spectrum = torch.fft.rfft2(centred).flatten(-2)
        places = (rows * (W // 2 + 1) + columns).tolist()
        amplitude = torch.stack([spectrum[..., place] for place in places], -1).abs()
    amplitude[..., 0] = mean[..., 0, 0].abs() * (H * W)
    return amplitude


def _projection(image: Tensor) -> Tensor:
    """Sums over the lines h + w = t modulo the shorter side N: (…, H, W) -> (…, N), the longer side a multiple of it.

    The diagonal of FFT2 is the FFT of these (the projection-slice theorem): a sum over the map in place of its FFT2.
    """
    *lead, H, W = image.shape
    side = min(H, W)
    if H > W:
        image = image.reshape(*lead, H // side, side, side).sum(-3)
    elif W > H:
        image = image.reshape(*lead, side, W // side, side).sum(-2)
    # Each row twice, one after the other: as rows of 2N - 1, each begins one pixel earlier than the one before.
    twice = torch.cat([image, image], -1).flatten(-2)
    return twice[..., side:].reshape(*lead, side, 2 * side - 1)[..., :side].sum(-2)


def frequencies(grid: tuple[int, int], compat: Literal["parkkim"] | None = None) -> Floats:
    """Frequencies of a map's diagonal, in units of pi.

    With `compat` the labels of the paper's public code: the bins below Nyquist, spread evenly from 0 to 1.

    >>> frequencies((8, 8)), frequencies((7, 7)).round(3), frequencies((1, 1))
    (array([0.  , 0.25, 0.5 , 0.75, 1.  ]), array([0.   , 0.286, 0.571, 0.857]), array([0.]))
    >>> frequencies((8, 8), "parkkim").round(3)
    array([0.   , 0.333, 0.667, 1.   ])
    """
    side = min(grid)
    if compat is not None:
        return np.linspace(0.0, 1.0, (side + 1) // 2)
    return np.asarray(np.arange(side // 2 + 1) * 2 / side, dtype=np.float64)


class FourierObserver(Reduction):
    """Reduces every map to its mean log amplitudes as the forward pass goes by."""

    def __init__(self, units: Sequence[Unit], compat: Literal["parkkim"] | None = None) -> None:
        self.compat = compat
        least = 1 if compat is None else 2  # without its Nyquist frequency a map of 2 x 2 has none
        super().__init__(units, [index for index, unit in enumerate(units) if min(unit.grid) > least])
        if not self.kept:
            raise RunError("no block has a map larger than 1 x 1, so there are no frequencies to measure")

    def reduce(self, image: Tensor) -> Tensor:
        """(B, C, H, W) -> A (F,)."""
        return (diagonal(image) + FLOOR).log().mean((0, 1), dtype=torch.float64)

    def result(self) -> FourierResult:
        """Curves over all images, scores per batch."""
        by_batch = [self._curves(rows) for rows in self.by_batch()]
        contrasts = [_contrast(batch) for batch in by_batch]
        return FourierResult(
            units=self._curves(self.pooled()),
            images=np.array(self.images, dtype=np.float64),
            high_freq=np.array([np.mean([curve.at(HIGH) for curve in stage_ends(batch)]) for batch in by_batch]),
            smoothing_contrast=np.array([contrast for contrast in contrasts if contrast is not None]),
            notes=self.notes("no frequencies"),
        )

    def _curves(self, rows: Sequence[Reduced]) -> tuple[UnitCurve, ...]:
        units = [self.units[index] for index in self.kept]
        return tuple(
            UnitCurve(
                **place(unit), frequency=labels, after=row.after[: len(labels)],
                before=None if row.before is None else row.before[: len(labels)],
            )
            for unit, row in zip(units, rows, strict=True)
            for labels in [frequencies(unit.grid, self.compat)]
        )  # fmt: skip


def _contrast(curves: Iterable[UnitCurve]) -> float | None:
    """Mean change of dA over the attention units, minus that over the conv units."""
    change: dict[str, list[float]] = {"msa": [], "conv": [], "mlp": []}
    for curve in curves:
        if curve.before is not None:
            gained = curve.relative - (curve.before - curve.before[0])
            change[curve.kind].append(float(gained[1:].mean()))
    if not change["msa"] or not change["conv"]:
        return None
    return float(np.mean(change["msa"]) - np.mean(change["conv"]))


ANALYSES.register("fourier")(
    Analysis(
        name="fourier",
        scores=("high_freq", "smoothing_contrast"),
        result=FourierResult,
        measure=measure,
        plot=plot,
        sample=Sample("validation", augment=False, count=12, size=16),
        compat=("parkkim",),
        observe=FourierObserver,
        views=("frequency", "depth"),
        beside=True,
    )
)
