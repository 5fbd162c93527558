"""A loss landscape, drawn as a contour map, along its two directions, or as a surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from archdsl.analyses.results.result import BatchMeans, Floats
from archdsl.base import colours
from archdsl.base.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

View = Literal["contour", "line", "surface"]
VIEWS: tuple[str, ...] = ("contour", "line", "surface")
_TICKS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_FIRST, _SECOND = "direction 1 (filter norms)", "direction 2 (filter norms)"


@dataclass(frozen=True, eq=False)
class LandscapeResult(BatchMeans):
    """The loss at w + a d1 + b d2.

    Attributes:
        steps: (N,) of a, and of b, from -1 to 1; the middle one is 0.
        by_batch: (N, N, B) mean NLL of each batch at [b, a], nats.
        images: (B,) per batch.
        penalty: (N, N) (wd/2)|w|^2 at [b, a], nats; in no other number here unless `compat` says so.
        weight_decay: wd.
        seed: of the directions.
        compat: "parkkim": directions and penalty are those of the paper's public code, and `loss` includes the penalty.
    """

    steps: Floats
    by_batch: Floats
    images: Floats
    penalty: Floats
    weight_decay: float
    seed: int
    compat: str | None = None

    @property
    def nll(self) -> Floats:
        """(N, N) over all images."""
        nll: Floats = np.average(self.by_batch, axis=2, weights=self.images)
        return nll

    @property
    def loss(self) -> Floats:
        """(N, N) what is drawn: the NLL, with `compat` the penalty on top."""
        return self.nll if self.compat is None else self.nll + self.penalty

    @property
    def notes(self) -> tuple[str, ...]:
        """With `compat`, how much of what is drawn is not the NLL."""
        if self.compat is None:
            return ()
        middle = len(self.steps) // 2
        share = self.penalty / self.loss
        parts = f"{100 * share[middle, middle]:.0f}% of the value in the centre, {100 * share.mean():.0f}% on average"
        return (f"the L2 term is {parts}",)

    def scores_by_batch(self) -> dict[str, Floats]:
        """landscape_rise: mean loss over the points of the unit disc, minus the loss in its centre; nats.

        Its error is over the batches; the directions are one draw.
        """
        middle = len(self.steps) // 2
        disc = self.steps[:, None] ** 2 + self.steps**2 <= 1 + 1e-9
        rises: Floats = self.by_batch[disc].mean(0) - self.by_batch[middle, middle]
        if self.compat is not None:
            rises = rises + (self.penalty[disc].mean() - self.penalty[middle, middle])
        return {"landscape_rise": rises}


def plot(
    result: LandscapeResult,
    ax: Axes,
    *,
    label: str | None = None,
    color: str | None = None,
    view: View = "contour",
    beside: Sequence[LandscapeResult] = (),
) -> None:
    """Draw the loss around the weights; call it again on the same axes with a `color` to compare.

    View "contour": a map, levels in equal ratios of the loss, a cross in the centre. View "line": along both directions
    through the centre, the second dashed. View "surface": in perspective.

    Args:
        result: what to draw.
        ax: where; for "surface" made with `projection="3d"`.
        label: the network's name, for the legend.
        color: one colour for the whole network.
        view: which of the three.
        beside: results that are drawn next to this one, on one scale with it.

    Raises:
        UsageError: a surface in axes that are flat.
    """
    levels = _levels(np.stack([one.loss for one in (result, *beside)]))
    if view == "line":
        _lines(result, ax, label, color)
    elif view == "surface":
        _surface(result, ax, label, color, levels)
    else:
        _contours(result, ax, label, color, levels)


def _contours(result: LandscapeResult, ax: Axes, label: str | None, color: str | None, levels: Floats) -> None:
    steps = result.steps
    if color is None:
        from matplotlib.colors import LogNorm

        norm = LogNorm(levels[0], levels[-1])
        filled = ax.contourf(steps, steps, result.loss, levels, cmap=colours.DEPTH, norm=norm)
        bar = ax.figure.colorbar(filled, ax=ax, label=_height(result))
        bar.set_ticks(list(levels[::2]), labels=[f"{level:.2g}" for level in levels[::2]])
        bar.minorticks_off()
    lines = ax.contour(steps, steps, result.loss, levels, colors=color or "white", linewidths=0.9 if color else 0.5)
    if color and label is not None:
        ax.plot([], [], color=color, lw=0.9, label=label)
        ax.legend(frameon=True, framealpha=0.85, fontsize="small", loc="upper right")
    if color:
        ax.clabel(lines, levels=list(levels[::3]), fmt=lambda level: f"{level:.2g}", fontsize="x-small")
    ax.plot(0, 0, "+", color=color or "white", ms=8, mew=1.4)
    ax.set_aspect("equal")
    ax.set_xticks(_TICKS)
    ax.set_yticks(_TICKS)
    ax.set_xlabel(_FIRST)
    ax.set_ylabel(_SECOND)


def _height(result: LandscapeResult) -> str:
    return "NLL (nats)" if result.compat is None else "NLL + L2 term (nats)"


def _levels(loss: Floats) -> Floats:
    """Twelve levels in equal ratios, from the lowest loss to the highest."""
    low = max(float(loss.min()), 1e-3 * float(loss.max()), 1e-12)
    return np.geomspace(low * (1 - 1e-6), max(float(loss.max()), low) * (1 + 1e-6), 13)


def _lines(result: LandscapeResult, ax: Axes, label: str | None, color: str | None) -> None:
    middle = len(result.steps) // 2
    number = len(ax.lines) // 2
    color = color or colours.network(number)
    marks: dict[str, Any] = {}
    if label is not None:  # networks in one axes are told apart in grey, too
        marks = {"marker": colours.marker(number), "ms": 3.5, "markevery": 2}
    name = "" if label is None else f"{label}, "
    for values, style, which in (
        (result.loss[middle], "-", "direction 1"),
        (result.loss[:, middle], "--", "direction 2"),
    ):
        ax.plot(result.steps, values, style, color=color, lw=1.3, label=f"{name}{which}", **marks)
    ax.set_xlim(-1, 1)
    ax.set_xlabel("distance from the weights (filter norms)")
    ax.set_ylabel(_height(result))
    ax.legend(frameon=False, fontsize="small")


def _surface(result: LandscapeResult, ax: Axes, label: str | None, color: str | None, levels: Floats) -> None:
    if ax.name != "3d":
        raise UsageError("a surface needs axes in three dimensions", 'make them with projection="3d"')
    from matplotlib.colors import LogNorm

    space = cast("Axes3D", ax)
    a, b = np.meshgrid(result.steps, result.steps)
    look: dict[str, Any] = {"color": color, "alpha": 0.5, "edgecolor": color}
    if color is None:
        look = {"cmap": colours.DEPTH, "norm": LogNorm(levels[0], levels[-1]), "edgecolor": "white"}
    space.plot_surface(a, b, result.loss, rcount=60, ccount=60, lw=0.3, label=label, **look)
    space.set_zlim(0 if levels[0] < 0.5 * levels[-1] else levels[0], levels[-1])
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))  # none, or a dark page shows grey walls
    space.set_xticks(_TICKS)
    space.set_yticks(_TICKS)
    space.set_xlabel(_FIRST, labelpad=6)
    space.set_ylabel(_SECOND, labelpad=6)
    space.set_zlabel(_height(result))
    space.set_box_aspect(None, zoom=0.82)  # else the label of the height is cut off
    if label is not None:
        space.legend(frameon=False, fontsize="small")
