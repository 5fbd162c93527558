"""Makes the table of findings of measured networks, by groups: quality, loss landscape, frequencies, robustness, ….

The table of Park & Kim 2022 (arXiv 2202.06709) with measured numbers in place of words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.base.statistics import Interval
from archdsl.ir.scores import SCORES, ScoreInfo
from archdsl.report.networks.measured import Estimate, Measured
from archdsl.report.networks.wording import GROUPS, ORDER

_TEST = "test_"


@dataclass(frozen=True)
class Row:
    """One finding.

    Attributes:
        group: heading it stands under.
        score: its name; of the test split `test_…`.
        info: what the score is.
        estimates: one per network; None where a network has no such score.
        differences: of each network but the first, that minus the first.
    """

    group: str
    score: str
    info: ScoreInfo
    estimates: tuple[Estimate | None, ...]
    differences: tuple[Interval | None, ...]


def rows(networks: Sequence[Measured]) -> list[Row]:
    """All scores that any of the networks has, by group, in the order of `archdsl.ir.scores`."""
    have = {name for network in networks for run in network.runs for name in run.scores()}
    known = [
        name
        for score in SCORES
        for name in (f"{_TEST}{score}", score)  # the test split first: nobody chose anything by it
        if name in have
    ]
    found = [_row(name, networks) for name in known]
    return sorted(found, key=lambda row: ORDER.index(row.group))


def information(score: str) -> ScoreInfo:
    """What a score is, those of the test split among them."""
    if not score.startswith(_TEST):
        return SCORES[score]
    info = SCORES[score.removeprefix(_TEST)]
    return ScoreInfo(info.source, info.direction, info.unit, f"{info.what}, test split")


def _row(score: str, networks: Sequence[Measured]) -> Row:
    info = information(score)
    first, *others = networks
    return Row(
        group=GROUPS.get(info.source, ORDER[-1]),
        score=score,
        info=info,
        estimates=tuple(network.estimate(score) for network in networks),
        differences=tuple(other.against(first, score) for other in others),
    )


# ---------------------------------------------------------------- as plain data


def network_document(network: Measured) -> dict[str, Any]:
    """A network: what it is, its trainings, and every score with its interval."""
    scores = dict.fromkeys(name for run in network.runs for name in run.scores())
    return {
        "name": network.name,
        "hash": network.hash,
        "params": network.params,
        "macs": network.macs,
        "layout": [list(stage) for stage in network.layout],
        "recipe": network.recipe,
        "seeds": [run.seed for run in network.runs],
        "checkpoints": [run.checkpoint for run in network.runs],
        "scores": {name: estimate_document(network.estimate(name)) for name in scores},
    }


def row_document(row: Row) -> dict[str, Any]:
    """A finding: an entry per network, and the differences from the first network."""
    return {
        "group": row.group,
        "score": row.score,
        "what": row.info.what,
        "unit": row.info.unit,
        "better": {"maximize": "high", "minimize": "low", None: None}[row.info.direction],
        "values": [estimate_document(estimate) for estimate in row.estimates],
        "differences": [None if gap is None else interval_document(gap) for gap in row.differences],
    }


def estimate_document(estimate: Estimate | None) -> dict[str, Any] | None:
    """A score; `over` says what its interval is over."""
    if estimate is None:
        return None
    return interval_document(estimate.interval) | {"over": estimate.basis or None, "values": list(estimate.values)}


def interval_document(found: Interval) -> dict[str, Any]:
    """Value and ends of a 95% interval; null for what is not known."""
    return {name: _number(getattr(found, name)) for name in ("value", "low", "high")}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def documents(networks: Sequence[Measured], findings: Sequence[Row]) -> dict[str, Any]:
    """`networks` and `table`."""
    return {"networks": [network_document(n) for n in networks], "table": [row_document(row) for row in findings]}
