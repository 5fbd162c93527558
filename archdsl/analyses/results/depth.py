"""Draws values of a network's units against its depth: a line, attention shaded, subsampling marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archdsl.analyses.results.result import Place
from archdsl.base import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEPTH = "normalised depth"
SHADED = "MSA, shaded"  # its name in a legend where bands are drawn
SUBSAMPLING = "subsampling"


def against_depth(
    ax: Axes,
    places: Sequence[Place],
    heights: Sequence[float],
    *,
    start: float | None = None,
    label: str | None = None,
    color: str | None = None,
) -> None:
    """A value per unit against normalised depth, each with the mark of its kind.

    Without a `color` colours say the kind, attention units are shaded and subsampling is marked; with one, the network
    is drawn over another.

    Args:
        ax: where.
        places: the units, in the network's order.
        heights: at the output of each.
        start: at the first one's input, where known.
        label: the network's name, for the legend.
        color: one colour for the whole network.
    """
    edges = depth_edges(places)
    shown = [*([] if start is None else [start]), *heights]
    ax.plot(edges[-len(shown) :], shown, color=color or colours.INK, lw=1.2, zorder=2, label=label)
    for edge, place, height in zip(edges[1:], places, heights, strict=True):
        ax.plot(
            edge, height, colours.MARKERS[place.kind], color=color or colours.KINDS[place.kind], ms=5.5, mec="white",
            mew=0.6, zorder=3, clip_on=False,
        )  # fmt: skip
    if color is None:
        shade(ax, places)
    ax.set_xlim(0, 1)
    ax.set_xlabel(DEPTH)
    kinds = sorted({place.kind for place in places})
    legend(ax, kinds, colours.KINDS if color is None else None, lines=label is not None)


def log_heights(ax: Axes) -> None:
    """A logarithmic axis of heights with round numbers on it, also where it spans less than a decade."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def depth_edges(places: Sequence[Place]) -> np.ndarray:
    """Where each unit begins and ends on an axis from 0 to 1."""
    return np.linspace(0, 1, len(places) + 1)


def shade(ax: Axes, places: Sequence[Place]) -> None:
    """A band behind every attention unit, a line where the grid changes."""
    edges = depth_edges(places)
    for index, place in enumerate(places):
        if place.kind == "msa":
            ax.axvspan(edges[index], edges[index + 1], color=colours.BAND, lw=0, zorder=0)
        if index and place.grid != places[index - 1].grid:
            ax.axvline(edges[index], color=colours.FAINT, lw=0.9, ls=(0, (4, 3)), zorder=1, label=f"_{SUBSAMPLING}")
            size = f"{place.grid[0]} × {place.grid[1]}" if min(place.grid) else "vector"
            ax.annotate(
                size, (edges[index], 1), (3, -3), xycoords=("data", "axes fraction"),
                textcoords="offset points", va="top", color=colours.INK, alpha=0.75, fontsize="x-small",
            )  # fmt: skip


def legend(ax: Axes, kinds: Sequence[str], tints: dict[str, str] | None, *, lines: bool) -> None:
    """The marks of the kinds of block that occur (with those of networks drawn before), and the networks' names.

    Where attention is shaded and subsampling marked, it says so.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    before = ax.get_legend()
    known = {text.get_text() for text in before.get_texts()} if before else set()
    shown = [kind for kind in colours.KINDS if kind in kinds or known & {colours.KIND_NAMES[kind], _name(kind, True)}]
    tints, shaded = (
        tints or {},
        any(isinstance(patch, Rectangle) and patch.get_zorder() == 0 for patch in ax.patches),
    )
    marks = [
        Line2D([], [], ls="", marker=colours.MARKERS[kind], color=tints.get(kind, colours.FAINT), ms=5)
        for kind in shown
    ]
    names = [_name(kind, shaded) for kind in shown]
    if subsampled := [line for line in ax.lines if line.get_label() == f"_{SUBSAMPLING}"]:
        marks.append(subsampled[0])
        names.append(SUBSAMPLING)
    networks = [line for line in ax.lines if not str(line.get_label()).startswith("_")] if lines else []
    names = [*(str(line.get_label()) for line in networks), *names]
    _place(ax, [*networks, *marks], names)


def common_legend(columns: Sequence[Axes]) -> None:
    """One legend for axes side by side, in the last of them, with all that any of theirs says."""
    found: dict[str, Any] = {}
    for ax in columns:
        if (legend := ax.get_legend()) is not None:
            found |= dict(zip((text.get_text() for text in legend.get_texts()), legend.legend_handles, strict=True))
            legend.remove()
    known = [*colours.KIND_NAMES.values(), SHADED, SUBSAMPLING]  # in this order, after networks
    names = sorted(found, key=lambda name: known.index(name) if name in known else -1)
    if names:
        _place(columns[-1], [found[name] for name in names], names)


def _place(ax: Axes, marks: Sequence[Any], names: Sequence[str]) -> None:
    ax.legend(
        marks, names, frameon=True, framealpha=0.8, edgecolor="none", fontsize="small", handlelength=1.2,
        borderaxespad=0.2,
    )  # fmt: skip


def _name(kind: str, shaded: bool) -> str:
    return SHADED if kind == "msa" and shaded else colours.KIND_NAMES[kind]
