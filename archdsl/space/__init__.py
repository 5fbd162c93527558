"""Counts, draws, lists and checks the members of a space.

Counted exactly, without looking at each, wherever the conditions are sums over blocks; see `counting`. Nothing is
imported before it is used: a model is checked without what counts.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from archdsl.ir.decisions import Decision, Filling, Hole, decisions, options

if TYPE_CHECKING:
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

# Where each name stands, and what it is called there.
_HOMES = {
    "DRAWS": ("listing", "DRAWS"), "EXACT_LIMIT": ("extents", "EXACT_LIMIT"), "Extent": ("extents", "Extent"),
    "attempt": ("enumeration", "attempt"), "check": ("checking", "check"), "draw": ("enumeration", "draw"),
    "extent": ("extents", "measure_extent"), "fillings": ("enumeration", "fillings"),
    "members": ("listing", "list_members"), "random_choice": ("enumeration", "random_choice"),
    "sample": ("listing", "draw_members"), "size": ("sizing", "size"), "stream": ("listing", "draw_endlessly"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archdsl.space' has no attribute '{name}'")
    module, there = _HOMES[name]
    found = globals()[name] = getattr(importlib.import_module(f"archdsl.space.{module}"), there)
    return found
