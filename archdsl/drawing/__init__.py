"""Draws the network or the space of a spec: as a matplotlib figure, a file, or HTML for a notebook.

    from archdsl.drawing import draw, draw_file, html

Rows from top to bottom are the stem, the stages and the head; in each stand its blocks, coloured by what they do.
Holes stand as what they are: alternatives one above the other in a dashed box.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archdsl import ir
from archdsl.drawing.describe import describe
from archdsl.drawing.members import Members, look
from archdsl.drawing.page import html as page
from archdsl.drawing.sheet import Sheet, lay_out, wraps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "draw_file", "html"]


def draw(spec: ir.Spec) -> Figure:
    """The picture of a network or a space.

    Raises:
        SpecError: its blocks do not fit together, however its holes are filled.
    """
    from archdsl.drawing.save import drawn

    return drawn(sheet(look(spec)))


def draw_file(spec: ir.Spec, path: str | Path) -> Path:
    """Write the picture as SVG, PNG or PDF, as the name ends; all or nothing.

    Raises:
        UsageError: the name ends otherwise.
        SpecError: as `draw`.
        RunError: the file cannot be written.
    """
    from archdsl.base.pictures import require_format
    from archdsl.drawing.save import write

    require_format(Path(path))  # before any work
    return write(sheet(look(spec)), Path(path))


def html(spec: ir.Spec) -> str:
    """A fragment of HTML for notebooks: the picture as SVG, one line of figures, and the blocks (or decisions) below.

    What cannot be drawn says why instead of raising.
    """
    return page(spec, sheet)


def sheet(members: Members) -> Sheet:
    """The laid-out picture; long names give way to letters where a row would break over them."""
    full = lay_out(describe(members))
    return lay_out(describe(members, brief=True)) if wraps(full) else full
