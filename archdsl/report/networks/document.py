"""Measured networks and their findings to plain data, as `archdsl compare --json` prints it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archdsl.base.statistics import Interval
from archdsl.report.networks.findings import Row
from archdsl.report.networks.measured import Estimate, Measured


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
