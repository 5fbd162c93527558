"""What many trials came to: counts, the slowest, the largest, and each finding once with its smallest input."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .trial import Finding, Trial


@dataclass
class Found:
    """A finding, how often it was met, and the smallest input that shows it."""

    finding: Finding
    data: bytes
    count: int = 1

    def plain(self) -> dict[str, Any]:
        text = self.data.decode("utf-8", "backslashreplace")
        return {**vars(self.finding), "count": self.count, "characters": len(text), "input": text[:3000]}


@dataclass
class Tally:
    """Sums of trials.

    Attributes:
        outcomes: by generator and outcome.
        seconds: processor time by generator.
        slowest: the longest step of an input: seconds, its name, the input.
        largest: the largest growth of memory: megabytes, the input.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str, bytes] = (0.0, "", b"")
    largest: tuple[float, bytes] = (0.0, b"")
    findings: dict[tuple[str, str, str], Found] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        return self.outcomes.total()

    def add(self, generator: str, data: bytes, trial: Trial, seconds: float = 0.0) -> None:
        """Take in one trial."""
        self.outcomes[generator, trial.outcome] += 1
        self.seconds[generator] += seconds
        step = max(trial.spent, key=trial.spent.__getitem__) if trial.spent else ""
        self.slowest = max(self.slowest, (trial.seconds, step, data))
        self.largest = max(self.largest, (trial.megabytes, data))
        if trial.finding is not None:
            self._find(Found(trial.finding, data))

    def merge(self, other: Tally) -> None:
        """Take in another tally."""
        self.outcomes += other.outcomes
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        self.largest = max(self.largest, other.largest)
        for found in other.findings.values():
            self._find(found)

    def _find(self, found: Found) -> None:
        known = self.findings.get(found.finding.key)
        if known is None:
            self.findings[found.finding.key] = found
            return
        known.count += found.count
        if len(found.data) < len(known.data):
            known.data, known.finding = found.data, found.finding

    def plain(self) -> dict[str, Any]:
        """As data for a file."""
        generators: dict[str, dict[str, Any]] = {}
        for (generator, outcome), count in sorted(self.outcomes.items()):
            generators.setdefault(generator, {})[outcome] = count
        for generator, entry in generators.items():
            entry["milliseconds_each"] = round(1000 * self.seconds[generator] / sum(entry.values()), 2)
        return {
            "inputs": self.inputs,
            "generators": generators,
            "slowest": {
                "cpu_seconds": round(self.slowest[0], 3),
                "step": self.slowest[1],
                "input": self.slowest[2].decode("utf-8", "backslashreplace")[:500],
            },
            "largest": {
                "megabytes": round(self.largest[0], 1),
                "input": self.largest[1].decode("utf-8", "backslashreplace")[:500],
            },
            "findings": [f.plain() for f in sorted(self.findings.values(), key=lambda f: -f.count)],
        }
