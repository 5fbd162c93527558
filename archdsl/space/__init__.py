"""Counts, draws, lists and checks the members of a space.

Counted exactly, without looking at each, wherever the conditions are sums over blocks; see `counting`.
"""

from __future__ import annotations

from archdsl.ir.decisions import Decision, Filling, Hole, decisions, options
from archdsl.space.checking import check
from archdsl.space.enumeration import attempt, draw, fillings, random_choice
from archdsl.space.extents import EXACT_LIMIT, Extent
from archdsl.space.extents import measure_extent as extent
from archdsl.space.listing import DRAWS
from archdsl.space.listing import draw_endlessly as stream
from archdsl.space.listing import draw_members as sample
from archdsl.space.listing import list_members as members
from archdsl.space.sizing import size

__all__ = [
    "DRAWS", "EXACT_LIMIT", "Decision", "Extent", "Filling", "Hole", "attempt", "check", "decisions", "draw", "extent",
    "fillings", "members", "options", "random_choice", "sample", "size", "stream",
]  # fmt: skip
