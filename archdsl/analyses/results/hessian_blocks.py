"""The Hessian's eigenvalues block by block, drawn against depth, with the blocks' letters on the axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archdsl.analyses.results.depth import depth_edges, legend, log_heights, shade
from archdsl.analyses.results.result import BatchMeans, Floats, Place
from archdsl.base import colours
from archdsl.base.statistics import mean_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LETTERS = 24  # units up to which each has its letter on the axis


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Top eigenvalues over some of the weights, of B batches.

    Attributes:
        eigenvalues: (B, k) by falling magnitude; k is smaller where there are fewer weights.
        residuals: (B, k) |Hy - theta y| / |theta|.
        smallest: (B,) most negative Ritz value.
        largest: (B,) largest Ritz value.
        params: how many weights.
    """

    eigenvalues: Floats
    residuals: Floats
    smallest: Floats
    largest: Floats
    params: int


@dataclass(frozen=True, eq=False)
class UnitSpectrum(Place):
    """A unit, and the spectrum over its weights."""

    spectrum: Spectrum


@dataclass(frozen=True, eq=False)
class StageSpectrum:
    """A stage (its number as the units have it), and the spectrum over the weights of all its units together."""

    stage: int
    spectrum: Spectrum


@dataclass(frozen=True, eq=False)
class BlocksResult(BatchMeans):
    """Spectra block by block.

    Attributes:
        units: those that have weights, in the network's order.
        stages: in the network's order; none where units are outside any.
        products: (B,) Hessian-vector products spent on all of them.
        asymmetry: (B,) |u.Hv - v.Hu| / (|u| |H|), the worst met.
        images: (B,) per batch.
        weight_decay: wd.
        notes: what was left out, and why.
    """

    units: tuple[UnitSpectrum, ...]
    stages: tuple[StageSpectrum, ...]
    products: Floats
    asymmetry: Floats
    images: Floats
    weight_decay: float
    notes: tuple[str, ...]

    def scores_by_batch(self) -> dict[str, Floats]:
        """block_log_lambda_conv, …_msa, …_mlp: mean over the units of a kind of ln(largest eigenvalue).

        A unit that has no positive eigenvalue on some batch does not count.
        """
        found: dict[str, list[Floats]] = {}
        for unit in self.units:
            if (unit.spectrum.largest > 0).all():
                found.setdefault(f"block_log_lambda_{unit.kind}", []).append(np.log(unit.spectrum.largest))
        return {name: np.mean(rows, axis=0) for name, rows in found.items()}


def plot(result: BlocksResult, ax: Axes, *, label: str | None = None, color: str | None = None) -> None:
    """The largest eigenvalue over each block's weights, with its standard error, and over each stage's, as a bar.

    Hollow marks are the magnitude of the most negative one; a hollow mark near a full one says that the block's loss is
    as concave in one direction as it is convex in another. Called again on the same axes with a `color`, the largest
    eigenvalues alone are drawn over the others.
    """
    edges = depth_edges(result.units)
    middle = (edges[:-1] + edges[1:]) / 2
    for x, unit in zip(middle, result.units, strict=True):
        height, error = _largest(unit.spectrum)
        shown, mark = color or colours.KINDS[unit.kind], colours.MARKERS[unit.kind]
        if height > 0:
            ax.errorbar(
                x, height, min(error, 0.99 * height), fmt=mark, color=shown, ms=6, mec="white", mew=0.6,
                ecolor=colours.INK, elinewidth=0.9, zorder=3, label="_unit",
            )  # fmt: skip
        negative = -float(unit.spectrum.smallest.mean())
        if color is None and negative > 0:
            ax.plot(x, negative, mark, ms=5, mfc="none", mec=shown, mew=1.0, zorder=3, label="_negative")
    heights = [height if height > 0 else np.nan for height, _ in (_largest(unit.spectrum) for unit in result.units)]
    ax.plot(middle, heights, color=color or colours.INK, lw=1.0 if color else 0.6, zorder=2, label=label)
    _stages(result, ax, edges, color)
    if color is None:
        shade(ax, result.units)
    log_heights(ax)
    ax.set_xlim(0, 1)
    ax.set_ylabel("eigenvalue, by block")
    if len(result.units) <= _LETTERS and color is None:
        ax.set_xticks(middle, [unit.label for unit in result.units])
        ax.tick_params(axis="x", length=0)
        ax.set_xlabel("block")
    else:
        ax.set_xlabel("normalised depth")
    kinds = sorted({unit.kind for unit in result.units})
    legend(ax, kinds, colours.KINDS if color is None else None, lines=label is not None)
    if color is None:
        _explain(ax)


def _explain(ax: Axes) -> None:
    """What hollow marks and bars are, under the kinds."""
    from matplotlib.lines import Line2D

    before = ax.get_legend()
    if before is not None:
        hollow = Line2D([], [], ls="", marker="o", ms=5, mfc="none", mec=colours.FAINT)
        bar = Line2D([], [], color=colours.INK, lw=2.2, alpha=0.75)
        handles = [*(handle for handle in before.legend_handles if handle is not None), hollow, bar]
        names = [*(text.get_text() for text in before.get_texts()), "most negative", "stage"]
        ax.legend(handles, names, frameon=False, fontsize="small", handlelength=1.2, borderaxespad=0.2)


def _largest(spectrum: Spectrum) -> tuple[float, float]:
    """Mean over the batches and its standard error, 0 where there is one batch."""
    values = spectrum.largest
    return float(values.mean()), mean_error(values, np.ones(len(values))) or 0.0


def _stages(result: BlocksResult, ax: Axes, edges: np.ndarray, color: str | None) -> None:
    """A bar over the units of each stage, at the largest eigenvalue over all of their weights."""
    for stage in result.stages:
        own = [index for index, unit in enumerate(result.units) if unit.stage == stage.stage]
        height, _ = _largest(stage.spectrum)
        if height > 0:
            inset = 0.15 * (edges[1] - edges[0])
            ax.hlines(
                height, edges[own[0]] + inset, edges[own[-1] + 1] - inset, color=color or colours.INK, lw=2.2,
                alpha=0.75, zorder=2,
            )  # fmt: skip
