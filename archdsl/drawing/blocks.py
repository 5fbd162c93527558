"""Draws blocks: tiles in the colours of their roles, alternatives, repeats, frames, and the wires between them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from archdsl.base import colours
from archdsl.drawing.layout import BREAK, CARD, FAMILY, HEADER, LINE, NOTE, Box, below, tile_size
from archdsl.drawing.picture import Frame, Tile

if TYPE_CHECKING:
    from matplotlib.axes import Axes


BAND = "#f4f5f7"  # the ground of a stage
EDGE = "#5c6470"
WIRE = "#9aa1ac"
SOFT = "#5c6470"  # type that is not the main thing; 5.9:1 on white
OTHER = "#d5d9de"  # blocks of no kind
TOP, SIDE = "#e3e6ea", "#c9ced6"  # of a feature map
SHARED = ("#b0307f", "#c14a00", "#1f6fa8", "#5b7f00")  # edges of holes that several places share
DASHES = (0, (3, 2))


class Pencil:
    """Draws on axes whose units are inches, y downwards."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes

    def text(self, x: float, y: float, text: str, size: float, **style: Any) -> None:
        """A line of text, in the middle of (x, y) unless told otherwise."""
        usual: dict[str, Any] = {"ha": "center", "va": "center_baseline", "color": colours.INK, "zorder": 5}
        # Names may hold what matplotlib takes for mathematics.
        self.axes.text(x, y, text, fontsize=size, family=list(FAMILY), parse_math=False, **(usual | style))

    def line(self, xs: list[float], ys: list[float]) -> None:
        """A wire."""
        self.axes.plot(xs, ys, color=WIRE, lw=0.8, ls="-", marker="", solid_joinstyle="round", zorder=1)

    def arrow(self, x: float, y: float) -> None:
        """The head of a wire that ends at (x, y), to the right."""
        self.polygon([(x - 0.065, y - 0.033), (x - 0.005, y), (x - 0.065, y + 0.033)], fc=WIRE, ec="none", zorder=1)

    def polygon(self, points: list[tuple[float, float]], **style: Any) -> None:
        """A filled polygon."""
        from matplotlib.patches import Polygon

        self.axes.add_patch(Polygon(points, closed=True, joinstyle="round", **style))

    def rounded(self, x: float, y: float, width: float, height: float, *, radius: float = 0.04, **style: Any) -> None:
        """A box with round corners."""
        from matplotlib.patches import FancyBboxPatch

        shape = f"round,pad=0,rounding_size={radius}"
        self.axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=shape, **style))


def narrowing(x: float, y: float, width: float, height: float, lower: float) -> list[tuple[float, float]]:
    """The corners of a box whose right side is lower at both ends."""
    return [(x, y), (x + width, y + lower), (x + width, y + height - lower), (x, y + height)]


def ink(roles: tuple[str, ...]) -> str:
    """The colour of type on a block."""
    return "white" if roles == ("conv",) else colours.INK


