"""Measures how accurate a network stays on corrupted images: common corruptions in five severities.

Hendrycks & Dietterich 2019 (arXiv 1903.12261), computed on the fly (`archdsl.analyses.measuring.corruptions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.measuring.corruptions import CORRUPTIONS, MISSING, SEVERITIES, corrupt
from archdsl.analyses.measuring.exact import Batch, check_batches, held_still, memory_guard, right
from archdsl.analyses.results.result import Floats, RightAnswers, Statistic
from archdsl.base import colours
from archdsl.base.errors import UsageError
from archdsl.base.statistics import mean_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

View = Literal["corruption", "severity"]
VIEWS: tuple[str, ...] = ("corruption", "severity")


@dataclass(frozen=True, eq=False)
class CorruptionResult(RightAnswers):
    """Right answers on clean and on corrupted images.

    Attributes:
        names: of the corruptions.
        groups: noise, blur, light or digital, of each.
        correct: (N, 5, B) images that are right with each corruption in each severity, per batch.
        clean: (B,) images that are right as they are.
        images: (B,) per batch.
        notes: what was left out, and why.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    correct: Floats
    clean: Floats
    images: Floats
    notes: tuple[str, ...]

    def statistics(self) -> dict[str, Statistic]:
        """corruption_error, and corruption_retained unless nothing is right without corruption."""
        return {"corruption_error": self._error, "corruption_retained": self._retained}

    def _error(self, kept: np.ndarray) -> float | None:
        return float(1 - self.correct[..., kept].sum(2).mean() / self.images[kept].sum())

    def _retained(self, kept: np.ndarray) -> float | None:
        clean = self.clean[kept].sum()
        return float(self.correct[..., kept].sum(2).mean() / clean) if clean > 0 else None


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    *,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
    corruptions: Sequence[str] = tuple(CORRUPTIONS),
    seed: int = 0,
) -> CorruptionResult:
    """Accuracy with every corruption in every severity, one forward pass each, and one without.

    The normalisation is taken back, the image corrupted in values from 0 to 1, brought to 8 bits and normalised again.
    What is random comes from the seed, the same for every network. It is computed on the CPU, wherever the model is.

    Args:
        model: images (B, C, H, W) -> logits (B, classes); it comes back as it was.
        batches: normalised images and labels, on the model's device.
        mean, std: per channel, of the normalisation (`Dataset.mean`, `Dataset.std`).
        corruptions: names.
        seed: of whatever is random.

    Raises:
        UnknownNameError: there is no such corruption.
        UsageError: the images are smaller than 8 x 8, mean or std do not fit them, or the batches are unusable.
        RunError: outputs are not finite, or memory ran out.
    """
    check_batches(model, batches)
    channels = batches[0][0].shape[1]
    if not corruptions:
        raise UsageError("no corruptions to measure", f"there are: {', '.join(CORRUPTIONS)}")
    if any(len(values) not in (1, channels) for values in (mean, std)):
        raise UsageError(f"{len(mean)} means and {len(std)} standard deviations for {channels} channels")
    shift, scale = (torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (mean, std))
    clean, rows = [], []
    with held_still(model), memory_guard("a forward pass"), torch.no_grad():
        for number, (images, labels) in enumerate(batches, start=1):
            pixels = (images.double().cpu() * scale + shift).clamp(0, 1).numpy()

            def correct(
                name: str, severity: int, pixels: Floats = pixels, images: Tensor = images, labels: Tensor = labels,
                number: int = number,
            ) -> int:  # fmt: skip
                found = torch.from_numpy(corrupt(pixels, name, severity, (seed, number)))
                return right(model, ((found - shift) / scale).to(images), labels)

            clean.append(right(model, images, labels))
            rows.append([[correct(name, level) for level in range(1, SEVERITIES + 1)] for name in corruptions])
    return CorruptionResult(
        names=tuple(corruptions),
        groups=tuple(CORRUPTIONS[name][0] for name in corruptions),
        correct=np.moveaxis(np.array(rows, dtype=np.float64), 0, -1),
        clean=np.array(clean, dtype=np.float64),
        images=np.array([len(labels) for _, labels in batches], dtype=np.float64),
        notes=(MISSING,),
    )


def plot(
    result: CorruptionResult, ax: Axes, *, label: str | None = None, color: str | None = None, view: View = "corruption"
) -> None:
    """Draw wrong answers by corruption, or accuracy by severity; call it again on the same axes to compare networks.

    Args:
        result: what to draw.
        ax: where.
        label: the network's name, for the legend.
        color: of the network; by default the next of the palette.
        view: which of the two.
    """
    number = len(ax.containers) if view == "severity" else len(ax.collections)
    color = color or colours.network(number)
    marker = colours.marker(number)
    if view == "severity":
        _by_severity(result, ax, label, color, marker)
    else:
        _by_corruption(result, ax, label, color, marker, number)
    if label is not None:
        ax.legend(frameon=False, fontsize="small")


def _by_corruption(result: CorruptionResult, ax: Axes, label: str | None, color: str, marker: str, number: int) -> None:
    """A row each: the mean over the severities, and a line from the mildest to the strongest."""
    errors = 100 * (1 - result.accuracy)
    rows = np.arange(len(result.names), dtype=np.float64)
    at = rows + 0.22 * number
    ax.hlines(at, errors.min(1), errors.max(1), color=color, lw=1.1, alpha=0.6)
    ax.plot(errors.mean(1), at, marker, color=color, ms=4.5, mec="white", mew=0.5, label=label)
    ax.axvline(100 * (1 - result.clean_accuracy), color=color, lw=0.9, ls=(0, (4, 3)), zorder=1)
    ax.set_yticks(rows, [name.replace("_", " ") for name in result.names], fontsize="small")
    for before, (one, other) in enumerate(zip(result.groups, result.groups[1:], strict=False)):
        if one != other and not number:
            ax.axhline(before + 0.5, color=colours.FAINT, lw=0.5)
    ax.set_ylim(len(rows) - 0.3, -0.7)
    ax.set_xlabel("wrong answers (%), mean and range of five severities; dashed: clean images")


def _by_severity(result: CorruptionResult, ax: Axes, label: str | None, color: str, marker: str) -> None:
    """The mean over the corruptions, with its standard error over the batches."""
    share = np.concatenate([result.clean[None], result.correct.mean(0)]) / result.images  # (6, B)
    mean = share @ (result.images / result.images.sum())
    error = [100 * (mean_error(row, result.images) or 0.0) for row in share]
    ax.errorbar(
        range(len(mean)),
        100 * mean,
        np.multiply(100, error),
        color=color,
        marker=marker,
        ms=4,
        lw=1.3,
        elinewidth=0.9,
        label=label,
    )
    ax.set_xticks(range(len(mean)), ["clean", *map(str, range(1, len(mean)))])
    ax.set_xlabel("severity")
    ax.set_ylabel("accuracy (%)")


ANALYSES.register("corruption")(
    Analysis(
        name="corruption",
        scores=("corruption_error", "corruption_retained"),
        result=CorruptionResult,
        measure=measure,
        plot=plot,
        sample=Sample("validation", augment=False, count=8, size=64),
        revision=1,  # of fourteen corruptions ten are left
        usual=False,  # fifty corrupted copies of every image
        views=VIEWS,
        overlaid=VIEWS,
    )
)
