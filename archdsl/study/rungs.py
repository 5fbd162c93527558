"""Successive halving on the accuracy curve: who goes on after an epoch is decided against all who came that far."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

SOONEST = 4  # so many networks pass a rung before it stops anyone


@dataclass
class Rungs:
    """Asynchronous successive halving (arXiv 1810.05934) for trials that run one after the other.

    Attributes:
        epochs: of a whole training; rungs stand at epochs/4 and epochs/2 (rounded up), the best half goes on.
        seen: accuracies at each rung, of all networks that reached it.
    """

    epochs: int
    seen: dict[int, list[float]] = field(default_factory=dict)

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs after which networks may be stopped."""
        return tuple(sorted({-(-self.epochs // 4), -(-self.epochs // 2)} - {self.epochs, 0}))

    def enter(self, curve: Sequence[float]) -> None:
        """Take in the accuracy curve of a finished or stopped network."""
        for rung in self.rungs:
            if len(curve) >= rung:
                self.seen.setdefault(rung, []).append(curve[rung - 1])

    def bars(self) -> dict[int, float]:
        """By rung, the accuracy a network has to reach to go on: the median of those that came that far."""
        return {rung: statistics.median(seen) for rung, seen in self.seen.items() if len(seen) >= SOONEST}
