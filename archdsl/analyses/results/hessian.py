"""The top eigenvalues of a loss Hessian, drawn as densities: a panel for negative ones, one for positive ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from archdsl.analyses.results.result import Floats, Result, Statistic
from archdsl.base import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NONE = "archdsl-none"  # marks the word that stands in an empty panel
_INSET = "archdsl-panel"
_WIDTHS = (0.36, 0.6)  # of the panels inside one axes
_ROW = 8.0  # points between the rows of marks under the axis


@dataclass(frozen=True, eq=False)
class HessianResult(Result):
    """Spectra of B batches.

    Attributes:
        eigenvalues: (B, k) by falling magnitude.
        residuals: (B, k) |Hy - theta y| / |theta|: how far each can be trusted.
        smallest: (B,) most negative Ritz value of the batch's Krylov run, the last two scores' lower end.
        largest: (B,) largest Ritz value, that is the largest eigenvalue.
        products: (B,) Hessian-vector products spent.
        asymmetry: (B,) |u.Hv - v.Hu| / (|u| |H|), the worst met.
        loss: (B,) NLL + (wd/2)|w|^2, nats.
        params: length of w.
        images: per batch.
        weight_decay: wd.
    """

    eigenvalues: Floats
    residuals: Floats
    smallest: Floats
    largest: Floats
    products: Floats
    asymmetry: Floats
    loss: Floats
    params: int
    images: int
    weight_decay: float

    @property
    def draws(self) -> int:
        """Batches."""
        return len(self.eigenvalues)

    def statistics(self) -> dict[str, Statistic]:
        """log_ape (ln), ape, nep (fraction), ncr, lambda_max; without a positive eigenvalue only nep and lambda_max."""

        def ape(kept: np.ndarray) -> float | None:
            positive = self.eigenvalues[kept][self.eigenvalues[kept] > 0]
            return float(positive.mean()) if positive.size else None

        def log_ape(kept: np.ndarray) -> float | None:
            average = ape(kept)
            return None if average is None else float(np.log(average))

        def ncr(kept: np.ndarray) -> float | None:
            if (self.largest[kept] <= 0).any():
                return None
            return float(np.mean(np.maximum(0.0, -self.smallest[kept]) / self.largest[kept]))

        return {
            "log_ape": log_ape,
            "ape": ape,
            "nep": lambda kept: float((self.eigenvalues[kept] < 0).mean()),
            "ncr": ncr,
            "lambda_max": lambda kept: float(self.largest[kept].mean()),
        }


def plot(
    result: HessianResult,
    ax: Axes | Sequence[Axes],
    *,
    label: str | None = None,
    color: str | None = None,
) -> None:
    """Draw the eigenvalues of all batches, pooled, as a density per decade, with a tick for each one below.

    The areas of both panels together are 1, so the left one's is `nep`; a decade is as wide on both sides. Call it
    again on the same axes to compare networks.

    Args:
        result: what to draw.
        ax: two axes (negative, positive), or one, which is then divided into the two.
        label: the network's name, for the legend.
        color: the network's colour; by default the next of the palette.
    """
    panels = _panels(ax)
    networks = max(len(panel.collections) for panel in panels)
    color = color or colours.network(networks)
    values = result.eigenvalues.ravel()
    count = len(values)
    for panel, sign in zip(panels, (-1.0, 1.0), strict=True):
        sizes = sign * values[sign * values > 0]
        if not sizes.size:
            continue
        x, y = _density(sizes, count)
        panel.plot(x, y, color=color, ls=colours.dashes(networks), label=label, solid_joinstyle="round")
        panel.fill_between(x, y, color=color, alpha=0.12, linewidth=0)
        _marks(panel, sizes, networks, color)
    _dress(panels, networks + 1, label is not None)


def _density(sizes: Floats, count: int) -> tuple[Floats, Floats]:
    """Gaussian kernel density over log10 of the magnitudes, as a share of all `count` eigenvalues per decade."""
    logs = np.log10(sizes)
    width = max(0.08, 1.06 * float(logs.std()) * len(logs) ** -0.2)
    at = np.linspace(logs.min() - 3 * width, logs.max() + 3 * width, 240)
    kernels = np.exp(-0.5 * ((at[:, None] - logs) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    return 10.0**at, kernels.sum(1) / count


def _panels(ax: Axes | Sequence[Axes]) -> tuple[Axes, Axes]:
    """The two axes given, or two inside the one given (made on the first call, found again on the next)."""
    if isinstance(ax, Sequence | np.ndarray):
        return ax[0], ax[1]
    if len(ax.child_axes) < 2:
        ax.set_axis_off()
        left, right = _WIDTHS
        ax.inset_axes((0.0, 0.0, left, 1.0), label=_INSET)
        ax.inset_axes((1.0 - right, 0.0, right, 1.0), label=_INSET)
    negative, positive = cast("list[Axes]", ax.child_axes)[:2]
    return negative, positive


def _marks(panel: Axes, sizes: Floats, row: int, color: str) -> None:
    """A tick per eigenvalue under the axis, a row for each network: a density of few must not look like one of many."""
    from matplotlib.transforms import ScaledTranslation

    inches = _ROW * (row + 0.7) / 72
    below = panel.get_xaxis_transform() + ScaledTranslation(0, -inches, panel.figure.dpi_scale_trans)
    panel.plot(
        sizes, np.zeros(len(sizes)), "|", color=color, ms=5, mew=0.9, alpha=0.8, transform=below, clip_on=False
    )  # fmt: skip


def _dress(panels: tuple[Axes, Axes], networks: int, legend: bool) -> None:
    """Scales, labels and the legend; the same heights on both sides, so that areas compare."""
    negative, positive = panels
    heights = [
        float(np.max(line.get_ydata())) for panel in panels for line in panel.lines if line.get_linestyle() != "None"
    ]
    reaches = [_reach(panel) for panel in panels]
    widths = _WIDTHS if negative.get_label() == _INSET else (1.0, 1.0)
    scale = max(
        (np.log10(reach[1] / reach[0]) / width for reach, width in zip(reaches, widths, strict=True) if reach),
        default=1.0,
    )
    for panel, sign, reach, width in zip(panels, "−+", reaches, widths, strict=True):
        panel.set_xscale("log")
        panel.set_ylim(0, 1.08 * max(heights, default=1.0))
        _limit(panel, sign, reach, scale * width)
        panel.tick_params(axis="x", which="both", length=0, pad=3 + _ROW * networks)
    negative.set_xlabel("negative eigenvalues")
    positive.set_xlabel("positive eigenvalues")
    negative.set_ylabel("density per decade")
    positive.tick_params(axis="y", labelleft=False)
    if legend:
        positive.legend(frameon=False, loc="upper right")  # few eigenvalues are the very large ones


def _reach(panel: Axes) -> tuple[float, float] | None:
    """From where to where something is drawn."""
    ends = [float(x) for line in panel.lines for x in (np.min(line.get_xdata()), np.max(line.get_xdata()))]
    return (min(ends), max(ends)) if ends else None


def _limit(panel: Axes, sign: str, reach: tuple[float, float] | None, decades: float) -> None:
    """Fit the axis around what is drawn, more negative to the left, round ticks; a word where there is nothing."""
    from matplotlib.ticker import LogLocator, NullLocator

    for text in [text for text in panel.texts if text.get_gid() == _NONE]:
        text.remove()
    panel.xaxis.set_minor_locator(NullLocator())
    if reach is None:
        panel.set_xticks([])
        panel.text(0.5, 0.5, "none", transform=panel.transAxes, ha="center", color=colours.FAINT, gid=_NONE)
        return
    middle = np.log10(reach).mean()
    low, high = 10.0 ** (middle - decades / 2), 10.0 ** (middle + decades / 2)
    panel.set_xlim((high, low) if sign == "−" else (low, high))
    steps = (1.0, 2.0, 5.0) if decades < 1.7 else (1.0, 3.0) if decades < 3 else (1.0,)
    panel.xaxis.set_major_locator(LogLocator(subs=steps))
    panel.xaxis.set_major_formatter(lambda value, _position: f"{sign.strip('+')}{value:g}")
