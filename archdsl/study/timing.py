"""Measures the latency of a search's networks, and turns those away that break a bound on it."""

from __future__ import annotations

from archdsl import ir
from archdsl.base.errors import DiskFullError, RunError
from archdsl.ir.conditions import LATENCY, is_measured
from archdsl.network import Architecture
from archdsl.network.latency import Latencies, broken
from archdsl.study.baselines import baselines


class Timing:
    """Measures the candidates of a search where it asks for their latency, in the process that proposes.

    Args:
        spec: the space.
        objectives: (score, direction) pairs.
        latencies: of the device that trains; its file keeps what was measured, so that a resumed search decides alike.

    Attributes:
        needed: whether the search asks for latency at all; otherwise nothing is measured.
    """

    def __init__(self, spec: ir.Spec, objectives: tuple[tuple[str, str], ...], latencies: Latencies) -> None:
        self.spec, self.latencies = spec, latencies
        self._wanted = any(name == LATENCY for name, _ in objectives)
        self.needed = self._wanted or any(map(is_measured, spec.require))

    def prepare(self) -> None:
        """Measure what the baselines are made of, while no worker keeps the machine busy."""
        for member in baselines(self.spec).values() if self.needed else ():
            self.admits(member)

    def admits(self, architecture: Architecture) -> str | None:
        """Why a member is not trained: it breaks what the spec requires, or cannot be measured; None lets it through.

        Raises:
            DiskFullError: there is no room for what was measured.
        """
        if not self.needed:
            return None
        try:
            if self._wanted:
                self.latencies.of(architecture)
            found = broken(self.spec.require, architecture, self.latencies)
        except DiskFullError:
            raise
        except RunError as error:
            return error.message
        return "; ".join(diagnostic.message for diagnostic in found) or None

    def scores(self, architecture: Architecture) -> dict[str, float]:
        """The latency of a member that was let through; nothing where nobody asks for it."""
        return {LATENCY: self.latencies.of(architecture)} if self.needed else {}
