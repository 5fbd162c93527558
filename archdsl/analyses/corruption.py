"""A model and batches in; how accurate it stays on corrupted images: common corruptions in five severities.

Hendrycks & Dietterich 2019 (arXiv 1903.12261), computed on the fly (`archdsl.analyses.corruptions`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.corruption_plot import VIEWS, plot
from archdsl.analyses.corruptions import CORRUPTIONS, MISSING, SEVERITIES, corrupt
from archdsl.analyses.exact import Batch, check_batches, held_still, memory_guard, right
from archdsl.analyses.result import Floats, RightAnswers
from archdsl.base.errors import UsageError


@dataclass(frozen=True, eq=False)
class CorruptionResult(RightAnswers):
    """Right answers on clean and on corrupted images.

    Attributes:
        names: of the corruptions.
        groups: noise, blur, weather or digital, of each.
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

    def ratios(self) -> dict[str, Callable[[np.ndarray], float | None]]:
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
    on_batch: Callable[[int, int], None] | None = None,
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
        on_batch: told (done, total).

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
            if on_batch is not None:
                on_batch(number, len(batches))
    return CorruptionResult(
        names=tuple(corruptions),
        groups=tuple(CORRUPTIONS[name][0] for name in corruptions),
        correct=np.moveaxis(np.array(rows, dtype=np.float64), 0, -1),
        clean=np.array(clean, dtype=np.float64),
        images=np.array([len(labels) for _, labels in batches], dtype=np.float64),
        notes=(MISSING,),
    )


ANALYSES.register("corruption")(
    Analysis(
        name="corruption",
        scores=("corruption_error", "corruption_retained"),
        result=CorruptionResult,
        measure=measure,
        plot=plot,
        sample=Sample("validation", augment=False, count=8, size=64),
        seeded=True,
        needs_std=True,
        needs_mean=True,
        usual=False,  # seventy corrupted copies of every image
        views=VIEWS,
        overlaid=VIEWS,
    )
)
