"""Draws the figures of one analysis for measured networks: all in one axes, or a column each on common heights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archdsl.base import colours
from archdsl.report.drawn import drawing
from archdsl.report.markup import Markup, clean, element
from archdsl.report.networks.measured import Measured
from archdsl.report.networks.wording import CAPTIONS
from archdsl.report.parts import figure
from archdsl.report.wording import listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from archdsl.analyses import Result

COLUMNS_AT_MOST: Final = 4
_COLUMN, _HEIGHT = 4.4, 3.5  # inches
# Views whose columns mean more on the same heights.
_COMPARABLE = (("fourier", "frequency"), ("fourier", "depth"), ("variance", ""), ("lesion", ""))


def figures(networks: Sequence[Measured], analysis: str) -> list[Markup]:
    """One figure per view of an analysis that some of the networks have."""
    from archdsl.analyses.contract import ANALYSES

    found = [network for network in networks if analysis in network.results][:COLUMNS_AT_MOST]
    if not found:
        return []
    entry = ANALYSES[analysis]
    return [_figure(found, networks, analysis, view, view in entry.overlaid) for view in entry.views or ("",)]


def _figure(
    found: Sequence[Measured], networks: Sequence[Measured], analysis: str, view: str, overlaid: bool
) -> Markup:
    results = [network.results[analysis] for network in found]
    number = 1 if overlaid else len(found)
    # One network's figure is as wide as it reads well; columns share the page's width.
    width = 6.6 if number == 1 else min(_COLUMN, 12.4 / number) * number

    def draw(drawn: Figure) -> None:
        if not overlaid or len(found) == 1:
            columns(drawn, analysis, [network.name for network in found], results, (view,), titled=len(found) > 1)
            return
        axes = drawn.subplots()
        for network, result in zip(found, results, strict=True):
            color = colours.network(list(networks).index(network))
            plot(analysis, result, axes, view=view, beside=results, label=network.name, color=color)

    names = listing([network.name for network in found])
    spoken = f"{analysis}{f', {view}' if view else ''}: {names}. {_scores(found, analysis)}"
    salt = json.dumps([analysis, view, [network.hash + network.name for network in found]])
    height = _HEIGHT if number < 3 else 3.0
    return figure(CAPTIONS.get((analysis, view), ""), drawing((width, height), draw, spoken, salt=salt))


def columns(
    figure: Figure,
    analysis: str,
    names: Sequence[str],
    results: Sequence[Result],
    views: Sequence[str],
    *,
    titled: bool,
) -> None:
    """A column per network and a row per view, with one legend a row; the first column's labels speak for all."""
    from archdsl.analyses.results.depth import common_legend

    shared = all((analysis, view) in _COMPARABLE for view in views)
    grid = figure.subplots(
        len(views), len(results), squeeze=False, sharey="row" if shared else "none",
        subplot_kw={"projection": "3d"} if "surface" in views else None,
    )  # fmt: skip
    for (row, column), axes in np.ndenumerate(grid):
        plot(analysis, results[column], axes, view=views[row], beside=results)
        if titled and row == 0:
            axes.set_title(clean(names[column]), loc="left")
        if titled and shared:
            axes.set_xticks((0, 0.5, 1))  # a tick more would run into the next column's
            if column:
                axes.set_ylabel("")
                for bar in [child for child in axes.child_axes if not child.lines]:
                    bar.remove()
    for line in grid:
        common_legend(line)


def plot(analysis: str, result: Result, axes: Axes, *, view: str, beside: Sequence[Result], **options: Any) -> None:
    """Draw a result by its analysis, on one scale with those drawn beside it."""
    from archdsl.analyses.contract import ANALYSES

    if view:
        options["view"] = view
    if ANALYSES[analysis].beside:
        options["beside"] = [other for other in beside if other is not result]
    ANALYSES[analysis].plot(result, axes, **options)


def _scores(networks: Sequence[Measured], analysis: str) -> str:
    """The scores of an analysis in words, which is what the drawing says."""
    from archdsl.analyses.contract import ANALYSES

    said = []
    for score in ANALYSES[analysis].scores:
        values = [(network.name, network.results[analysis].scores().get(score)) for network in networks]
        known = [f"{name} {value:.4g}" for name, value in values if value is not None]
        if known:
            said.append(f"{score}: {', '.join(known)}")
    return "; ".join(said)


def swatch(index: int) -> Markup:
    """The mark of the index-th network in figures that show several, lighter where the page is dark."""
    series = f"--series: color-mix(in oklab, {colours.network(index)} var(--keep), var(--ink))"
    return element("span", class_="swatch", style=series, aria_hidden="true")
