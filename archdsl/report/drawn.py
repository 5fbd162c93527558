"""Draws with matplotlib into the page: SVG in the page's own colours and font, for light, dark and print."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archdsl.base import colours, pictures
from archdsl.report.markup import Markup, clean, raw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours of the plots, and what stands for them in the page's style sheet.
_VARIABLES = {
    "#010203": "ink",
    colours.INK: "ink",
    colours.FAINT: "muted",
    colours.BAND: "band",
    colours.KINDS["conv"]: "conv",
    colours.KINDS["msa"]: "msa",
    colours.KINDS["mlp"]: "alternating",
    "#008765": "alternating",
    "#ffffff": "page",
    "#000000": "ink",
    "#e1e2e3": "grid",
}
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": colours.FAINT,
    "axes.labelcolor": colours.FAINT,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": "#e1e2e3",
    "text.color": colours.INK,
    "xtick.color": colours.FAINT,
    "ytick.color": colours.FAINT,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def drawing(size: tuple[float, float], draw: Callable[[Figure], None], label: str, *, salt: str) -> Markup:
    """A figure of so many inches, drawn by `draw`, as part of the page; `label` is what a screen reader says."""
    with pictures.settings(STYLE, salt):
        figure = pictures.blank(size)
        draw(figure)
        text = pictures.content(figure, "svg", dpi=100, style=STYLE, salt=salt).decode()
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r"font: (?:[a-z0-9]+ )*?([0-9.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"(?<=: )#[0-9a-f]{6}\b", _colour, text)
    return raw(pictures.inline(text, clean(label), salt, 'class="chart"'))


def _colour(match: re.Match[str]) -> str:
    """A variable where the colour has a meaning; any other, of a colour map, is lifted off a dark page."""
    known = _VARIABLES.get(match[0])
    return f"var(--{known})" if known else f"color-mix(in oklab, {match[0]} var(--keep), var(--ink))"
