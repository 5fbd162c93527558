"""A corruption result in, one of its views drawn: errors corruption by corruption, or accuracy by severity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from archdsl.base import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from archdsl.analyses.corruption import CorruptionResult

View = Literal["corruption", "severity"]
VIEWS: tuple[str, ...] = ("corruption", "severity")


def plot(
    result: CorruptionResult, ax: Axes, *, label: str | None = None, color: str | None = None, view: View = "corruption"
) -> None:
    """Draw wrong answers by corruption, or accuracy by severity; call it again on the same axes to compare networks.

    Args:
        result: what to draw.
        ax: where.
        label: the network's name, for the legend.
        color: of the network; by default the next of the palette.
        view: which of the two.
    """
    number = len(ax.containers) if view == "severity" else len(ax.collections)
    color = color or colours.network(number)
    marker = colours.marker(number)
    if view == "severity":
        _by_severity(result, ax, label, color, marker)
    else:
        _by_corruption(result, ax, label, color, marker, number)
    if label is not None:
        ax.legend(frameon=False, fontsize="small")


def _by_corruption(result: CorruptionResult, ax: Axes, label: str | None, color: str, marker: str, number: int) -> None:
    """A row each: the mean over the severities, and a line from the mildest to the strongest."""
    errors = 100 * (1 - result.accuracy)
    rows = np.arange(len(result.names), dtype=np.float64)
    at = rows + 0.22 * number
    ax.hlines(at, errors.min(1), errors.max(1), color=color, lw=1.1, alpha=0.6)
    ax.plot(errors.mean(1), at, marker, color=color, ms=4.5, mec="white", mew=0.5, label=label)
    ax.axvline(100 * (1 - result.clean_accuracy), color=color, lw=0.9, ls=(0, (4, 3)), zorder=1)
    ax.set_yticks(rows, [name.replace("_", " ") for name in result.names], fontsize="small")
    for before, (one, other) in enumerate(zip(result.groups, result.groups[1:], strict=False)):
        if one != other and not number:
            ax.axhline(before + 0.5, color=colours.FAINT, lw=0.5)
    ax.set_ylim(len(rows) - 0.3, -0.7)
    ax.set_xlabel("wrong answers (%), mean and range of five severities; dashed: clean images")


def _by_severity(result: CorruptionResult, ax: Axes, label: str | None, color: str, marker: str) -> None:
    """The mean over the corruptions, with its standard error over the batches."""
    share = np.concatenate([result.clean[None], result.correct.mean(0)]) / result.images  # (6, B)
    weights = result.images / result.images.sum()
    mean = share @ weights
    count = share.shape[1]
    spread = ((share - mean[:, None]) * weights) ** 2
    error = np.sqrt(spread.sum(1) * count / (count - 1)) if count > 1 else np.zeros(len(mean))
    ax.errorbar(
        range(len(mean)), 100 * mean, 100 * error, color=color, marker=marker, ms=4, lw=1.3, elinewidth=0.9, label=label
    )
    ax.set_xticks(range(len(mean)), ["clean", *map(str, range(1, len(mean)))])
    ax.set_xlabel("severity")
    ax.set_ylabel("accuracy (%)")
