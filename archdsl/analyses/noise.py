"""Measures how accurate a network stays when noise of one band of frequencies is added to the images.

Park & Kim 2022 (arXiv 2202.06709, figure 2b), after Yin et al. 2019 (arXiv 1906.08988): networks of attention stand
high-frequency noise better, convolutional ones low-frequency noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.measuring.exact import Batch, check_batches, generator, held_still, memory_guard, right
from archdsl.analyses.results.result import Floats, RightAnswers, Statistic
from archdsl.base import colours
from archdsl.base.errors import RunError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS = tuple((low / 10, (low + 1) / 10) for low in range(10))  # of pi, the lower end not included
SPLIT = 0.5  # of pi: which bands are low, which high


@dataclass(frozen=True, eq=False)
class NoiseResult(RightAnswers):
    """Right answers with and without noise.

    Attributes:
        frequency: (F,) upper end of each band, in units of pi.
        correct: (F, B) images that are right with noise in the band, per batch.
        clean: (B,) images that are right without noise.
        images: (B,) per batch.
        strength: root mean square of the noise per pixel value, pixels counting from 0 to 1.
        notes: what was left out, and why.
    """

    frequency: Floats
    correct: Floats
    clean: Floats
    images: Floats
    strength: float
    notes: tuple[str, ...]

    def statistics(self) -> dict[str, Statistic]:
        """noise_auc, unless nothing is right without noise; noise_tilt, if there are bands on both sides of 0.5 pi."""
        return {"noise_auc": self._auc, "noise_tilt": self._tilt}

    def _auc(self, kept: np.ndarray) -> float | None:
        clean = self.clean[kept].sum()
        return float((self.correct[:, kept].sum(1) / clean).mean()) if clean > 0 else None

    def _tilt(self, kept: np.ndarray) -> float | None:
        accuracy = self.correct[:, kept].sum(1) / self.images[kept].sum()
        high = self.frequency > SPLIT + 1e-9
        return float(accuracy[high].mean() - accuracy[~high].mean()) if high.any() and not high.all() else None


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    *,
    std: Sequence[float] = (1.0,),
    strength: float = 0.1,
    compat: Literal["parkkim"] | None = None,
    seed: int = 0,
) -> NoiseResult:
    """Accuracy with noise in each of ten bands of frequencies, one forward pass per band, and one without.

    The noise is added before the images are normalised, hence divided by `std` here, where they are normalised already;
    nothing is clipped, so that the noise stays in its band. It is the same for every network, from the seed.
    Scores: `noise_auc`, mean over the bands of accuracy with noise over accuracy without; `noise_tilt`, mean accuracy
    over the bands above 0.5 pi minus that over those below.

    Args:
        model: images (B, C, H, W) -> logits (B, classes); it comes back as it was.
        batches: normalised images and labels, on the model's device.
        std: per channel, what the images were divided by (`Dataset.std`).
        strength: root mean square of each image's noise, pixel values counting from 0 to 1; the same in all bands.
        compat: "parkkim": white noise of that strength, of which the band is cut out, as in the paper's public code:
            its norm grows with the frequency, so that the noise of high bands is stronger.
        seed: of the noise.

    Raises:
        UsageError: the strength is not positive, `std` does not fit the images, or the batches are unusable.
        RunError: no band has a frequency of images this small, outputs are not finite, or memory ran out.
    """
    check_batches(model, batches)
    if not 0 < strength < float("inf"):
        raise UsageError(f"noise of strength {strength:g}", "it has to be positive; 0.1 is a tenth of black to white")
    _, channels, H, W = batches[0][0].shape
    if len(std) not in (1, channels):
        raise UsageError(f"{len(std)} standard deviations for {channels} channels")
    masks = [ring((H, W), low, high) for low, high in BANDS]
    kept = [index for index, mask in enumerate(masks) if bool(mask.any())]
    if not kept:
        raise RunError(f"images of {H} x {W} have no frequencies besides 0, so no noise of one")
    rows, clean = [], []
    with held_still(model), memory_guard("a forward pass"), torch.no_grad():
        for number, (images, labels) in enumerate(batches, start=1):
            draws = generator(seed * 1_000_003 + number)
            white = torch.randn(images.shape, generator=draws)
            scale = torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1)
            clean.append(right(model, images, labels))
            rows.append(
                [
                    right(model, images + (band_noise(white, masks[i], strength, compat) / scale).to(images), labels)
                    for i in kept
                ]
            )
    return NoiseResult(
        frequency=np.array([BANDS[index][1] for index in kept]),
        correct=np.array(rows, dtype=np.float64).T,
        clean=np.array(clean, dtype=np.float64),
        images=np.array([len(labels) for _, labels in batches], dtype=np.float64),
        strength=float(strength),
        notes=tuple(
            f"{low:g} to {high:g} pi: images of {H} x {W} have no frequency there"
            for index, (low, high) in enumerate(BANDS)
            if index not in kept
        ),
    )


def ring(grid: tuple[int, int], low: float, high: float) -> Tensor:
    """A square ring of FFT2 bins: bool (H, W), where low < max(|f_y|, |f_x|) <= high, frequencies in units of pi.

    >>> ring((4, 4), 0.5, 1.0).int().tolist()
    [[0, 0, 1, 0], [0, 0, 1, 0], [1, 1, 1, 1], [0, 0, 1, 0]]
    """
    rows, columns = (2 * torch.fft.fftfreq(side, dtype=torch.float64).abs() for side in grid)
    size = torch.maximum(rows[:, None], columns)
    return (size > low + 1e-9) & (size <= high + 1e-9)  # 0.3 and the like are no binary fractions


def band_noise(white: Tensor, mask: Tensor, strength: float, compat: Literal["parkkim"] | None = None) -> Tensor:
    """Re IFFT2(mask * FFT2(white)): white noise (B, C, H, W) of deviation 1 cut down to a band, (B, C, H, W).

    The result has root mean square `strength` in every image; with `compat` it is the white noise that has.
    """
    noise: Tensor = torch.fft.ifft2(torch.fft.fft2(white) * mask).real
    if compat is None:
        noise = noise / noise.square().mean((1, 2, 3), keepdim=True).sqrt()
    return noise * strength


def plot(result: NoiseResult, ax: Axes, *, label: str | None = None, color: str | None = None) -> None:
    """Accuracy against the frequency of the noise, bars of one standard error, the accuracy without noise dashed.

    Call it again on the same axes to compare networks.
    """
    from matplotlib.lines import Line2D

    number = len(ax.containers)
    color = color or colours.network(number)
    marker = colours.marker(number)
    middle = result.frequency - 0.05
    accuracy, images = result.accuracy, result.images.sum()
    error = np.sqrt(accuracy * (1 - accuracy) / max(1.0, images - 1))
    ax.errorbar(
        middle, 100 * accuracy, 100 * error, color=color, marker=marker, ms=4, lw=1.3, elinewidth=0.9, label=label
    )
    ax.axhline(100 * result.clean_accuracy, color=color, lw=0.9, ls=(0, (4, 3)), zorder=1)
    ax.set_xlim(0, 1)
    ax.set_xlabel("frequency of the noise (π per pixel)")
    ax.set_ylabel(f"accuracy with noise of {result.strength:g} rms (%)")
    handles, names = ax.get_legend_handles_labels()
    clean = Line2D([], [], color=colours.FAINT if handles else color, lw=0.9, ls=(0, (4, 3)))
    ax.legend([*handles, clean], [*names, "without noise"], frameon=False, fontsize="small")


ANALYSES.register("noise")(
    Analysis(
        name="noise",
        scores=("noise_auc", "noise_tilt"),
        result=NoiseResult,
        measure=measure,
        plot=plot,
        sample=Sample("validation", augment=False, count=8, size=64),
        compat=("parkkim",),
        overlaid=("",),
    )
)
