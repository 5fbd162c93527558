"""`macs`: the work of a network, a yardstick for other screens."""

from __future__ import annotations

from typing import ClassVar

from archdsl.network import Architecture
from archdsl.study.screens import SCREENS, Screen


@SCREENS.register("macs")
class Macs(Screen):
    """More work is thought better."""

    summary: ClassVar[str] = "multiply-accumulates of one image"

    def score(self, architecture: Architecture) -> float:
        """The MACs."""
        return float(architecture.macs)
