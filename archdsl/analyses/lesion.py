"""Measures the accuracy that is lost when one unit is taken out, unit by unit: lesions, or ablation.

Park & Kim 2022 (arXiv 2202.06709, figure 8), after Veit et al. 2016 (arXiv 1605.06431): blocks at the end of a stage
matter more where they are attention.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.measuring.exact import Batch, check_batches, held_still, hits, memory_guard, right
from archdsl.analyses.measuring.features import module_of
from archdsl.analyses.measuring.prefix import Prefix
from archdsl.analyses.results.depth import DEPTH, depth_edges, legend, shade
from archdsl.analyses.results.result import BatchMeans, Floats, Place, place
from archdsl.base import colours
from archdsl.base.errors import RunError, UsageError
from archdsl.base.statistics import mean_error
from archdsl.blocks.layers.residual import Residual
from archdsl.network.units import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAME = 1e-4  # by how much of the largest logit two passes may differ that are the same but for a GPU's order of adding


@dataclass(frozen=True, eq=False)
class UnitLesion(Place):
    """A unit, and the network without it.

    Attributes:
        correct: (B,) images that are right without it, per batch.
        last: its block is the last one of its stage.
    """

    correct: Floats
    last: bool


@dataclass(frozen=True, eq=False)
class LesionResult(BatchMeans):
    """The network without each of its units.

    Attributes:
        units: those that can be taken out, in the network's order.
        clean: (B,) images that the whole network gets right, per batch.
        images: (B,) per batch.
        notes: what was left out, and why.
    """

    units: tuple[UnitLesion, ...]
    clean: Floats
    images: Floats
    notes: tuple[str, ...]

    def lost(self, unit: UnitLesion) -> float:
        """Accuracy lost without the unit, a fraction; below 0 where the network is better off."""
        return float((self.clean - unit.correct).sum() / self.images.sum())

    def lost_error(self, unit: UnitLesion) -> float | None:
        """Its standard error over the batches."""
        return mean_error((self.clean - unit.correct) / self.images, self.images)

    def scores_by_batch(self) -> dict[str, Floats]:
        """lesion_conv, lesion_msa, lesion_mlp: mean accuracy lost per unit of a kind, for the kinds there are.

        lesion_end_…: the same, of the units in the last blocks of the stages alone.
        """
        lost: dict[str, list[Floats]] = {}
        for unit in self.units:
            for name in [f"lesion_{unit.kind}", *([f"lesion_end_{unit.kind}"] if unit.last else [])]:
                lost.setdefault(name, []).append((self.clean - unit.correct) / self.images)
        return {name: np.mean(rows, axis=0) for name, rows in lost.items()}


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    units: Sequence[Unit],
) -> LesionResult:
    """Accuracy of the whole network and without each unit, in one forward pass per unit and batch, and two more.

    What comes before a unit is the same without it, and is run once per batch (`measuring.prefix`). The last pass
    checks that this holds; a network whose units act on one another otherwise than by their outputs is run whole.

    A `Residual` has its branch zeroed: shortcut and last activation stay. Any other module is bypassed, its output
    replaced by its input, where both have one shape; elsewhere it is left out, with a note.

    Args:
        model: images (B, C, H, W) -> logits (B, classes), in any mode; it comes back as it was.
        batches: images and labels, on the model's device.
        units: `archdsl.network.model.units(model)`, or a choice of them.

    Raises:
        UsageError: a unit is not in the model, or the batches are unusable.
        RunError: no unit can be taken out, one is not run, outputs are not finite, or memory ran out.
    """
    check_batches(model, batches)
    if not units:
        raise UsageError("no blocks to take out", "name at least one block of the network")
    modules = [module_of(model, unit) for unit in units]
    with held_still(model), memory_guard("a forward pass"), torch.no_grad():
        kept = _removable(model, modules, units, batches[0][0][:1])
        if not kept:
            raise RunError(
                "no block can be taken out: none is residual, and all change the shape of what they are given",
                "leave the analysis 'lesion' out",
            )
        clean, correct, prefix = [], [], Prefix(modules)
        for batch in batches:
            whole, row = _one(model, batch, modules, kept, prefix)
            clean.append(whole)
            correct.append(row)
    table = np.array(correct, dtype=np.float64)  # (B, kept)
    ends = {unit.block for unit in {unit.stage: unit for unit in units}.values()}  # of each stage the last one stays
    return LesionResult(
        units=tuple(
            UnitLesion(**place(units[i]), correct=table[:, column], last=units[i].block in ends)
            for column, i in enumerate(kept)
        ),
        clean=np.array(clean, dtype=np.float64),
        images=np.array([len(labels) for _, labels in batches], dtype=np.float64),
        notes=tuple(
            f"{unit.path} is not residual and changes the shape of what it is given: nothing to put in its place"
            for index, unit in enumerate(units)
            if index not in kept
        ),
    )


def _one(
    model: nn.Module, batch: Batch, modules: Sequence[nn.Module], kept: Sequence[int], prefix: Prefix
) -> tuple[int, list[int]]:
    """How many images of a batch are right, and how many without each of the kept units."""
    images, labels = batch
    with prefix.recorded():
        logits: Tensor = model(images)
    whole = hits(logits, labels)

    def each() -> list[int]:
        row = []
        for index in kept:
            with prefix.replayed(index), without(modules[index]):
                row.append(right(model, images, labels))
        return row

    if prefix.on:
        try:
            row = each()
            with prefix.replayed(None):  # last, so that what the others left behind in the network shows in it
                again: Tensor = model(images)
        except Exception:  # whatever a unit raises that misses what another one should have left for it
            again = torch.full_like(logits, torch.nan)
        if bool((again - logits).abs().max() <= SAME * logits.abs().max()):
            return whole, row
        prefix.turn_off()
    return whole, each()


@contextlib.contextmanager
def without(module: nn.Module) -> Iterator[None]:
    """The network without a unit's branch while this lasts."""
    if isinstance(module, Residual) and module.branch:
        handles = [module.get_submodule(module.branch[-1]).register_forward_hook(_zero)]
    else:
        given: list[Any] = []

        def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            given.append(inputs[0].clone())  # the module may write into it

        handles = [
            module.register_forward_pre_hook(enter),
            module.register_forward_hook(lambda module, inputs, output: given.pop()),
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _zero(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
    return torch.zeros_like(output)


def _removable(model: nn.Module, modules: Sequence[nn.Module], units: Sequence[Unit], image: Tensor) -> list[int]:
    """Indices of the units that can be taken out: residual ones, and those that keep the shape; found by running."""
    fits: dict[int, bool] = {}

    def look(index: int) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            given = inputs[0] if inputs else None
            same = isinstance(given, Tensor) and isinstance(output, Tensor) and given.shape == output.shape
            residual = isinstance(module, Residual) and bool(module.branch)
            fits[index] = (same or residual) and fits.get(index, True)

        return hook

    handles = [module.register_forward_hook(look(index)) for index, module in enumerate(modules)]
    try:
        model(image)
    finally:
        for handle in handles:
            handle.remove()
    for index, unit in enumerate(units):
        if index not in fits:
            raise RunError(f"block '{unit.path}' was not run in the forward pass")
    return [index for index, fit in sorted(fits.items()) if fit]


def plot(result: LesionResult, ax: Axes, *, label: str | None = None, color: str | None = None) -> None:
    """The accuracy lost without each unit, a bar with its standard error, against normalised depth.

    Attention units are shaded, subsampling is marked. Called again on the same axes with a `color`, marks are drawn in
    place of bars.
    """
    edges = depth_edges(result.units)
    middle, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    heights = [100 * result.lost(unit) for unit in result.units]
    errors = [100 * (result.lost_error(unit) or 0.0) for unit in result.units]
    if color is None:
        shades = [colours.KINDS[unit.kind] for unit in result.units]
        ax.bar(middle, heights, 0.6 * width, color=shades)
        low, high = np.subtract(heights, errors), np.add(heights, errors)
        for line, lw in (("white", 2.6), (colours.INK, 1.0)):  # edged in white: half of it lies on a dark bar
            ax.vlines(middle, low, high, color=line, lw=lw)
        shade(ax, result.units)
    ax.axhline(0, color=colours.INK, lw=0.8)
    ax.plot(middle, heights, color=color or colours.INK, lw=1.0 if color else 0, label=label)
    for x, y, unit in zip(middle, heights, result.units, strict=True):
        ax.plot(
            x, y, colours.MARKERS[unit.kind], color=color or colours.KINDS[unit.kind], ms=5.5, mec="white", mew=0.6,
            zorder=3,
        )  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_xlabel(DEPTH)
    ax.set_ylabel("accuracy lost (percentage points)")
    kinds = sorted({unit.kind for unit in result.units})
    legend(ax, kinds, colours.KINDS if color is None else None, lines=label is not None)


ANALYSES.register("lesion")(
    Analysis(
        name="lesion",
        scores=("lesion_conv", "lesion_msa", "lesion_mlp", "lesion_end_conv", "lesion_end_msa", "lesion_end_mlp"),
        result=LesionResult,
        measure=measure,
        plot=plot,
        sample=Sample("validation", augment=False, count=8, size=64),
    )
)
