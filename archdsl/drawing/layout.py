"""Lays out the parts of a row: how large everything is and where it stands, in inches."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from archdsl.drawing.picture import Part, Tile, fold

LINE = 0.105  # of notes below a tile
NOTE, LABEL, LETTER = 6.0, 7.0, 8.5  # sizes of type, in points
GAPS = (0.13, 0.085)  # between tiles, where the line that joins them is drawn; the narrow one where it saves a break
BREAK = 0.14  # between the lines of a long row
PAD = 0.06  # inside dashed boxes
CARD = 0.10  # above the cards of a repeat
HEADER = 0.17  # of a block that shows what it is made of
MOST_LINES = 6  # of a row, before runs of equal blocks are folded
FAMILY = ("DejaVu Sans", "sans-serif")  # the font matplotlib brings, so that every machine draws the same


@dataclass
class Box:
    """Something with a size, and where what it holds stands in it (x to the right, y downwards).

    Attributes:
        axis: how far below its upper edge the line runs that joins neighbours.
        inner: smaller, as inside alternatives.
    """

    part: Part | None
    width: float
    height: float
    axis: float
    inner: bool = False
    children: list[tuple[float, float, Box]] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)  # indices of the children, line by line


@functools.lru_cache(maxsize=8192)
def measure(text: str, size: float, bold: bool = False) -> float:
    """The width of a text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=list(FAMILY[:1]), size=size, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def tile_size(tile: Tile, inner: bool) -> tuple[float, float, float]:
    """Width and height of the rectangle, and the size of the type in it."""
    small = len(tile.label) > 2 or tile.look != "block"
    size = (LABEL if small else LETTER) - (1.0 if inner else 0.0)
    height = 0.22 if inner else 0.30
    least = {"nothing": 0.22, "layer": 0.26}.get(tile.look, 0.24 if inner else 0.28)
    return max(least, measure(tile.label, size, not small) + 0.10), height, size


def place(part: Part, most: float, inner: bool = False) -> Box:
    """The box of a part, at most so wide if that can be had."""
    if isinstance(part, Tile):
        width, height, _ = tile_size(part, inner)
        notes = max((measure(note, NOTE) for note in part.notes), default=0.0)
        return Box(part, max(width, notes), height + below(part.notes), height / 2, inner)
    held = [flow(sequence, most - 2 * PAD, inner or part.kind != "repeat") for sequence in part.sequences]
    if part.tile is not None:
        top, least = HEADER, tile_size(part.tile, True)[0]
    elif part.kind == "repeat":
        top, least = CARD, measure(part.label, NOTE, True) + 0.06 - 2 * PAD
    else:
        top, least = (0.09, measure(part.label, NOTE, True)) if part.label else (0.0, 0.0)
    width = max([box.width for box in held] + [least]) + 2 * PAD
    y, children = top + PAD, []
    for box in held:
        children.append(((width - box.width) / 2, y, box))
        y += box.height + 0.06
    height = y - 0.06 + PAD
    if part.kind == "repeat":  # a second card sticks out behind
        return Box(part, width + 0.06, height, top + PAD + held[0].axis, inner, children)
    said = part.tile.notes if part.tile else ()
    wide = max([width, *(measure(note, NOTE) for note in said)])
    return Box(part, wide, height + below(said), height / 2, True, children)


def below(notes: tuple[str, ...]) -> float:
    """The height of the notes under a tile."""
    return LINE * len(notes) + 0.02 if notes else 0.0


def flow(parts: tuple[Part, ...], most: float, inner: bool = False) -> Box:
    """Parts side by side, broken into lines where they do not fit; what takes too many lines is folded first."""
    box = _flow(parts, most, inner)
    if len(box.lines) > MOST_LINES:
        folded = fold(parts)
        box = _flow(folded, most, inner) if len(folded) < len(parts) else box
    return box


def _flow(parts: tuple[Part, ...], most: float, inner: bool) -> Box:
    boxes = [place(part, most, inner) for part in parts]
    gap = 0.07 if inner else GAPS[0]
    if not inner and len(_lines(boxes, most, GAPS[1])) == 1:
        gap = _fitting(boxes, most)
    lines = _lines(boxes, most, gap)
    whole = Box(None, 0.0, 0.0, 0.0, inner, lines=lines)
    y = 0.0
    for number, line in enumerate(lines):
        axis = max(boxes[i].axis for i in line)
        below = max(boxes[i].height - boxes[i].axis for i in line)
        x = 0.0
        for i in line:
            whole.children.append((x, y + axis - boxes[i].axis, boxes[i]))
            x += boxes[i].width + gap
        whole.width = max(whole.width, x - gap)
        if number == 0:
            whole.axis = axis
        y += axis + below + BREAK
    whole.height = max(0.0, y - BREAK)
    if inner and len(lines) > 1:
        whole.axis = whole.height / 2
    return whole


def _fitting(boxes: list[Box], most: float) -> float:
    """The gap with which all boxes stand in one line."""
    between = (most - sum(box.width for box in boxes)) / max(1, len(boxes) - 1)
    return min(GAPS[0], between - 1e-9)


def _lines(boxes: list[Box], most: float, gap: float) -> list[list[int]]:
    """The boxes line by line: as few lines as will do, and those about equally long."""

    def broken(limit: float) -> list[list[int]]:
        lines: list[list[int]] = [[]]
        used = 0.0
        for index, box in enumerate(boxes):
            if lines[-1] and used + gap + box.width > limit:
                lines.append([])
                used = 0.0
            used += box.width + (gap if lines[-1] else 0.0)
            lines[-1].append(index)
        return [line for line in lines if line]

    fewest = len(broken(most))
    if fewest < 2:
        return broken(most)
    limits = [most * share for share in (0.55, 0.65, 0.75, 0.85, 0.92, 1.0)]
    return next(lines for limit in limits if len(lines := broken(limit)) == fewest)
