"""Saves a laid-out picture: a figure or a file; as SVG every block says what it is when pointed at."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.base import pictures
from archdsl.base.files import write_atomically
from archdsl.drawing.blocks import noun
from archdsl.drawing.paint import paint
from archdsl.drawing.picture import Picture, tiles
from archdsl.drawing.sheet import Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
MOST_PIXELS = 30_000  # along a side of a PNG
# Set here whatever a user's own matplotlibrc may say.
_STYLE: dict[str, Any] = {
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
}


def drawn(sheet: Sheet) -> Figure:
    """The figure."""
    with pictures.settings(_STYLE):
        return paint(sheet)


def write(sheet: Sheet, path: Path) -> Path:
    """Write the figure to a file."""
    kind = pictures.require_format(path)
    return write_atomically(path, svg(sheet) if kind == "svg" else _content(sheet, kind))


def svg(sheet: Sheet) -> str:
    """The figure as SVG text; every block says what it is when pointed at."""
    text = _content(sheet, "svg").decode()
    for gid, title in titles(sheet.picture).items():
        text = text.replace(f'<g id="{gid}">', f'<g id="{gid}">\n    <title>{html.escape(title)}</title>', 1)
    return re.sub(r"(<svg [^>]*>)", rf"\1\n <title>{html.escape(sheet.picture.name)}</title>", text, count=1)


def titles(picture: Picture) -> dict[str, str]:
    """What the blocks say, by their ids in the figure."""
    return {f"{noun(tile)}-{tile.path}": tile.title for row in picture.rows for tile in tiles(row.parts) if tile.title}


def _content(sheet: Sheet, kind: str) -> bytes:
    dpi = min(DPI, MOST_PIXELS / max(sheet.width, sheet.height))
    return pictures.content(drawn(sheet), kind, dpi=dpi, style=_STYLE)
