"""`params`: the size of a network, the yardstick that every other screen has to beat."""

from __future__ import annotations

from typing import ClassVar

from archdsl.network import Architecture
from archdsl.study.screens import SCREENS, Screen


@SCREENS.register("params")
class Params(Screen):
    """Larger is thought better."""

    summary: ClassVar[str] = "learnable parameters"

    def score(self, architecture: Architecture) -> float:
        """The parameter count."""
        return float(architecture.params)
