"""What matplotlib draws in, inline SVG in the page's own colours and font out, for light, dark and print."""

from __future__ import annotations

import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archdsl.base import colours
from archdsl.report.markup import Markup, element, raw

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
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": colours.FAINT,
    "axes.labelcolor": colours.FAINT,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": "#e1e2e3",
    "text.color": colours.INK,
    "xtick.color": colours.FAINT,
    "ytick.color": colours.FAINT,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def drawing(size: tuple[float, float], draw: Callable[[Figure], None], label: str, *, salt: str) -> Markup:
    """A figure of so many inches, drawn by `draw`, as part of the page; `label` is what a screen reader says."""
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
    # Counted, as matplotlib makes some names of a position's last digits, and these depend on the processor.
    numbers: defaultdict[str, int] = defaultdict(lambda: len(numbers))
    text = re.sub(r'(\bid="|href="#|url\(#)([^")]+)', lambda m: f"{m[1]}{unique}-{numbers[m[2]]}", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r"font: (?:[a-z0-9]+ )*?([0-9.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"(?<=: )#[0-9a-f]{6}\b", _colour, text)
    attributes = element("svg", role="img", aria_label=label, class_="chart").removesuffix("></svg>")
    return raw(attributes + text[len("<svg") :])


def _colour(match: re.Match[str]) -> str:
    """A variable where the colour has a meaning; any other, of a colour map, is lifted off a dark page."""
    known = _VARIABLES.get(match[0])
    return f"var(--{known})" if known else f"color-mix(in oklab, {match[0]} var(--keep), var(--ink))"
