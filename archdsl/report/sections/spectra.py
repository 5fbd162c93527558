"""Results to the inside of the finalists: Hessian spectra and Fourier curves, drawn by the analyses themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archdsl import palette
from archdsl.errors import ArchdslError
from archdsl.report.drawn import drawing
from archdsl.report.layout import compact
from archdsl.report.markup import Markup, fragment
from archdsl.report.parts import figure, note, section
from archdsl.report.results import Finalist, Results
from archdsl.report.sections.finalists import series
from archdsl.report.wording import listing, number, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS_AT_MOST = 4
# Colours of the plots, and what stands for them in the page's style sheet; the networks' own are only marks.
_NETWORK = {
    "winner": "#010203",
    "all-c": palette.KINDS["conv"],
    "all-m": palette.KINDS["msa"],
    "alternating": "#008765",
    "rival": palette.FAINT,
}


def spectra(results: Results) -> Markup:
    """The section, or nothing where no finalist was analysed."""
    parts = [_hessian(results), _fourier(results)]
    if not any(parts):
        return fragment()
    return section("spectra", "Inside the finalists", parts)


def _hessian(results: Results) -> Markup:
    """All finalists' spectra in one plot, a colour each."""
    found = [finalist for finalist in results.finalists if finalist.hessian]
    if not found:
        return fragment()

    colours = series(results)

    def draw(figure_: Figure) -> None:
        axes = figure_.subplots(1, 2, width_ratios=(0.37, 0.63))
        for finalist in found:
            result = _result("hessian", finalist.hessian)
            label, color = finalist.title, _NETWORK[colours[finalist.name]]
            _analysis("hessian").plot(result, axes, label=label, color=color)

    names = [finalist.title for finalist in found]
    said = "; ".join(f"{f.title}: {words('lambda_max').label} {_score(f, 'lambda_max')}" for f in found)
    caption = (
        "Largest eigenvalues of the loss Hessian, pooled over mini-batches. Large positive ones: a sharp minimum; "
        "negative ones: not convex there. Sharpness is a weak sign of accuracy and varies with the recipe."
    )
    return _figure((9.6, 3.2), draw, f"Hessian spectra of {listing(names)}. {said}", caption, found, "Hessian")


def _fourier(results: Results) -> Markup:
    """A column per finalist on common axes: every block's curve above, one high frequency against depth below."""
    found = [finalist for finalist in results.finalists if finalist.fourier][:_COLUMNS_AT_MOST]
    if not found:
        return fragment()

    def draw(figure_: Figure) -> None:
        grid = figure_.subplots(2, len(found), sharey="row", squeeze=False)
        for column, finalist in enumerate(found):
            result = _result("fourier", finalist.fourier)
            for axes, view in zip(grid[:, column], ("frequency", "depth"), strict=True):
                _analysis("fourier").plot(result, axes, view=view)
                axes.set_xticks((0, 0.5, 1))
                if column:  # the first column's label and colour bar, and the last one's legend, speak for all
                    axes.set_ylabel("")
                    for bar in axes.child_axes:
                        bar.remove()
                if column < len(found) - 1 and (legend := axes.get_legend()):
                    legend.remove()
            grid[0, column].set_title(finalist.title, loc="left")

    names = listing([f"{f.title} ({compact(f.layout)})" for f in found])
    contrasts = [f"{f.title} {_score(f, 'smoothing_contrast')}" for f in found]
    caption = (
        "Relative log amplitude of each block’s output. Above: from the centre of the spectrum (frequency 0) to its "
        "corner, from the first block to the last. Below: one high frequency against depth, attention blocks shaded, "
        "changes of resolution dashed. A block that smooths lowers the high frequencies."
    )
    spoken = f"Fourier curves of the blocks of {names}. Smoothing contrast: {', '.join(contrasts)}"
    return _figure((9.8, 5.4), draw, spoken, caption, found, "Fourier")


def _score(finalist: Finalist, name: str) -> str:
    return number(name, finalist.scores.get(name))


def _analysis(name: str) -> Any:
    """The registered analysis; imported late, since it brings torch along."""
    from archdsl.analyses.contract import ANALYSES

    return ANALYSES[name]


def _result(name: str, document: dict[str, Any] | None) -> Any:
    return _analysis(name).result.from_json(document)


def _figure(
    size: tuple[float, float],
    draw: Callable[[Figure], None],
    label: str,
    caption: str,
    found: list[Finalist],
    name: str,
) -> Markup:
    """A matplotlib drawing in the page's colours; one that cannot be drawn says so and leaves the page whole."""
    try:
        drawn = drawing(size, draw, label, salt=name + json.dumps([f.hash for f in found]))
    except (ArchdslError, ImportError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return note(f"{name}: the stored analysis cannot be drawn ({error})")
    return figure(caption, drawn)
