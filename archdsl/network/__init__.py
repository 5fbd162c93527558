"""IR to architecture: holes filled, every block with its arguments, shapes, parameters and MACs; without torch.

In reading order: `placed`, what comes out; `fitting`, one block at one shape; `deciding`, `placing` and `resolving`,
the walk through a spec.
"""

from __future__ import annotations

from archdsl.network.deciding import Choose, Misfit, first_option
from archdsl.network.placed import Architecture, PlacedBlock, PlacedStage, digest
from archdsl.network.resolving import Resolving, resolve, resolve_model, resolve_without_holes

__all__ = [
    "Architecture", "Choose", "Misfit", "PlacedBlock", "PlacedStage", "Resolving", "digest", "first_option", "resolve",
    "resolve_model", "resolve_without_holes",
]  # fmt: skip
