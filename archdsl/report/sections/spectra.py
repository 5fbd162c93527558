"""Results to the inside of the finalists: Hessian spectra and Fourier curves, drawn by the analyses themselves."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archdsl import palette
from archdsl.errors import ArchdslError
from archdsl.report.layout import compact
from archdsl.report.markup import Markup, element, fragment, raw
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
_VARIABLES = {
    "#010203": "ink",
    palette.INK: "ink",
    palette.FAINT: "muted",
    palette.BAND: "band",
    palette.KINDS["conv"]: "conv",
    palette.KINDS["msa"]: "msa",
    palette.KINDS["mlp"]: "alternating",
    "#008765": "alternating",
    "#ffffff": "page",
    "#000000": "ink",
    "#e1e2e3": "grid",
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": palette.FAINT,
    "axes.labelcolor": palette.FAINT,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": "#e1e2e3",
    "text.color": palette.INK,
    "xtick.color": palette.FAINT,
    "ytick.color": palette.FAINT,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
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


def drawing(size: tuple[float, float], draw: Callable[[Figure], None], label: str, *, salt: str) -> Markup:
    """A matplotlib drawing of so many inches as part of a page; `salt` tells its ids from those of others."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    unique = "f" + hashlib.sha256(salt.encode("utf-8", "replace")).hexdigest()[:8]
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": unique}):
        drawn = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(drawn)
        draw(drawn)
        out = io.StringIO()
        drawn.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return inline(out.getvalue(), label, unique)


def inline(text: str, label: str, unique: str) -> Markup:
    """Matplotlib's SVG file as part of a page: no prologue, no links outward, no clashing ids, our colours and font."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", text)
    text = text.replace("xlink:href=", "href=")
    text = re.sub(r'\bid="', f'id="{unique}-', text)
    text = re.sub(r'href="#', f'href="#{unique}-', text)
    text = re.sub(r"url\(#", f"url(#{unique}-", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r"font: (?:[a-z0-9]+ )*?([0-9.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"(?<=: )#[0-9a-f]{6}\b", _colour, text)
    attributes = element("svg", role="img", aria_label=label, class_="chart").removesuffix("></svg>")
    return raw(attributes + text[len("<svg") :])


def _colour(match: re.Match[str]) -> str:
    """A variable where the colour has a meaning; any other, of a colour map, is lifted off a dark page."""
    known = _VARIABLES.get(match[0])
    return f"var(--{known})" if known else f"color-mix(in oklab, {match[0]} var(--keep), var(--ink))"
