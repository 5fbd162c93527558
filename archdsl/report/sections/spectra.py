"""Shows the inside of the finalists: Hessian spectra and Fourier curves, drawn by the analyses themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from archdsl.base import colours
from archdsl.base.errors import ArchdslError
from archdsl.report.drawn import drawing
from archdsl.report.layout import compact, series
from archdsl.report.markup import Child, Markup, fragment
from archdsl.report.networks.figures import COLUMNS_AT_MOST, columns, plot
from archdsl.report.parts import figure, note, plain_table, section
from archdsl.report.wording import MISSING, listing, number, words
from archdsl.study.results import Finalist, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PERCENTILES = (0, 5, 50, 95, 100)
FREQUENCIES = (0.5, 1.0)  # of pi
# Colours of the plots, and what stands for them in the page's style sheet; the networks' own are only marks.
_NETWORK = {
    "winner": "#010203",
    "all-c": colours.KINDS["conv"],
    "all-m": colours.KINDS["msa"],
    "alternating": "#008765",
    "rival": colours.FAINT,
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
    series_of = series(results)

    def draw(figure_: Figure) -> None:
        axes = figure_.subplots(1, 2, width_ratios=(0.37, 0.63))
        for finalist in found:
            result, color = _result("hessian", finalist.hessian), _NETWORK[series_of[finalist.name]]
            plot("hessian", result, axes, view="", beside=(), label=finalist.title, color=color)

    names = [finalist.title for finalist in found]
    said = "; ".join(f"{f.title}: {words('lambda_max').label} {_score(f, 'lambda_max')}" for f in found)
    caption = (
        "Largest eigenvalues of the loss Hessian, pooled over mini-batches. Large positive ones: a sharp minimum; "
        "negative ones: not convex there. Sharpness is a weak sign of accuracy and varies with the recipe."
    )
    label = f"Hessian spectra of {listing(names)}. {said}"
    return _figure((9.6, 3.2), draw, _eigenvalues, label, caption, found, "Hessian")


def _eigenvalues(found: list[Finalist]) -> Markup:
    """The spread of each spectrum in numbers."""
    rows: list[list[Child]] = []
    for finalist in found:
        values = np.ravel(_result("hessian", finalist.hessian).eigenvalues)
        spread = [number("lambda_max", float(value), extra=1) for value in np.percentile(values, PERCENTILES)]
        rows.append([finalist.title, values.size, number("nep", float((values < 0).mean())), *spread])
    heads = ("Network", "Eigenvalues", "Negative, %", "Smallest", "5th percentile", "Median", "95th", "Largest")
    return plain_table("Eigenvalues of the loss Hessian, pooled over mini-batches.", heads, rows)


def _fourier(results: Results) -> Markup:
    """A column per finalist on common axes: every block's curve above, one high frequency against depth below."""
    found = [finalist for finalist in results.finalists if finalist.fourier][:COLUMNS_AT_MOST]
    if not found:
        return fragment()

    def draw(figure_: Figure) -> None:
        results = [_result("fourier", finalist.fourier) for finalist in found]
        columns(figure_, "fourier", [f.title for f in found], results, ("frequency", "depth"), titled=True)

    names = listing([f"{f.title} ({compact(f.layout)})" for f in found])
    contrasts = [f"{f.title} {_score(f, 'smoothing_contrast')}" for f in found]
    caption = (
        "Relative log amplitude of each block’s output. Above: from the centre of the spectrum (frequency 0) to its "
        "corner, from the first block to the last. Below: the highest frequency that all have against depth, attention "
        "blocks shaded, changes of resolution dashed. A block that smooths lowers the high frequencies."
    )
    spoken = f"Fourier curves of the blocks of {names}. Smoothing contrast: {', '.join(contrasts)}"
    return _figure((9.8, 5.4), draw, _amplitudes, spoken, caption, found, "Fourier")


def _amplitudes(found: list[Finalist]) -> Markup:
    """Every block's curve at two frequencies, a row per place."""
    curves = {f.title: {unit.path: unit for unit in _result("fourier", f.fourier).units} for f in found}
    places = sorted({path for units in curves.values() for path in units}, key=_natural)
    rows = [
        [
            path,
            *(
                f"{units[path].label}: {number('high_freq', units[path].at(frequency))}" if path in units else MISSING
                for units in curves.values()
                for frequency in FREQUENCIES
            ),
        ]
        for path in places
    ]
    heads = ["Block", *(f"{title}, {frequency} π" for title in curves for frequency in FREQUENCIES)]
    return plain_table("Relative log amplitude of each block’s output, in nats.", heads, rows)


def _natural(path: str) -> list[tuple[int, str]]:
    """Numbers in a path in the order of numbers: block9 before block10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)]


def _score(finalist: Finalist, name: str) -> str:
    return number(name, finalist.scores.get(name))


def _result(name: str, document: dict[str, Any] | None) -> Any:
    """A stored result; the analysis is imported late, since it brings torch along."""
    from archdsl.analyses.contract import ANALYSES

    return ANALYSES[name].result.from_json(document)


def _figure(
    size: tuple[float, float],
    draw: Callable[[Figure], None],
    numbers: Callable[[list[Finalist]], Markup],
    label: str,
    caption: str,
    found: list[Finalist],
    name: str,
) -> Markup:
    """A matplotlib drawing in the page's colours; one that cannot be drawn says so and leaves the page whole."""
    try:
        drawn = drawing(size, draw, label, salt=name + json.dumps([f.identity for f in found]))
        table = numbers(found)
    except (ArchdslError, ImportError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return note(f"{name}: the stored analysis cannot be drawn ({error})")
    return figure(caption, drawn, numbers=table)
