"""Differences of a score to the column that draws them: a scale that all rows share, and its ruler for the head."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from archdsl.base.statistics import Interval
from archdsl.report.chart import Scale, range_text, svg
from archdsl.report.marks import interval
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import note, numeric
from archdsl.report.wording import signed, words
from archdsl.study.results import Results

SCORES_AT_MOST = 3
WIDTH, HEIGHT = 180, 34  # pixels of a row's drawing
TICKS_AT_MOST = 5
CHARACTER = 7.0  # pixels of one in a ruler


def explained(results: Results) -> list[str]:
    """The scores whose causes are looked for: the objectives, without those that can be counted."""
    scores = [objective.name for objective in results.objectives if objective.name not in ("params", "macs")]
    return scores[:SCORES_AT_MOST] or [results.primary.name]


def unexplained(results: Results) -> Markup | None:
    """What says which objectives are not among the explained ones, where there are any."""
    scores = [objective.name for objective in results.objectives if objective.name not in ("params", "macs")]
    left = [words(score).label for score in scores[SCORES_AT_MOST:]]
    return note(f"Of the first {SCORES_AT_MOST} objectives; left out here: {', '.join(left)}.") if left else None


def titled(results: Results, score: str) -> Markup | None:
    """A heading with the score's name, where there are several to tell apart."""
    label = words(score).label
    return element("h3", label[:1].upper() + label[1:]) if len(explained(results)) > 1 else None


def effect_scale(found: Sequence[Interval]) -> Scale:
    """Symmetric about 0, wide enough for the intervals, but no wider than four times the largest effect."""
    effect = max((abs(i.value) for i in found if math.isfinite(i.value)), default=1.0) or 1.0
    ends = max((max(abs(i.low), abs(i.high)) for i in found if i.known), default=effect)
    most = 1.08 * min(max(ends, effect), 4 * effect)
    return Scale(-most, most, 6, WIDTH - 6)


def ruler(score: str, scale: Scale) -> Markup:
    """The common axis of the rows, in the column's head."""
    texts = [
        fragment(
            element("text", text, x=scale(tick), y=12, class_="tick mid"),
            element("line", x1=scale(tick), x2=scale(tick), y1=17, y2=21, class_="axis"),
        )
        for tick, text in _apart(score, scale).items()
    ]
    return svg(scale.start + scale.stop, 21, "scale of the differences", texts, class_="cell")


def _apart(score: str, scale: Scale) -> dict[float, str]:
    """As many round values as can be written beside each other, 0 among them, with their texts."""
    found = {0.0: _tick(score, 0.0)}
    for most, step in itertools.product(range(3, 10), (1, 2, 3, 4)):  # of the round values, every one, every other …
        every = scale.ticks(most)
        texts = _told_apart(score, every[every.index(0.0) % step :: step])
        room = min((scale(b) - scale(a) for a, b in itertools.pairwise(texts)), default=0.0)
        if len(found) < len(texts) <= TICKS_AT_MOST and room >= CHARACTER * (1 + max(map(len, texts.values()))):
            found = texts
    return found


def _told_apart(score: str, ticks: list[float]) -> dict[float, str]:
    """Texts with as many digits as it takes."""
    tries = ({tick: _tick(score, tick, more) for tick in ticks} for more in range(7))
    return next((texts for texts in tries if len(set(texts.values())) == len(ticks)), {})


def _tick(score: str, value: float, more: int = 0) -> str:
    return signed(score, value, extra=more - (0 if words(score).percent else 1))


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
