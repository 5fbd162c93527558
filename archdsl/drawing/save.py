"""A laid-out picture in, a figure or a file out: SVG with text as text, PNG or PDF; the same bytes on every run."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.base.errors import UsageError
from archdsl.base.files import write_atomically
from archdsl.drawing.blocks import noun
from archdsl.drawing.paint import paint
from archdsl.drawing.picture import Picture, tiles
from archdsl.drawing.sheet import Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png", ".pdf")
DPI = 200
MOST_PIXELS = 30_000  # along a side of a PNG

# What would tell two runs apart (the date), or tell of the machine (versions).
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
# Set here whatever a user's own matplotlibrc may say.
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "archdsl",
    "svg.id": None,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.weight": "normal",
    "font.style": "normal",
    "text.usetex": False,
    "text.hinting": "none",
    "text.antialiased": True,
    "patch.antialiased": True,
    "lines.antialiased": True,
    "lines.dashed_pattern": [3.7, 1.6],
    "lines.scale_dashes": True,
    "path.simplify": False,
    "path.snap": True,
    "path.sketch": None,
    "path.effects": [],
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
}


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


def drawn(sheet: Sheet) -> Figure:
    """The figure."""
    import matplotlib

    with matplotlib.rc_context(_settings()):
        return paint(sheet)


def write(sheet: Sheet, path: Path) -> Path:
    """Write the figure to a file."""
    kind = require_format(path)
    if kind == "svg":
        return write_atomically(path, svg(sheet))
    return write_atomically(path, _saved(sheet, kind))


def svg(sheet: Sheet) -> str:
    """The figure as SVG text; every block says what it is when pointed at."""
    text = _saved(sheet, "svg").decode()
    for gid, title in titles(sheet.picture).items():
        text = text.replace(f'<g id="{gid}">', f'<g id="{gid}">\n    <title>{html.escape(title)}</title>', 1)
    return re.sub(r"(<svg [^>]*>)", rf"\1\n <title>{html.escape(sheet.picture.name)}</title>", text, count=1)


def titles(picture: Picture) -> dict[str, str]:
    """What the blocks say, by their ids in the figure."""
    return {f"{noun(tile)}-{tile.path}": tile.title for row in picture.rows for tile in tiles(row.parts) if tile.title}


def _saved(sheet: Sheet, kind: str) -> bytes:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    out = io.BytesIO()
    dpi = min(DPI, MOST_PIXELS / max(sheet.width, sheet.height))
    with matplotlib.rc_context(_settings()):
        figure = paint(sheet)
        FigureCanvasAgg(figure)
        figure.savefig(out, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return out.getvalue()


def _settings() -> Any:
    """The settings this version of matplotlib knows."""
    import matplotlib

    return {name: value for name, value in _SETTINGS.items() if name in matplotlib.rcParams}
