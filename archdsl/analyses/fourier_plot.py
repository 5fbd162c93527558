"""A Fourier result in, one of its two views drawn: all frequencies by depth, or one high frequency against depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from archdsl import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from archdsl.analyses.fourier import FourierResult, UnitCurve

View = Literal["frequency", "depth"]


def plot(
    result: FourierResult,
    ax: Axes,
    *,
    label: str | None = None,
    color: str | None = None,
    view: View = "frequency",
    frequency: float = 0.5,
) -> None:
    """Draw the relative log amplitudes of the units' outputs.

    View "frequency": a line per unit from the centre of the spectrum to its corner, shallow to deep in the colours of a
    map, each ending in the mark of its kind. View "depth": the amplitude at one high frequency against normalised
    depth, attention units shaded, subsampling marked. Call it again on the same axes with a `color` to compare.

    Args:
        result: what to draw.
        ax: where.
        label: the network's name, for the legend.
        color: one colour for the whole network; by default colours say depth and kind.
        view: which of the two.
        frequency: in units of pi, for the view against depth.
    """
    if view == "frequency":
        _by_frequency(result.units, ax, label, color)
    else:
        _by_depth(result.units, ax, label, color, frequency)


def _by_frequency(units: Sequence[UnitCurve], ax: Axes, label: str | None, color: str | None) -> None:
    import matplotlib

    shades = matplotlib.colormaps[palette.DEPTH]
    low, high = palette.DEPTH_RANGE
    for index, unit in enumerate(units):
        depth = index / max(1, len(units) - 1)
        line = color or shades(low + (high - low) * depth)
        fade = 1.0 if color is None else 0.25 + 0.75 * depth
        named = label if index == len(units) - 1 else None
        ax.plot(unit.frequency, unit.relative, color=line, alpha=fade, lw=1.3, label=named)
        ax.plot(
            unit.frequency[-1:], unit.relative[-1:], palette.MARKERS[unit.kind], color=line, alpha=fade, ms=4.5,
            mec="white", mew=0.6, clip_on=False, zorder=3,
        )  # fmt: skip
    ax.set_xlim(0, 1.02)
    ax.set_xlabel("frequency (π)")
    ax.set_ylabel("relative log amplitude (nats)")
    if color is None:
        _depth_bar(ax)
    _legend(ax, sorted({unit.kind for unit in units}), None, lines=label is not None)


def _by_depth(units: Sequence[UnitCurve], ax: Axes, label: str | None, color: str | None, frequency: float) -> None:
    edges = np.linspace(0, 1, len(units) + 1)
    first = units[0].before
    start = [] if first is None else [float(np.interp(frequency, units[0].frequency, first - first[0]))]
    heights = [*start, *(unit.at(frequency) for unit in units)]
    line = color or palette.INK
    ax.plot(edges[-len(heights) :], heights, color=line, lw=1.2, zorder=2, label=label)
    for index, unit in enumerate(units):
        shade = color or palette.KINDS[unit.kind]
        ax.plot(edges[index + 1], unit.at(frequency), palette.MARKERS[unit.kind], color=shade, ms=5.5, mec="white",
                mew=0.6, zorder=3, clip_on=False)  # fmt: skip
        if color is None and unit.kind == "msa":
            ax.axvspan(edges[index], edges[index + 1], color=palette.BAND, lw=0, zorder=0)
        if color is None and index and unit.grid != units[index - 1].grid:
            ax.axvline(edges[index], color=palette.FAINT, lw=0.9, ls=(0, (4, 3)), zorder=1)
            ax.annotate(
                f"{unit.grid[0]} × {unit.grid[1]}", (edges[index], 1), (3, -3), xycoords=("data", "axes fraction"),
                textcoords="offset points", va="top", color=palette.INK, alpha=0.75, fontsize="x-small",
            )  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_xlabel("normalised depth")
    ax.set_ylabel(f"relative log amplitude at {frequency:g}π (nats)")
    _legend(
        ax, sorted({unit.kind for unit in units}), palette.KINDS if color is None else None, lines=label is not None
    )


def _legend(ax: Axes, kinds: Sequence[str], colours: dict[str, str] | None, *, lines: bool) -> None:
    """The marks of the kinds of block that occur (with those of networks drawn before), and the networks' names."""
    from matplotlib.lines import Line2D

    before = ax.get_legend()
    known = {text.get_text() for text in before.get_texts()} if before else set()
    shown = [kind for kind in palette.KINDS if kind in kinds or palette.KIND_NAMES[kind] in known]
    colours = colours or {}
    marks = [
        Line2D([], [], ls="", marker=palette.MARKERS[kind], color=colours.get(kind, palette.FAINT), ms=5)
        for kind in shown
    ]
    networks = [line for line in ax.lines if not str(line.get_label()).startswith("_")] if lines else []
    names = [*(str(line.get_label()) for line in networks), *(palette.KIND_NAMES[kind] for kind in shown)]
    ax.legend([*networks, *marks], names, frameon=False, fontsize="small", handlelength=1.2, borderaxespad=0.2)


def _depth_bar(ax: Axes) -> None:
    """A small colour bar inside the axes: which end is shallow."""
    import matplotlib

    if ax.child_axes:
        return
    low, high = palette.DEPTH_RANGE
    bar = ax.inset_axes((0.1, 0.08, 0.26, 0.03))
    shades = matplotlib.colormaps[palette.DEPTH](np.linspace(low, high, 64))
    bar.imshow(shades[None], aspect="auto", extent=(0, 1, 0, 1))
    bar.set_yticks([])
    bar.set_xticks([0, 1], ["first", "last"], fontsize="x-small")
    bar.tick_params(length=0, pad=1)
    bar.set_title("depth", fontsize="x-small", pad=2)
    for spine in bar.spines.values():
        spine.set_visible(False)