class Blocks(Pencil):
    """Draws the blocks of a picture.

    Attributes:
        edges: colours of the holes that several places share, by name.
    """

    def __init__(self, axes: Axes, shared: tuple[str, ...]) -> None:
        super().__init__(axes)
        self.edges = {name: SHARED[i % len(SHARED)] for i, name in enumerate(shared)}

    def sequence(self, box: Box, x: float, y: float) -> None:
        """Parts side by side, with wires between them; at the end of a line the wire goes on below."""
        for number, line in enumerate(box.lines):
            for before, after in itertools.pairwise(line):
                (ax, ay, a), (bx, _, b) = box.children[before], box.children[after]
                self.line([x + ax + a.width - outset(a), x + bx + inset(b)], [y + ay + a.axis] * 2)
            if number and not box.inner:
                above = box.lines[number - 1]
                lowest = max(box.children[i][1] + box.children[i][2].height for i in above)
                (ax, ay, a), (bx, by, b) = box.children[above[-1]], box.children[line[0]]
                right = x + ax + a.width
                start, end = (right - outset(a), y + ay + a.axis), (x + bx + inset(b), y + by + b.axis)
                self.turn(start, end, right, y + lowest + BREAK / 2)
        for dx, dy, child in box.children:
            self.part(child, x + dx, y + dy)

    def turn(self, start: tuple[float, float], end: tuple[float, float], edge: float, between: float) -> None:
        """A wire from the end of a line (what stands there reaches to `edge`) to the beginning of the next."""
        (x0, y0), (x1, y1) = start, end
        right, left = edge + 0.08, x1 - 0.12
        self.line([x0, right, right, left, left, x1 - 0.05], [y0, y0, between, between, y1, y1])
        self.arrow(x1, y1)

    def part(self, box: Box, x: float, y: float) -> None:
        """A part and all it holds."""
        part = box.part
        if isinstance(part, Tile):
            self.tile(part, x + box.width / 2, y, box.inner)
        elif part is not None and part.tile is not None:
            self.framed(part.tile, box, x, y)
        elif part is not None and part.kind == "repeat":
            self.cards(part, box, x, y)
        elif part is not None:
            edge = self.edges.get(part.label, EDGE)
            style: dict[str, Any] = {"fc": "white", "ec": edge, "lw": 1.0 if part.label else 0.8, "ls": DASHES}
            self.rounded(x, y, box.width, box.height, gid=f"hole-{part.path}", zorder=2, **style)
            if part.label:
                self.text(x + box.width / 2, y + 0.075, part.label, NOTE, weight="bold", color=edge)
        for dx, dy, child in box.children:
            self.sequence(child, x + dx, y + dy)

    def cards(self, repeated: Frame, box: Box, x: float, y: float) -> None:
        """Cards one behind the other, and how many."""
        width, height, top = box.width - 0.06, box.height - CARD, y + CARD
        style: dict[str, Any] = {"fc": "white", "ec": EDGE, "lw": 0.7}
        self.rounded(x + 0.05, top - 0.05, width, height, zorder=1.5, **style)
        self.rounded(x, top, width, height, zorder=1.6, gid=f"repeat-{repeated.path}", **style)
        self.text(x + width / 2, top - 0.11, repeated.label, NOTE, weight="bold")

    def framed(self, tile: Tile, box: Box, x: float, y: float) -> None:
        """A frame with the block's name on a strip in its colour."""
        height = box.height - below(tile.notes)
        self.shape(tile, x, y, box.width, HEADER)
        points = narrowing(x, y + HEADER, box.width, height - HEADER, 0.0)
        self.polygon(points, fc="white", ec=colours.INK, lw=0.5, zorder=2)
        self.text(x + box.width / 2, y + HEADER / 2, tile.label, NOTE, color=ink(tile.roles))
        self.notes(tile, x + box.width / 2, y + height)

    def tile(self, tile: Tile, middle: float, top: float, inner: bool) -> None:
        """A block with its notes."""
        width, height, size = tile_size(tile, inner)
        self.shape(tile, middle - width / 2, top, width, height)
        weight = "bold" if len(tile.label) <= 2 and tile.look == "block" else "normal"
        color = ink(tile.roles) if tile.look == "block" else colours.INK
        self.text(middle, top + height / 2, tile.label, size, color=color, weight=weight)
        self.notes(tile, middle, top + height)

    def notes(self, tile: Tile, middle: float, top: float) -> None:
        """The lines below a block."""
        for i, note in enumerate(tile.notes):
            self.text(middle, top + 0.07 + LINE * i, note, NOTE, color=SOFT)

    def shape(self, tile: Tile, left: float, top: float, width: float, height: float) -> None:
        """A rectangle, narrowing to the right where the map shrinks; in several colours where a block has parts."""
        style: dict[str, Any] = {"ec": EDGE, "lw": 0.7, "zorder": 3, "gid": f"{noun(tile)}-{tile.path}"}
        if tile.optional or tile.look == "nothing":
            style["ls"] = DASHES
        if tile.look in ("input", "output"):
            self.rounded(left, top, width, height, fc="white", radius=height / 2, **style)
            return
        block = tile.look in ("block", "legend")
        if block:
            style |= {"ec": colours.INK, "lw": 0.5}
        fills = [colours.KINDS[role] for role in tile.roles] or [OTHER if block else "white"]
        lower = 0.16 * height if tile.shrinks > 1 else 0.0
        outline = narrowing(left, top, width, height, lower)
        # The outline carries the name; over parts in several colours it has no ground of its own.
        self.polygon(outline, fc=fills[0] if len(fills) == 1 else "none", **style)
        for i, fill in enumerate(fills if len(fills) > 1 else ()):
            ends = [(left + width * s, top + lower * s, top + height - lower * s) for s in (i / len(fills), 1.0)]
            points = [(x, y) for x, y, _ in ends] + [(x, y) for x, _, y in reversed(ends)]
            self.polygon(points, fc=fill, ec="none", zorder=2.8 + i / 100)


def noun(tile: Tile) -> str:
    """What a tile's id in the figure begins with."""
    return "block" if tile.look in ("block", "layer") else tile.look


def inset(box: Box) -> float:
    """How far inside its box a tile begins, its notes being wider than it."""
    if isinstance(box.part, Tile):
        return (box.width - tile_size(box.part, box.inner)[0]) / 2
    return 0.0


def outset(box: Box) -> float:
    """How far inside its box the wire leaves; the cards of a repeat stick out behind."""
    return 0.06 if isinstance(box.part, Frame) and box.part.kind == "repeat" else inset(box)
