"""Makes the table of findings of measured networks, by groups: quality, loss landscape, frequencies, robustness, ….

The table of Park & Kim 2022 (arXiv 2202.06709) with measured numbers in place of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
