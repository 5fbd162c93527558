"""Results to how the search went: score against trial, and the learning curves of leaders and of stopped ones."""

from __future__ import annotations

import math

from archdsl.report.chart import Frame, span, tick_format
from archdsl.report.layout import compact
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import figure, section
from archdsl.report.results import Results, Trial
from archdsl.report.sections.curves import curve_axes, curve_frame, points
from archdsl.report.statistics import running_best
from archdsl.report.wording import number, plural, words

LEADERS = 5
CURVES_AT_MOST = 150  # of stopped and of other trials; more lines are neither seen apart nor worth their bytes


def progress(results: Results) -> Markup:
    """The section, or nothing without a score."""
    if not results.trials:
        return fragment()
    drawn = [drawing for drawing in (_history(results), _curves(results)) if drawing]
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
        "Score against trial; the line is the best complete one so far.", below, element("ul", keys, class_="keys")
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
    value = trial.score(score)
    said = f"trial {trial.number}: {trial.state}"
    if trial.state == "failed" or not math.isfinite(value):
        return frame.mark("cross", trial.number, frame.y.low, "failed", said, trial=trial.number)
    said = f"trial {trial.number}: {number(score, value, unit=True, extra=1)}"
    if trial.state == "stopped":
        return frame.mark("down", trial.number, value, "stopped", f"{said}, stopped", trial=trial.number)
    return frame.mark("dot", trial.number, value, "complete", said, trial=trial.number)


def _curves(results: Results) -> Markup:
    """Validation accuracy by epoch: the leaders in colour, other complete trials thin, stopped ones grey."""
    trials = [trial for trial in results.trials if len(trial.curve) > 0]
    if not any(len(trial.curve) > 1 for trial in trials):
        return fragment()
    leaders = [trial for trial in results.ranking() if trial.curve][:LEADERS]
    names = {trial.number for trial in leaders}
    stopped = _some([trial for trial in trials if trial.state == "stopped"])
    rest = _some([trial for trial in trials if trial.state == "complete" and trial.number not in names])
    frame = curve_frame([trial.curve for trial in (*leaders, *stopped, *rest)])
    lines = [
        frame.path(points(trial.curve), class_)
        for group, class_ in ((stopped, "line faded"), (rest, "line thin"))
        for trial in group
    ]
    ends = [
        frame.mark("down", len(t.curve), t.curve[-1], "stopped small", f"trial {t.number}: stopped", trial=t.number)
        for t in stopped
    ]
    top = [
        element("g", frame.path(points(t.curve), f"line lead{i}"), element("title", f"trial {t.number}"))
        for i, t in reversed(list(enumerate(leaders)))
    ]
    key = [
        element("li", element("span", class_=f"swatch lead{i}"), f" trial {t.number}: {compact(t.layout)}")
        for i, t in enumerate(leaders)
    ]
    caption = fragment(
        "Learning curves: the five best in colour, other complete trials thin, stopped ones grey.",
        element("ul", key, class_="keys"),
    )
    axes = curve_axes(frame)
    return figure(caption, frame.draw("validation accuracy by epoch", axes, lines, ends, top))


def _some(trials: list[Trial]) -> list[Trial]:
    """At most so many trials, evenly taken."""
    step = math.ceil(len(trials) / CURVES_AT_MOST)
    return trials[::step] if step > 1 else trials
