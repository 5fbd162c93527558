"""Results to the learning curves of a search: leaders and baselines in colour, stopped networks to their end."""

from __future__ import annotations

import math
from collections.abc import Sequence

from archdsl.report.chart import Frame
from archdsl.report.layout import described
from archdsl.report.marks import about, symbol
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import figure, plain_table
from archdsl.report.sections.curves import at_epochs, curve_axes, curve_frame, points, some_epochs
from archdsl.report.sections.finalists import series
from archdsl.report.wording import plural
from archdsl.study.results import Results, Trial

LEADERS = 3
CURVES_AT_MOST = 1000  # of stopped and of other trials; beyond that they are neither seen apart nor worth their bytes


def learning_curves(results: Results) -> Markup:
    """Validation accuracy by epoch of all trials: leaders and baselines in colour, stopped ones to where they ended."""
    trials = [trial for trial in results.trials if trial.curve]
    if not any(len(trial.curve) > 1 for trial in trials):
        return fragment()
    named = _named(results)
    stopped = _some([trial for trial in trials if trial.state == "stopped" and trial.number not in named])
    rest = _some([trial for trial in trials if trial.state == "complete" and trial.number not in named])
    bright = [trial for trial in trials if trial.number in named]
    bright.sort(key=lambda trial: -list(named).index(trial.number))  # the best on top
    drawn = [*stopped, *rest, *bright]
    frame = curve_frame([trial.curve for trial in drawn])
    lines = [frame.path(points(t.curve), f"line {_style(t, named)}", trial=t.number) for t in drawn]
    ends = [_end(frame, trial, named) for trial in drawn]
    count = len(results.in_state("stopped"))
    caption = fragment(
        f"Learning curves of {plural(len(trials), 'network')}: the best in full, the baselines dashed, others thin",
        f"; ▽ marks where a network was stopped ({count})." if count else ".",
        element("ul", [_key(trial, named) for trial in reversed(bright)], class_="keys"),
    )
    drawing = frame.draw("validation accuracy by epoch", curve_axes(frame), lines, ends)
    return figure(caption, drawing, numbers=_table(trials))


def _named(results: Results) -> dict[int, tuple[str, str]]:
    """Trials that stand out, by number: what they are called and their colour class; leaders first, best first."""
    names = {f.identity: (f.name, series(results)[f.name]) for f in results.baselines if f.identity}
    leaders = [trial for trial in results.ranking() if trial.curve][:LEADERS]
    found = {trial.number: (f"trial {trial.number}", f"lead{i}") for i, trial in enumerate(leaders)}
    for trial in results.trials:
        if trial.identity in names and trial.number not in found and trial.curve:
            name, colour = names[trial.identity]
            found[trial.number] = (f"{name}, trial {trial.number}", f"{colour} dashed")
    return found


def _style(trial: Trial, named: dict[int, tuple[str, str]]) -> str:
    if trial.number in named:
        return named[trial.number][1]
    return "faded" if trial.state == "stopped" else "thin"


def _end(frame: Frame, trial: Trial, named: dict[int, tuple[str, str]]) -> Markup:
    """The last point of a curve, which says whose it is; a triangle where it was stopped there."""
    x, y = frame.at(len(trial.curve), trial.curve[-1])
    colour = named[trial.number][1].removesuffix(" dashed") if trial.number in named else trial.state
    shape = "down" if trial.state == "stopped" else "cross" if trial.state == "failed" else "small"
    return symbol(shape, x, y, colour, about(trial, "accuracy"), trial=trial.number)


def _key(trial: Trial, named: dict[int, tuple[str, str]]) -> Markup:
    name, colour = named[trial.number]
    return element("li", element("span", class_=f"swatch {colour}"), f" {name}: {described(trial)}")


def _some(trials: list[Trial]) -> list[Trial]:
    """At most so many trials, evenly taken."""
    step = math.ceil(len(trials) / CURVES_AT_MOST)
    return trials[::step] if step > 1 else trials


def _table(trials: Sequence[Trial]) -> Markup:
    """Accuracy at some epochs, a row per trial."""
    epochs = some_epochs(max(len(trial.curve) for trial in trials))
    rows = [[f"{trial.number}, {trial.state}", *at_epochs(trial.curve, epochs)] for trial in trials]
    return plain_table("Validation accuracy in % by epoch.", ["Trial", *(f"{e}" for e in epochs)], rows)
