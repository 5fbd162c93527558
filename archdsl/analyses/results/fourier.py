"""The result of a Fourier analysis, drawn in two views: all frequencies by depth, or the highest against depth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from archdsl.analyses.results.depth import against_depth, legend
from archdsl.analyses.results.result import BatchMeans, Floats, Place
from archdsl.base import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

View = Literal["frequency", "depth"]
HIGH = 0.5  # of pi: the highest frequency that even a stage of 4 x 4 has as a bin of its own


@dataclass(frozen=True, eq=False)
class UnitCurve(Place):
    """One unit's output in the frequency domain.

    Attributes:
        frequency: (F,) in units of pi, from 0.
        after: (F,) A of its output, nats.
        before: (F,) A of its input, or None where that is on another grid.
    """

    frequency: Floats
    after: Floats
    before: Floats | None

    @property
    def relative(self) -> Floats:
        """(F,) dA of the output."""
        relative: Floats = self.after - self.after[0]
        return relative

    def at(self, frequency: float) -> float:
        """dA of the output at a frequency, between two bins in proportion."""
        return float(np.interp(frequency, self.frequency, self.relative))


@dataclass(frozen=True, eq=False)
class FourierResult(BatchMeans):
    """Curves of all units that have frequencies, in the network's order.

    Attributes:
        units: one curve each, averaged over all images.
        images: (B,) per batch.
        high_freq: (B,) the score of each batch.
        smoothing_contrast: (B,) the score of each batch; empty for a network without both kinds of block.
        notes: what was left out, and why.
    """

    units: tuple[UnitCurve, ...]
    images: Floats
    high_freq: Floats
    smoothing_contrast: Floats
    notes: tuple[str, ...]

    def high_freq_by_stage(self) -> dict[int, float]:
        """dA at 0.5 pi at the end of each stage."""
        return {curve.stage: curve.at(HIGH) for curve in stage_ends(self.units)}

    def scores_by_batch(self) -> dict[str, Floats]:
        """high_freq and, with attention and conv blocks both there, smoothing_contrast; nats."""
        both = {"high_freq": self.high_freq, "smoothing_contrast": self.smoothing_contrast}
        return {name: values for name, values in both.items() if values.size}


def stage_ends(curves: Iterable[UnitCurve]) -> list[UnitCurve]:
    """The last unit of each stage; units outside the stages count only where there is nothing else."""
    last = {curve.stage: curve for curve in curves}
    return [curve for stage, curve in sorted(last.items()) if stage > 0] or list(last.values())


def plot(
    result: FourierResult,
    ax: Axes,
    *,
    label: str | None = None,
    color: str | None = None,
    view: View = "frequency",
    frequency: float | None = None,
    beside: Sequence[FourierResult] = (),
) -> None:
    """Draw the relative log amplitudes of the units' outputs.

    View "frequency": a line per unit from the centre of the spectrum to its corner, shallow to deep in the colours of a
    map, each ending in the mark of its kind. View "depth": the amplitude at the highest frequency against normalised
    depth, attention units shaded, subsampling marked. Call it again on the same axes with a `color` to compare.

    Args:
        result: what to draw.
        ax: where.
        label: the network's name, for the legend.
        color: one colour for the whole network; by default colours say depth and kind.
        view: which of the two.
        frequency: in units of pi, for the view against depth; by default the highest that all units have. It is 1
            (Nyquist) where all maps have an even side, and 0.86 on 7 x 7.
        beside: results that are drawn next to this one, at one frequency with it.
    """
    if view == "frequency":
        _by_frequency(result.units, ax, label, color)
    else:
        highest = min(float(unit.frequency[-1]) for one in (result, *beside) for unit in one.units)
        _by_depth(result.units, ax, label, color, highest if frequency is None else frequency)


def _by_frequency(units: Sequence[UnitCurve], ax: Axes, label: str | None, color: str | None) -> None:
    import matplotlib

    shades = matplotlib.colormaps[colours.DEPTH]
    low, high = colours.DEPTH_RANGE
    for index, unit in enumerate(units):
        depth = index / max(1, len(units) - 1)
        line = color or shades(low + (high - low) * depth)
        fade = 1.0 if color is None else 0.25 + 0.75 * depth
        named = label if index == len(units) - 1 else None
        ax.plot(unit.frequency, unit.relative, color=line, alpha=fade, lw=1.3, label=named)
        ax.plot(
            unit.frequency[-1:], unit.relative[-1:], colours.MARKERS[unit.kind], color=line, alpha=fade, ms=4.5,
            mec="white", mew=0.6, clip_on=False, zorder=3,
        )  # fmt: skip
    ax.set_xlim(0, 1.02)
    ax.set_xlabel("spatial frequency (π per pixel)")
    ax.set_ylabel("relative log amplitude (nats)")
    if color is None:
        _depth_bar(ax)
    legend(ax, sorted({unit.kind for unit in units}), None, lines=label is not None)


def _by_depth(units: Sequence[UnitCurve], ax: Axes, label: str | None, color: str | None, frequency: float) -> None:
    first = units[0].before
    start = None if first is None else float(np.interp(frequency, units[0].frequency, first - first[0]))
    against_depth(ax, units, [unit.at(frequency) for unit in units], start=start, label=label, color=color)
    reached = all(unit.frequency[-1] >= frequency for unit in units)
    where = f"{frequency:.2g}π" if reached else "each map’s highest frequency"
    ax.set_ylabel(f"relative log amplitude\nat {where} (nats)")


def _depth_bar(ax: Axes) -> None:
    """A small colour bar inside the axes: which end is shallow."""
    import matplotlib

    if ax.child_axes:
        return
    low, high = colours.DEPTH_RANGE
    bar = ax.inset_axes((0.1, 0.08, 0.26, 0.03))
    shades = matplotlib.colormaps[colours.DEPTH](np.linspace(low, high, 64))
    bar.imshow(shades[None], aspect="auto", extent=(0, 1, 0, 1))
    bar.set_yticks([])
    bar.set_xticks([0, 1], ["first", "last"], fontsize="x-small")
    bar.tick_params(length=0, pad=1)
    bar.set_title("depth", fontsize="x-small", pad=2)
    for spine in bar.spines.values():
        spine.set_visible(False)
