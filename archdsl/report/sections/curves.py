"""Draws learning curves: accuracy by epoch, of a search's trials and of its finalists, with their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archdsl.report.chart import Frame, span, tick_format
from archdsl.report.layout import described, series
from archdsl.report.marks import about, symbol
from archdsl.report.markup import Child, Markup, fragment
from archdsl.report.parts import figure, keys, plain_table
from archdsl.report.wording import number, plural
from archdsl.study.results import Results, Trial

COLUMNS_AT_MOST = 12  # epochs of a table
LEADERS = 3
CURVES_AT_MOST = 1000  # of stopped and of other trials; beyond that they are neither seen apart nor worth their bytes
_ENDS = {"stopped": "down", "failed": "cross"}


@dataclass(frozen=True)
class Curve:
    """One line of a figure.

    Attributes:
        values: accuracy after each epoch.
        style: classes of the line.
        colour: class of the mark at its end.
        said: what that mark says.
        shape: of the mark.
        trial, final: whose it is, as in `symbol`.
    """

    values: tuple[float, ...]
    style: str
    colour: str
    said: str
    shape: str = "small"
    trial: int | None = None
    final: int | None = None


def curve_figure(
    label: str, caption: Child, curves: Sequence[Curve], heading: str, rows: Sequence[tuple[str, tuple[float, ...]]]
) -> Markup:
    """The lines in one frame, the last on top; `rows` are the table's, under a first column called `heading`."""
    longest = max(len(curve.values) for curve in curves)
    frame = Frame.of((1.0, float(max(longest, 2))), span(value for curve in curves for value in curve.values))
    lines, ends = [], []
    for c in curves:
        points = [(float(epoch), value) for epoch, value in enumerate(c.values, 1)]
        lines.append(frame.path(points, f"line {c.style}", trial=c.trial, final=c.final))
        x, y = frame.at(*points[-1])
        ends.append(symbol(c.shape, x, y, c.colour, c.said, trial=c.trial, final=c.final))
    write = tick_format("accuracy", frame.y)
    axes = frame.axes("epoch", "validation accuracy, %", lambda v: f"{v:.0f}", write, whole=True)
    return figure(caption, frame.draw(label, axes, lines, ends), numbers=_table(heading, rows))


def _table(heading: str, rows: Sequence[tuple[str, tuple[float, ...]]]) -> Markup:
    """Accuracy at all epochs, or at so many evenly between the first and the last as a table holds."""
    last = max(len(values) for _, values in rows)
    step = max(1.0, (last - 1) / (COLUMNS_AT_MOST - 1))
    epochs = sorted({round(1 + step * i) for i in range(min(last, COLUMNS_AT_MOST))})
    numbers = [
        [name, *(number("accuracy", values[e - 1], extra=1) if e <= len(values) else "" for e in epochs)]
        for name, values in rows
    ]
    return plain_table("Validation accuracy in % by epoch.", [heading, *map(str, epochs)], numbers)


# ---------------------------------------------------------------- of a search


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
    count = len(results.in_state("stopped"))
    caption = fragment(
        f"Learning curves of {plural(len(trials), 'network')}: the best in full, the baselines dashed, others thin",
        f"; ▽ marks where a network was stopped ({count})." if count else ".",
        keys((named[t.number][1], f"{named[t.number][0]}: {described(t)}") for t in reversed(bright)),
    )
    curves = [_curve(trial, named) for trial in (*stopped, *rest, *bright)]
    rows = [(f"{trial.number}, {trial.state}", trial.curve) for trial in trials]
    return curve_figure("validation accuracy by epoch", caption, curves, "Trial", rows)


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


def _curve(trial: Trial, named: dict[int, tuple[str, str]]) -> Curve:
    """A trial's; its end says whose it is, with a triangle where it was stopped there."""
    usual = "faded" if trial.state == "stopped" else "thin"
    style = named[trial.number][1] if trial.number in named else usual
    colour = style.removesuffix(" dashed") if trial.number in named else trial.state
    shape = _ENDS.get(trial.state, "small")
    return Curve(trial.curve, style, colour, about(trial, "accuracy"), shape, trial=trial.number)


def _some(trials: list[Trial]) -> list[Trial]:
    """At most so many trials, evenly taken."""
    return trials[:: max(1, math.ceil(len(trials) / CURVES_AT_MOST))]
