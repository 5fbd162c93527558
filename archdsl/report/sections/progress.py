"""Shows how the search went: score against trial, and the learning curves."""

from __future__ import annotations

import math

from archdsl.base.statistics import running_best
from archdsl.report.chart import Frame, span, tick_format
from archdsl.report.marks import about, symbol
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import every_trial_link, figure, section
from archdsl.report.sections.curves import learning_curves
from archdsl.report.wording import number, plural, words
from archdsl.study.results import Results, Trial


def progress(results: Results) -> Markup:
    """The section, or nothing without a score."""
    if not results.trials:
        return fragment()
    drawn = [drawing for drawing in (_history(results), learning_curves(results)) if drawing]
    if not drawn:
        return fragment()
    return section("progress", "How the search went", element("div", drawn, class_="pair"))


def _history(results: Results) -> Markup:
    """Every trial's score, the best so far as a step line; stopped and failed trials have marks of their own."""
    score, trials = results.primary.name, results.trials
    finite = [value for trial in trials if math.isfinite(value := trial.score(score))]
    complete = [value for trial in results.complete if math.isfinite(value := trial.score(score))]
    if not finite:
        return fragment()
    numbers = [float(trial.number) for trial in trials]
    frame = Frame.of(span(numbers, 0.03), _focus(complete, finite, results.primary.direction))
    maximize = results.primary.direction == "maximize"
    best = running_best(
        [trial.score(score) if trial.state == "complete" else math.nan for trial in trials], maximize=maximize
    )
    line = frame.path(list(zip(numbers, best, strict=True)), "line best", step=True)
    marks = [_trial_mark(frame, trial, score) for trial in sorted(trials, key=lambda t: t.state == "complete")]
    axes = frame.axes(
        "trial", f"validation {words(score).heading}", lambda v: f"{v:.0f}", tick_format(score, frame.y), whole=True
    )
    leader = next(iter(results.ranking()), None)
    spoken = f"validation {words(score).label} of {plural(len(trials), 'trial')}"
    if leader is not None:
        spoken += f"; best {number(score, leader.score(score), unit=True)} in trial {leader.number}"
    shapes = [("●", "complete", "complete"), ("▽", "stopped", "stopped early"), ("×", "failed", "failed")]
    keys = [
        element("li", element("span", sign, class_=f"sign {state}", aria_hidden="true"), f" {text} ({count})")
        for sign, state, text in shapes
        if (count := len(results.in_state(state)))
    ]
    below = " Stopped trials below the frame sit on its edge." if any(v < frame.y.low for v in finite) else ""
    caption = fragment(
        "Score against trial; the line is the best complete one so far.",
        below,
        every_trial_link(),
        element("ul", keys, class_="keys"),
    )
    return figure(caption, frame.draw(spoken, axes, line, marks))


def _focus(complete: list[float], every: list[float], direction: str) -> tuple[float, float]:
    """The range of the complete trials, widened for the others only where that shows most of them.

    Trials stopped early are often far off; left in, they would flatten everything that is worth seeing.
    """
    if not complete:
        return span(every)
    low, high = min(complete), max(complete)
    room = (high - low) or abs(high) * 0.1 or 0.1
    sign = 1 if direction == "maximize" else -1
    worst = low if sign > 0 else high
    beyond = [sign * (worst - value) for value in every if sign * (worst - value) > 0]
    reached = [gap for gap in beyond if gap <= room]
    wider = max(reached, default=0.0) if 2 * len(reached) >= len(beyond) else 0.2 * room
    return span([low - wider, high] if sign > 0 else [low, high + wider])


def _trial_mark(frame: Frame, trial: Trial, score: str) -> Markup:
    said, value = about(trial, score), trial.score(score)
    if trial.state == "failed" or not math.isfinite(value):
        x, y = frame.at(trial.number, frame.y.low)
        return symbol("cross", x, y, "failed", said, trial=trial.number)
    x, y = frame.at(trial.number, value)
    shape, class_ = ("down", "stopped") if trial.state == "stopped" else ("dot", "complete")
    return symbol(shape, x, y, class_, said, trial=trial.number)
