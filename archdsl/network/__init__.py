"""Makes the architecture of a spec: holes filled, every block with arguments, shapes, parameters, MACs; without torch.

In reading order: `fitting`, one block at one shape; `placed`, what comes out; `deciding`, `placing` and `resolving`,
the walk through a spec.
"""

from __future__ import annotations

from archdsl.network.deciding import Choose, Misfit, first_option
from archdsl.network.fitting import digest
from archdsl.network.placed import Architecture, PlacedBlock, PlacedStage
from archdsl.network.resolving import Resolving, resolve, resolve_model, resolve_without_holes

__all__ = [
    "Architecture", "Choose", "Misfit", "PlacedBlock", "PlacedStage", "Resolving", "digest", "first_option", "resolve",
    "resolve_model", "resolve_without_holes",
]  # fmt: skip
