"""A density result in, its figure out: all eigenvalues on a linear axis, their density on a logarithmic one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archdsl.base import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from archdsl.analyses.hessian_density import DensityResult


def plot(result: DensityResult, ax: Axes, *, label: str | None = None, color: str | None = None) -> None:
    """Draw the density of all eigenvalues, as Ghorbani et al. 2019 do; call it again on the same axes to compare.

    The lower end of the axis is a tenth of one eigenvalue of the network with the most parameters: what lies below is
    the flank of a Gaussian and no eigenvalue.

    Args:
        result: what to draw.
        ax: where.
        label: the network's name, for the legend.
        color: the network's colour; by default the next of the palette.
    """
    drawn = len(ax.collections)
    color = color or colours.network(drawn)
    at, heights = result.density()
    width = (at[-1] - at[0]) or 1.0
    floor = 0.1 / (result.params * width)
    ax.plot(at, np.maximum(heights, 0.01 * floor), color=color, label=label, lw=1.2, solid_joinstyle="round")
    ax.fill_between(at, heights, 0.01 * floor, color=color, alpha=0.12, linewidth=0)
    bottom, top = (floor, 3 * float(heights.max()))
    if drawn:
        low, high = ax.get_ylim()
        bottom, top = min(low, bottom), max(high, top)
    ax.set_yscale("log")
    ax.set_ylim(bottom, top)
    if not drawn:
        ax.axvline(0, color=colours.FAINT, lw=0.8, zorder=0, label="_zero")
    ax.set_xlabel("eigenvalue of the NLL's Hessian")
    ax.set_ylabel("density")
    if label is not None:
        ax.legend(frameon=False, loc="upper right")
