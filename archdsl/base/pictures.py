"""Saves matplotlib's figures: as SVG, PNG or PDF files, and as SVG inside of a page; the same bytes on every run.

A figure is made by `blank`, drawn on, and handed to `save` (a file), `content` (bytes) or `inline` (a part of a page).
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.base.errors import UsageError
from archdsl.base.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png", ".pdf")
DPI = 160

# What would tell two runs apart (the date), or tell of the machine (versions).
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
# Set here whatever a user's own matplotlibrc may say.
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",  # text as text: it can be searched, and read aloud
    "svg.id": None,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
}


def blank(size: tuple[float, float]) -> Figure:
    """An empty figure of so many inches, whose axes make room for their words."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def settings(style: Mapping[str, Any] | None = None, salt: str = "archdsl") -> AbstractContextManager[None]:
    """Matplotlib's settings while a figure is drawn in a style of its own; `salt` sets its ids apart from another's."""
    import matplotlib

    wanted: dict[Any, Any] = _SETTINGS | {"svg.hashsalt": salt} | dict(style or {})
    # Not every version of matplotlib knows all of them.
    return matplotlib.rc_context({name: value for name, value in wanted.items() if name in matplotlib.rcParams})


def content(
    figure: Figure, kind: str, *, dpi: float = DPI, style: Mapping[str, Any] | None = None, salt: str = "archdsl"
) -> bytes:
    """A figure as the bytes of an `svg`, `png` or `pdf` file; `style` is the one it was drawn in."""
    out = io.BytesIO()
    with settings(style, salt):
        figure.savefig(out, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return out.getvalue()


def save(
    figure: Figure, path: Path, *, dpi: float = DPI, style: Mapping[str, Any] | None = None, salt: str = "archdsl"
) -> Path:
    """Write a figure to a file, as its name ends; all or nothing.

    Raises:
        UsageError: the name ends otherwise.
        RunError: the file cannot be written.
    """
    return write_atomically(path, content(figure, require_format(path), dpi=dpi, style=style, salt=salt))


def require_format(path: Path) -> str:
    """The format a file name asks for.

    Raises:
        UsageError: none that is known.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        known = f"end the name with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise UsageError(f"'{path}' does not say which format to draw", known)
    return suffix[1:]


def inline(svg: str, label: str, name: str, attributes: str = 'style="max-width:100%;height:auto"') -> str:
    """An SVG file as part of a page: no prologue, its style kept to itself, ids that no other picture has.

    Args:
        svg: the file's text.
        label: what a screen reader says.
        name: what sets it apart from other pictures on the page.
        attributes: more of the `<svg>` element, as HTML.
    """
    unique = "f" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", text)
    text = re.sub(r"\n <title>.*?</title>", "", text, count=1, flags=re.S)  # the figure's; those of its parts stay
    text = text.replace("xlink:href=", "href=")
    # Counted, as matplotlib makes some names of a position's last digits, and these depend on the processor.
    numbers: defaultdict[str, int] = defaultdict(lambda: len(numbers))
    text = re.sub(r'(\bid="|href="#|url\(#)([^")]+)', lambda m: f"{m[1]}{unique}-{numbers[m[2]]}", text)
    text = text.replace("*{", f"#{unique} *{{", 1)
    head = f'<svg id="{unique}" role="img" aria-label="{html.escape(label)}" {attributes}'
    return head + text[len("<svg") :]
