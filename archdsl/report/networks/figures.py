"""Measured networks to the figures of one analysis: all in one axes, or a column each on common heights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from archdsl.base import colours
from archdsl.report.drawn import drawing
from archdsl.report.markup import Markup, clean, element
from archdsl.report.networks.measured import Measured
from archdsl.report.parts import figure
from archdsl.report.wording import listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS_AT_MOST: Final = 4
_COLUMN, _HEIGHT = 4.4, 3.5  # inches
# How to read each figure, by analysis and view.
CAPTIONS: Final[dict[tuple[str, str], str]] = {
    (
        "hessian",
        "",
    ): "Top eigenvalues of the loss Hessian of each batch, as densities per decade, a tick for each "
    "one. Large positive eigenvalues mean a sharp loss, negative ones a loss that is not convex there.",
    (
        "hessian_density",
        "",
    ): "Density of all eigenvalues of the Hessian of the NLL, weight decay left out, logarithmic, "
    "mean over batches and random vectors. Hills apart from the bulk are few eigenvalues; what lies left of 0 is not "
    "convex.",
    ("hessian_blocks", ""): "Largest eigenvalue of the loss Hessian restricted to each block’s own weights, with its "
    "standard error, and to each stage’s as a bar; hollow, the magnitude of the most negative one. Attention blocks "
    "shaded, changes of resolution dashed.",
    ("landscape", "contour"): "The loss around the weights along two random directions with the filters’ norms; levels "
    "in equal ratios, a cross where the network is.",
    ("landscape", "line"): "The loss along both directions through the weights.",
    ("landscape", "surface"): "The same square in perspective.",
    ("fourier", "frequency"): "Relative log amplitude of each block’s output, from the centre of the spectrum "
    "(frequency 0) to its corner, first block to last. Lower to the right: high frequencies are weaker.",
    ("fourier", "depth"): "The highest frequency that all maps have against depth; attention blocks shaded, changes of "
    "resolution dashed. A block that smooths lowers the line.",
    ("variance", ""): "Variance of the feature maps over their pixels against depth, logarithmic; attention blocks "
    "shaded, changes of resolution dashed. A block that averages lowers it.",
    ("noise", ""): "Accuracy with noise of one band of frequencies, bars of one standard error; without noise dashed.",
    ("lesion", ""): "Accuracy lost when one block is taken out, with its standard error; attention blocks shaded.",
    ("cka", ""): "How alike any two blocks represent the images: 1 for the same up to rotation and scale.",
    (
        "corruption",
        "corruption",
    ): "Wrong answers with each corruption: the mean over the severities, and a line from the "
    "mildest to the strongest.",
    ("corruption", "severity"): "Accuracy by severity, mean over the corruptions; 0 is the clean image.",
    ("quality", ""): "How often the network is right against how sure it is; on the diagonal it knows. The area of a "
    "point is the number of its images.",
}


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
    together = overlaid and len(found) > 1
    columns = 1 if overlaid else len(found)
    surface = view == "surface"
    # One network's figure is as wide as it reads well; columns share the page's width.
    width = 6.6 if columns == 1 else min(_COLUMN, 12.4 / columns) * columns

    def draw(drawn: Figure) -> None:
        from archdsl.analyses.results.depth import common_legend

        grid = drawn.subplots(
            1, columns, squeeze=False, subplot_kw={"projection": "3d"} if surface else None,
            sharey="row" if _comparable(analysis, view) else "none",
        )[0]  # fmt: skip
        for index, network in enumerate(found):
            axes = grid[0 if together else index]
            label = network.name if together else None
            color = colours.network(list(networks).index(network)) if together else None
            _plot(analysis, view, network, found, axes, label, color)
            if not overlaid and len(found) > 1:
                axes.set_title(clean(network.name), loc="left")
                _quieter(axes, first=index == 0, shared=_comparable(analysis, view))
        if not overlaid:
            common_legend(grid)

    names = listing([network.name for network in found])
    spoken = f"{analysis}{f', {view}' if view else ''}: {names}. {_scores(found, analysis)}"
    salt = json.dumps([analysis, view, [network.hash + network.name for network in found]])
    caption = CAPTIONS.get((analysis, view), "")
    height = _HEIGHT if columns < 3 else 3.0
    return figure(caption, drawing((width, height), draw, spoken, salt=salt))


def _comparable(analysis: str, view: str) -> bool:
    """Whether columns mean more on the same heights."""
    return (analysis, view) in (("fourier", "frequency"), ("fourier", "depth"), ("variance", ""), ("lesion", ""))


def _plot(
    analysis: str, view: str, network: Measured, found: Sequence[Measured], axes: Axes, label: str | None,
    color: str | None,
) -> None:  # fmt: skip
    from archdsl.analyses.contract import ANALYSES

    options: dict[str, Any] = {"view": view} if view else {}
    if ANALYSES[analysis].beside:
        options["beside"] = [other.results[analysis] for other in found if other is not network]
    ANALYSES[analysis].plot(network.results[analysis], axes, label=label, color=color, **options)


def _quieter(axes: Axes, *, first: bool, shared: bool) -> None:
    """The first column's label speaks for all."""
    if shared:
        axes.set_xticks((0, 0.5, 1))  # a tick more would run into the next column's
    if not first and shared:
        axes.set_ylabel("")
        for bar in [child for child in axes.child_axes if not child.lines]:
            bar.remove()


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
    """The mark of the index-th network in figures that show several."""
    return element("span", class_=f"swatch network{index % len(colours.NETWORKS)}", aria_hidden="true")
