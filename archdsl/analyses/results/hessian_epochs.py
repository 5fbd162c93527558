"""Draws the Hessian eigenvalues of several epochs of one training against the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from archdsl.analyses.results.hessian import HessianResult
from archdsl.analyses.results.result import Floats
from archdsl.base import colours
from archdsl.base.statistics import mean_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(epochs: Sequence[int], results: Sequence[HessianResult], ax: Axes) -> None:
    """Draw the top eigenvalues of all batches as dots, and both ends of the spectrum as lines with standard errors.

    The axis is logarithmic both ways from a linear middle, which reaches to the smallest magnitude that is drawn.

    Args:
        epochs: of the results.
        results: one per epoch, of the same batches.
        ax: where.
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator

    values = np.concatenate([result.eigenvalues.ravel() for result in results])
    sizes = np.abs(values[values != 0])
    middle, end = (float(sizes.min()), float(sizes.max())) if sizes.size else (1.0, 1.0)
    ax.set_yscale("symlog", linthresh=middle, linscale=0.3)
    decades = 10.0 ** np.arange(np.ceil(np.log10(middle)), np.floor(np.log10(end)) + 1)
    ax.yaxis.set_major_locator(FixedLocator([*-decades[::-1], 0.0, *decades]))  # none crowded into the middle
    for epoch, result in zip(epochs, results, strict=True):
        spectrum = result.eigenvalues.ravel()
        ax.plot(
            np.full(len(spectrum), epoch), spectrum, "_", color=colours.FAINT, ms=8, mew=0.8, alpha=0.7, zorder=1
        )  # fmt: skip
    _line(ax, epochs, [result.largest for result in results], "largest", colours.network(0), "o")
    _line(ax, epochs, [result.smallest for result in results], "most negative", colours.network(1), "D")
    ax.axhline(0, color=colours.FAINT, lw=0.8, zorder=0)
    ax.set_xlabel("epoch")
    ax.set_ylabel("Hessian eigenvalues")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize="small")


def _line(ax: Axes, epochs: Sequence[int], ends: Sequence[Floats], label: str, color: str, mark: str) -> None:
    """The mean over the batches of one end of the spectrum."""
    heights = [float(end.mean()) for end in ends]
    errors = [mean_error(end, np.ones(len(end))) or 0.0 for end in ends]
    ax.errorbar(epochs, heights, errors, fmt=f"{mark}-", color=color, ms=4.5, lw=1.3, elinewidth=0.9, label=label)
