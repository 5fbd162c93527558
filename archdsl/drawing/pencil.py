"""Draws text, lines, polygons and rounded boxes at places in inches, in a picture's own colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.base import colours
from archdsl.drawing.layout import FAMILY

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
