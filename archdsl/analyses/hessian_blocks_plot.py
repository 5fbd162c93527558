"""A result of the Hessian by block in, its figure out: eigenvalues against depth, blocks' letters on the axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archdsl.analyses.depth_plot import depth_edges, legend, log_heights, shade
from archdsl.analyses.result import mean_error
from archdsl.base import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from archdsl.analyses.hessian_blocks import BlocksResult, Spectrum

_LETTERS = 24  # units up to which each has its letter on the axis


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
