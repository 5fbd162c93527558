"""Differences of a score to the column that draws them: a scale that all rows share, and its ruler for the head."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from archdsl.report.chart import Scale, range_text, svg
from archdsl.report.marks import interval
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import numeric
from archdsl.report.results import Results
from archdsl.report.statistics import Interval
from archdsl.report.wording import signed, words

SCORES_AT_MOST = 3
WIDTH, HEIGHT = 180, 34  # pixels of a row's drawing
CHARACTER = 7.0  # pixels of one in a ruler


def explained(results: Results) -> list[str]:
    """The scores whose causes are looked for: the objectives, without those that can be counted."""
    scores = [objective.name for objective in results.objectives if objective.name not in ("params", "macs")]
    return scores[:SCORES_AT_MOST] or [results.primary.name]


def effect_scale(found: Sequence[Interval]) -> Scale:
    """Symmetric about 0, wide enough for the intervals, but no wider than four times the largest effect."""
    effect = max((abs(i.value) for i in found if math.isfinite(i.value)), default=1.0) or 1.0
    ends = max((max(abs(i.low), abs(i.high)) for i in found if i.known), default=effect)
    most = 1.08 * min(max(ends, effect), 4 * effect)
    return Scale(-most, most, 6, WIDTH - 6)


def ruler(score: str, scale: Scale) -> Markup:
    """The common axis of the rows, in the column's head."""
    ticks = _apart(score, scale)
    texts = [
        fragment(
            element("text", _tick(score, tick), x=scale(tick), y=12, class_="tick mid"),
            element("line", x1=scale(tick), x2=scale(tick), y1=17, y2=21, class_="axis"),
        )
        for tick in ticks
    ]
    return svg(scale.start + scale.stop, 21, "scale of the differences", texts, class_="cell")


def _apart(score: str, scale: Scale) -> list[float]:
    """As many round values as can be written beside each other."""
    for most in (5, 4, 3):
        ticks = scale.ticks(most)
        if len(ticks) < 2:
            return ticks
        room = min(scale(b) - scale(a) for a, b in itertools.pairwise(ticks))
        if room >= CHARACTER * (1 + max(len(_tick(score, tick)) for tick in ticks)):
            return ticks
    return [0.0]


def _tick(score: str, value: float) -> str:
    return signed(score, value, extra=0 if words(score).percent else -1)


def ends(score: str, gap: Interval | None) -> str:
    """The interval of a difference as text, or a dash."""
    return range_text(score, gap.low, gap.high, lambda s, v: signed(s, v, extra=1)) if gap else ""


def judged(gap: Interval | None) -> str:
    """The class of a difference: clear of 0, or not."""
    return "clear" if gap and gap.excludes_zero else "unclear"


def gap_cells(score: str, gap: Interval, scale: Scale, *more: Markup) -> list[Markup]:
    """A difference as number with interval, and drawn; `more` goes into the drawing."""
    said, value = ends(score, gap), signed(score, gap.value, extra=1)
    drawn = interval(scale, gap.value, gap.low, gap.high, height=HEIGHT, title=f"{value} {said}", class_=judged(gap))
    picture = svg(scale.start + scale.stop, HEIGHT, f"{value} {said}", drawn, *more, class_="cell")
    return [numeric(value, said, class_=judged(gap)), element("td", picture, class_="cell")]
