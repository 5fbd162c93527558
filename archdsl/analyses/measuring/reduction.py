"""Reduces every unit's feature maps to a few numbers per batch: what observers of one map at a time share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from archdsl.analyses.results.result import Floats
from archdsl.base.errors import RunError
from archdsl.network.units import Unit


class Reduced(NamedTuple):
    """A unit's maps as numbers: of its output, and of its input where that is on the same grid."""

    after: Floats
    before: Floats | None


class Reduction:
    """An observer that reduces every map to a short vector as the forward pass goes by.

    Subclasses say how in `reduce`. A unit that runs several times in a pass counts by its mean.
    """

    def __init__(self, units: Sequence[Unit], kept: Sequence[int]) -> None:
        self.units = units
        self.kept = list(kept)  # indices of the units looked at
        self.images: list[int] = []  # per batch
        self._looked_at = frozenset(kept)
        self._rows: dict[tuple[str, int], list[Tensor]] = {}  # of the batch under way
        self._batches: list[dict[tuple[str, int], Tensor]] = []
        self._last: tuple[Tensor, int, Tensor] | None = None

    def reduce(self, image: Tensor) -> Tensor:
        """A map (B, C, H, W) to a float64 vector (N,)."""
        raise NotImplementedError

    def enter(self, index: int, image: Tensor | None) -> None:
        """The input counts where it is on the output's grid."""
        if image is not None and index in self._looked_at and tuple(image.shape[2:]) == self.units[index].grid:
            self._add("before", index, image)

    def leave(self, index: int, image: Tensor) -> None:
        """The output always counts."""
        if index in self._looked_at:
            self._add("after", index, image)

    def end_batch(self, images: int) -> None:
        """Close the rows of a batch."""
        self._batches.append({key: torch.stack(rows).mean(0) for key, rows in self._rows.items()})
        self.images.append(images)
        self._rows = {}
        self._last = None

    def by_batch(self) -> list[list[Reduced]]:
        """What each batch gave for each kept unit; the numbers leave the device here and not before."""
        return [self._reduced(batch) for batch in self._batches]

    def pooled(self) -> list[Reduced]:
        """Per kept unit, the mean over all images."""
        shares = [count / sum(self.images) for count in self.images]
        sums: dict[tuple[str, int], Tensor] = {}
        for batch, share in zip(self._batches, shares, strict=True):
            sums = {key: row * share + sums.get(key, 0) for key, row in batch.items()}
        return self._reduced(sums)

    def notes(self, lack: str) -> tuple[str, ...]:
        """A line for each unit that was left out."""
        left_out = [unit for index, unit in enumerate(self.units) if index not in self._looked_at]
        return tuple(
            f"{unit.path} is {f'{unit.grid[0]} x {unit.grid[1]}' if unit.is_map else 'a vector'}: {lack}"
            for unit in left_out
        )

    def _add(self, side: str, index: int, image: Tensor) -> None:
        # A unit's input is mostly the very map that the one before gave, unless something wrote into it since.
        if self._last is None or self._last[0] is not image or self._last[1] != image._version:
            self._last = (image, image._version, self.reduce(image))
        self._rows.setdefault((side, index), []).append(self._last[2])

    def _reduced(self, rows: dict[tuple[str, int], Tensor]) -> list[Reduced]:
        values = {key: row.cpu().numpy() for key, row in rows.items()}
        for index in self.kept:
            finite_output(values["after", index], self.units[index])
        return [Reduced(values["after", index], values.get(("before", index))) for index in self.kept]


def finite_output(values: Floats, unit: Unit) -> None:
    """Refuse what is computed from an output with inf or nan in it."""
    if not abs(values).max(initial=0.0) < float("inf"):
        raise RunError(f"the output of block '{unit.path}' is not finite", "look for inf or nan in the weights")
