"""Draws differences of a score as a column of intervals: a scale that all rows share, with its ruler in the head."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from archdsl.base.statistics import Interval
from archdsl.report.chart import Scale, range_text, svg
from archdsl.report.marks import interval
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import Column, T, note, numeric, text_cell
from archdsl.report.wording import signed, words
from archdsl.study.results import Results

SCORES_AT_MOST = 3
WIDTH, HEIGHT = 180, 34  # pixels of a row's drawing
TICKS_AT_MOST = 5
CHARACTER = 7.0  # pixels of one in a ruler


def explained(results: Results) -> list[str]:
    """The scores whose causes are looked for: the objectives, without those that can be counted."""
    return _uncounted(results)[:SCORES_AT_MOST] or [results.primary.name]


def unexplained(results: Results) -> Markup | None:
    """What says which objectives are not among the explained ones, where there are any."""
    left = [words(score).label for score in _uncounted(results)[SCORES_AT_MOST:]]
    return note(f"Of the first {SCORES_AT_MOST} objectives; left out here: {', '.join(left)}.") if left else None


def _uncounted(results: Results) -> list[str]:
    return [objective.name for objective in results.objectives if objective.name not in ("params", "macs")]


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
    return ticked(scale, _apart(score, scale), "scale of the differences")


def ticked(scale: Scale, texts: dict[float, str], label: str) -> Markup:
    """An axis with these ticks."""
    ticks = [
        fragment(
            element("text", text, x=scale(tick), y=12, class_="tick mid"),
            element("line", x1=scale(tick), x2=scale(tick), y1=17, y2=21, class_="axis"),
        )
        for tick, text in texts.items()
    ]
    return svg(scale.start + scale.stop, 21, label, ticks, class_="cell")


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
    return range_text(gap.low, gap.high, lambda value: signed(score, value, extra=1)) if gap else ""


def judged(gap: Interval | None) -> str:
    """The class of a difference: clear of 0, or not."""
    return "clear" if gap and gap.excludes_zero else "unclear"


def gap_columns(
    score: str, scale: Scale, head: str, said: str, gap: Callable[[T], Interval], *, title: str | None = None,
    more: Callable[[T], Markup | None] = lambda _row: None,
) -> list[Column[T]]:  # fmt: skip
    """A difference as number with interval under `head`, and drawn; `more` goes into the drawing.

    Args:
        score: of which it is the difference.
        scale: of the drawings.
        head: the number's heading.
        said: the drawing's, for a screen reader; to the eye it is the ruler.
        gap: a row's difference.
        title: what pointing at the heading says.
        more: what else stands in a row's drawing.
    """
    return interval_columns(
        lambda value: signed(score, value, extra=1), scale, head, f"{said} with 95 % interval", ruler(score, scale),
        gap, title=title, more=more,
    )  # fmt: skip


def interval_columns(
    write: Callable[[float], str], scale: Scale, head: str, said: str, axis: Markup, found: Callable[[T], Interval], *,
    title: str | None = None, more: Callable[[T], Markup | None] = lambda _row: None, sign: str = "",
) -> list[Column[T]]:  # fmt: skip
    """As `gap_columns`, with words and an axis of one's own; a screen reader says `sign` before a row's numbers."""

    def texts(row: T) -> tuple[str, str]:
        each = found(row)
        return write(each.value), range_text(each.low, each.high, write)

    def drawn(row: T) -> Markup:
        each, label = found(row), sign + " ".join(texts(row))
        mark = interval(scale, each.value, each.low, each.high, height=HEIGHT, title=label, class_=judged(each))
        picture = svg(scale.start + scale.stop, HEIGHT, label, mark, more(row), class_="cell")
        return text_cell(picture, class_="cell")

    return [
        Column(head, lambda row: numeric(*texts(row), class_=judged(found(row))), title=title),
        Column([element("span", said, class_="hidden"), axis], drawn, right=False),
    ]
