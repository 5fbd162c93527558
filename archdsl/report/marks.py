"""Draws the marks of charts: a sign at a place that says whom it stands for, and estimates with their intervals."""

from __future__ import annotations

import math

from archdsl.report.chart import Scale
from archdsl.report.layout import described
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.wording import number, words
from archdsl.study.results import Trial

_PATHS = {
    "cross": "m-3.4-3.4 6.8 6.8m0-6.8-6.8 6.8",
    "down": "m-3.6-2.8h7.2l-3.6 6z",
    "diamond": "m0-6 6 6-6 6-6-6z",
    "bar": "m0-7v14",
}
_OUTLINES = ("cross", "down", "bar")


def symbol(
    shape: str, x: float, y: float, class_: str, title: str, *, trial: int | None = None, final: int | None = None
) -> Markup:
    """One mark: `dot`, `small` (a dot), `cross`, `down` (a triangle: stopped), `diamond` or `bar` (a short upright).

    With a trial's number, or a finalist's place in the table, the page's script shows that network on hover and focus.
    """
    said = element("title", title)
    if shape in ("dot", "small"):
        r = 3.6 if shape == "dot" else 2.2
        return element("circle", said, cx=x, cy=y, r=r, class_=f"mark {class_}", data_trial=trial, data_final=final)
    outline = "hollow " if shape in _OUTLINES else ""
    d = f"M{x:.1f} {y:.1f}{_PATHS[shape]}"
    return element("path", said, d=d, class_=f"mark {outline}{class_}", data_trial=trial, data_final=final)


def about(trial: Trial, *scores: str) -> str:
    """What a trial's mark says: its number, what became of it, scores and layout."""
    fate = {
        "complete": "",
        "stopped": f", stopped after epoch {trial.epochs or len(trial.curve)}",
        "failed": ", failed",
    }
    known = [score for score in scores if math.isfinite(trial.score(score))]
    figures = [f"{words(score).label} {number(score, trial.score(score), unit=True, extra=1)}" for score in known]
    head = f"trial {trial.number}{fate[trial.state]}"
    return f"{head}: {'; '.join([', '.join(figures), described(trial)])}" if figures else head


def interval(scale: Scale, value: float, low: float, high: float, *, height: float, title: str, class_: str) -> Markup:
    """One row of a dot-and-interval chart: the zero line, the interval cut to the scale, the dot."""
    middle = height / 2
    zero = fragment()
    if scale.low <= 0 <= scale.high:
        zero = element("line", x1=scale(0), x2=scale(0), y1=-60, y2=height + 60, class_="zero")
    if not math.isfinite(value):
        return fragment(zero)
    bar = fragment()
    if math.isfinite(low) and math.isfinite(high):
        a, b = scale(scale.inside(low)), scale(scale.inside(high))
        bar = element("line", x1=a, x2=b, y1=middle, y2=middle, class_=f"whisker {class_}")
    return fragment(zero, bar, symbol("dot", scale(scale.inside(value)), middle, class_, title))
