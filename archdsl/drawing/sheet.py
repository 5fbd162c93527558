"""Lays out a picture on a sheet: the place of every row, of the blocks in it, and of the legend, in inches."""

from __future__ import annotations

from dataclasses import dataclass

from archdsl.drawing.layout import LABEL, NOTE, Box, flow, measure
from archdsl.drawing.picture import Entry, Picture, Row, tiles

WIDEST, NARROWEST = 7.2, 4.8  # the width of a page's text, and one that holds the heading
SKETCH = 0.62  # the column of the feature maps
COSTS = 0.78  # that of parameters and MACs
EDGE = 0.14
HEADING = 0.34  # above the lines of the summary
SUMMARY = 0.145  # one of them
ENTRY = NOTE + 0.5  # type of the legend


@dataclass
class Band:
    """A row with its place.

    Attributes:
        middle: where its words and its sketch stand: beside the line through its blocks.
        body, body_y: its blocks, and where they begin.
    """

    row: Row
    top: float
    height: float
    middle: float
    body: Box
    body_y: float


@dataclass
class Sheet:
    """A picture laid out.

    Attributes:
        text_x, body_x, right_x: where the columns begin: words of a row, its blocks, its costs (which end there).
        legend: x, y and what stands there.
    """

    picture: Picture
    width: float
    height: float
    text_x: float
    body_x: float
    right_x: float
    bands: list[Band]
    legend: list[tuple[float, float, Entry]]


def lay_out(picture: Picture) -> Sheet:
    """Everything's place."""
    rows = picture.rows
    words = [measure(text, LABEL) for row in rows for text in (f"{row.width} ch", row.resolution)]
    text_x = EDGE + SKETCH + 0.04
    body_x = text_x + max(words + [measure(title(row), LABEL + 0.5, True) for row in rows]) + 0.22
    costs = COSTS if any(row.params is not None for row in rows) else 0.0
    bodies = [flow(row.parts, WIDEST - body_x - costs - 2 * EDGE) for row in rows]
    used = max([body.width for body in bodies] + [measure(" · ".join(row.notes), NOTE) for row in rows])
    summary = max(measure(line, LABEL) for line in (*picture.summary, *picture.notes, ""))
    width = max(body_x + used + costs + 2 * EDGE, min(WIDEST, summary + 2 * EDGE), NARROWEST)
    bands: list[Band] = []
    y = HEADING + SUMMARY * len(picture.summary + picture.notes) + 0.10
    for row, body in zip(rows, bodies, strict=True):
        axis = body.axis if len(body.lines) == 1 else body.height / 2
        above = max(0.30, axis + 0.10 + (0.14 if row.notes else 0.0))
        height = above + max(0.28, body.height - axis + 0.08)
        bands.append(Band(row, y, height, y + above, body, y + above - axis))
        y += height + 0.12
    entries, bottom = _legend(picture.legend, width, y + 0.06)
    return Sheet(picture, width, bottom, text_x, body_x, width - EDGE, bands, entries)


def _legend(legend: tuple[Entry, ...], width: float, y: float) -> tuple[list[tuple[float, float, Entry]], float]:
    """Places of the legend's entries, side by side as far as they fit, and where the picture ends."""
    places: list[tuple[float, float, Entry]] = []
    x = EDGE
    for index, entry in enumerate(legend):
        needs = mark_width(entry) + 0.07 + measure(entry.meaning, ENTRY) + 0.18
        first_of_key = index > 0 and entry.mark != "block" and legend[index - 1].mark == "block"
        if first_of_key or (x > EDGE and x + needs > width):
            x, y = EDGE, y + 0.24
        places.append((x, y, entry))
        x += needs
    return places, y + (0.30 if legend else 0.06)


def mark_width(entry: Entry) -> float:
    """The width of what an entry of the legend explains."""
    if entry.mark != "block":
        return 0.12
    return max(0.26, measure(entry.label, ENTRY) + 0.08)


def wraps(sheet: Sheet) -> bool:
    """Whether a stage with a long name in it breaks into lines."""
    broken = [band.row for band in sheet.bands if band.row.is_stage and len(band.body.lines) > 1]
    return any(tile.look == "block" and len(tile.label) > 3 for row in broken for tile in tiles(row.parts))


def title(row: Row) -> str:
    """A row's heading: `stage 2`."""
    return row.name.replace("stage", "stage ") if row.is_stage else row.name
