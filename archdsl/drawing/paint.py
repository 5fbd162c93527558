"""Paints a laid-out picture as a matplotlib figure: heading, rows with their feature maps and costs, legend."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from archdsl.base import colours
from archdsl.base.numbers import short as quantity
from archdsl.drawing.blocks import (
    BAND,
    DASHES,
    EDGE,
    SHARED,
    SIDE,
    SOFT,
    TOP,
    Blocks,
    ink,
    inset,
    narrowing,
    outset,
)  # fmt: skip
from archdsl.drawing.layout import LABEL, NOTE, measure
from archdsl.drawing.picture import Entry, Tile
from archdsl.drawing.sheet import EDGE as MARGIN
from archdsl.drawing.sheet import ENTRY, HEADING, SKETCH, SUMMARY, Band, Sheet, mark_width, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NO_BLOCKS = "no blocks"


def paint(sheet: Sheet) -> Figure:
    """The figure, at its natural size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(sheet.width, sheet.height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, sheet.width), ylim=(sheet.height, 0))
    axes.axis("off")
    painter = _Painter(axes, sheet)
    painter.heading()
    for band in sheet.bands:
        painter.band(band)
    for above, below in itertools.pairwise(sheet.bands):
        painter.descend(above, below)
    for index, (x, y, entry) in enumerate(sheet.legend):
        painter.entry(x, y, index, entry)
    return figure


class _Painter(Blocks):
    def __init__(self, axes: Axes, sheet: Sheet) -> None:
        super().__init__(axes, sheet.picture.shared)
        self.sheet = sheet
        self.largest = max(max(row.side) for row in sheet.picture.rows)
        self.widest = max(row.channels for row in sheet.picture.rows)

    def heading(self) -> None:
        picture = self.sheet.picture
        self.text(MARGIN, 0.21, picture.name, 10.5, weight="bold", ha="left")
        for i, line in enumerate(picture.summary + picture.notes):
            self.text(MARGIN, HEADING + 0.06 + SUMMARY * i, line, LABEL, color=SOFT, ha="left")

    # ---- rows ----

    def band(self, band: Band) -> None:
        """A row: its ground, the sketch of what leaves it, words, blocks, costs."""
        sheet, row, middle, text = self.sheet, band.row, band.middle, self.text
        if row.is_stage:
            style: dict[str, Any] = {"fc": BAND, "ec": "none", "zorder": 0, "radius": 0.06, "gid": f"row-{row.name}"}
            self.rounded(0.06, band.top, sheet.width - 0.12, band.height, **style)
        self.sketch(MARGIN, middle, row.channels, row.side)
        text(sheet.text_x, middle - 0.15, title(row), LABEL + 0.5, ha="left", weight="bold")
        text(sheet.text_x, middle, f"{row.width} ch", LABEL, ha="left")
        text(sheet.text_x, middle + 0.14, row.resolution, LABEL, ha="left")
        if row.params is not None and row.macs is not None:
            text(sheet.right_x, middle - 0.07, f"{quantity(row.params)} params", ENTRY, ha="right", color=SOFT)
            text(sheet.right_x, middle + 0.07, f"{quantity(row.macs)} MACs", ENTRY, ha="right", color=SOFT)
        if row.notes:
            text(sheet.body_x, band.body_y - 0.09, " · ".join(row.notes), NOTE, ha="left", color=SOFT)
        if band.body.children:
            self.sequence(band.body, sheet.body_x, band.body_y)
        else:
            text(sheet.body_x, middle, NO_BLOCKS, NOTE, ha="left", color=SOFT)

    def sketch(self, x: float, middle: float, channels: int, side: tuple[int, int]) -> None:
        """A feature map as a slab: its face says height and width, its depth the channels (square roots of both)."""
        height, width = (max(0.045, 0.34 * (n / self.largest) ** 0.5) for n in side)
        depth = max(0.02, 0.17 * (channels / self.widest) ** 0.5)
        left = x + (SKETCH - 0.04 - width - depth) / 2
        right, top = left + width, middle - (height - depth) / 2
        style: dict[str, Any] = {"ec": EDGE, "lw": 0.6, "zorder": 2}
        back = [(left + depth, top - depth), (right + depth, top - depth)]
        self.polygon([(left, top), *back, (right, top)], fc=TOP, **style)
        wall = [(right, top), back[1], (right + depth, top - depth + height), (right, top + height)]
        self.polygon(wall, fc=SIDE, **style)
        self.polygon(narrowing(left, top, width, height, 0.0), fc="white", **style)

    def descend(self, above: Band, below: Band) -> None:
        """The wire from the end of a row to the beginning of the next."""
        between = (above.top + above.height + below.top) / 2
        if above.body.children:
            x, y, box = above.body.children[-1]
            right = self.sheet.body_x + x + box.width
            start = right - outset(box), above.body_y + y + box.axis
        else:
            right = self.sheet.body_x + measure(NO_BLOCKS, NOTE) + 0.03
            start = right, above.middle
        end = self.sheet.body_x, below.middle
        if below.body.children:
            _, y, box = below.body.children[0]
            end = self.sheet.body_x + inset(box), below.body_y + y + box.axis
        self.turn(start, end, right, between)

    # ---- legend ----

    def entry(self, x: float, y: float, index: int, entry: Entry) -> None:
        """A mark and what it means; the row's middle is `y`."""
        width = mark_width(entry)
        style: dict[str, Any] = {"fc": "white", "ec": EDGE, "lw": 0.7}
        match entry.mark:
            case "block":
                tile = Tile(entry.label, f"legend-{index}", "legend", entry.roles)
                self.shape(tile, x, y - 0.09, width, 0.18)
                self.text(x + width / 2, y, entry.label, ENTRY, color=ink(entry.roles))
            case "kind":
                color = colours.KINDS[entry.label]
                self.polygon(narrowing(x + 0.01, y - 0.05, 0.10, 0.10, 0.0), fc=color, ec="none")
            case "shrinks" | "optional":
                dashes = DASHES if entry.mark == "optional" else "-"
                self.polygon(narrowing(x, y - 0.06, 0.12, 0.12, 0.025), ls=dashes, **style)
            case "hole":
                self.rounded(x, y - 0.06, 0.12, 0.12, radius=0.025, ls=DASHES, **style)
            case "nothing":
                self.polygon(narrowing(x + 0.01, y - 0.05, 0.10, 0.10, 0.0), ls=DASHES, **style)
            case "shared":
                self.text(x + width / 2, y, "A", NOTE, weight="bold", color=SHARED[0])
        soft = colours.INK if entry.mark == "block" else SOFT
        self.text(x + width + 0.07, y, entry.meaning, ENTRY, ha="left", color=soft)
