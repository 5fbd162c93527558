"""Results and two quantities to the plot of one against the other, with the front that no network beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence

from archdsl.base.statistics import mean
from archdsl.report.chart import Frame, span, tick_format
from archdsl.report.layout import compact, kind
from archdsl.report.marks import about, symbol
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import every_trial_link, figure
from archdsl.report.sections.series import series
from archdsl.report.wording import number, plural, words
from archdsl.study.results import Finalist, Objective, Results, Trial

COUNTS = ("params", "macs")
SHARES = 5  # shades from no MSA to all
APART = 15  # pixels between two numbers beside points


def pareto(results: Results, first: Objective, second: Objective, *, large: bool = False) -> Markup:
    """Complete trials coloured by their share of MSAs, the front ringed, numbered and joined, finalists as diamonds.

    The front is that of the two quantities shown, except in a plot of two of three objectives: there its members are
    the networks that no other beats in all three, and no line joins them.
    """
    # The counted quantity goes on the horizontal axis, as readers expect.
    y, x = (second, first) if first.name in COUNTS else (first, second)
    trials = [t for t in results.complete if math.isfinite(t.score(x.name)) and math.isfinite(t.score(y.name))]
    log = x.name in COUNTS
    if not trials or (log and any(t.score(x.name) <= 0 for t in trials)):
        return fragment()
    finals = _finals(results, x.name, y.name)
    xs = [t.score(x.name) for t in trials] + [a for *_, a, _ in finals]
    ys = [t.score(y.name) for t in trials] + [b for *_, b in finals]
    size = (1080, 430) if large else (520, 340)
    frame = Frame.of(span(xs, log=log), span(ys), log_x=log, size=size)
    several = len(results.objectives) > 2 and {x.name, y.name} <= {o.name for o in results.objectives}
    members = [t for t in trials if t.number in results.pareto] if several else front(trials, x, y)
    members = sorted(members, key=lambda t: (t.score(x.name), t.score(y.name)))
    line = fragment() if several else frame.path([(t.score(x.name), t.score(y.name)) for t in members], "line front")
    inside = {t.number for t in members}
    ordered = sorted(trials, key=lambda t: t.number in inside)
    marks = [_mark(frame, t, x.name, y.name, results, "member" if t.number in inside else "") for t in ordered]
    drawing = frame.draw(
        f"{words(y.name).label} against {words(x.name).label}, {plural(len(members), 'Pareto-optimal network')}",
        frame.axes(_axis(x), _axis(y), tick_format(x.name, frame.x), tick_format(y.name, frame.y)),
        line,
        [_diamond(frame, *final, results, y.name) for final in finals],
        marks,
        _numbers(frame, members, x.name, y.name),
    )
    return figure(_caption(results, [f for _, f, *_ in finals], several), drawing)


def front(trials: Sequence[Trial], x: Objective, y: Objective) -> list[Trial]:
    """The trials of which no other is at least as good in both quantities and better in one."""

    def cost(trial: Trial) -> tuple[float, float]:
        a, b = (trial.score(o.name) * (-1 if o.direction == "maximize" else 1) for o in (x, y))
        return a, b

    found: list[Trial] = []
    least, at = math.inf, math.nan  # the second cost of the front so far, and the first cost where it was reached
    for trial in sorted(trials, key=cost):
        a, b = cost(trial)
        if b < least or (b == least and a == at):
            found.append(trial)
            least, at = b, a
    return found


def _mark(frame: Frame, trial: Trial, x: str, y: str, results: Results, class_: str) -> Markup:
    at = frame.at(trial.score(x), trial.score(y))
    said = about(trial, y, x)
    return symbol("dot", *at, f"share{_share(trial, results)} {class_}".strip(), said, trial=trial.number)


Final = tuple[int, Finalist, float, float]  # its place in the table, itself, and where it stands in the plot


def _finals(results: Results, x: str, y: str) -> list[Final]:
    """The finalists, where the finals measured both quantities; means over the seeds, on the validation split."""

    def value(finalist: Finalist, name: str) -> float:
        count = {"params": finalist.params, "macs": finalist.macs}
        if name in count:
            return math.nan if count[name] is None else float(count[name] or 0)
        return mean(finalist.values("validation", name)).value

    found = [(place, f, value(f, x), value(f, y)) for place, f in enumerate(results.finalists)]
    return [
        (place, f, a, b)
        for place, f, a, b in found
        if math.isfinite(a) and math.isfinite(b) and (a > 0 or x not in COUNTS)
    ]


def _diamond(frame: Frame, place: int, finalist: Finalist, x: float, y: float, results: Results, score: str) -> Markup:
    said = f"{finalist.title}, {compact(finalist.layout)}: mean {words(score).label} {number(score, y, unit=True)}"
    return symbol("diamond", *frame.at(x, y), f"{series(results)[finalist.name]} ringed", said, final=place)


def _numbers(frame: Frame, members: Sequence[Trial], x: str, y: str) -> list[Markup]:
    """The trials' numbers beside the points of the front, left out where they would touch."""
    written: list[tuple[float, float]] = []
    texts = []
    for trial in members:
        a, b = frame.at(trial.score(x), trial.score(y))
        if all(math.hypot(a - c, b - d) >= APART for c, d in written):
            written.append((a, b))
            texts.append(element("text", trial.number, x=a - 7, y=b - 7, class_="tick end", aria_hidden="true"))
    return texts


def _axis(objective: Objective) -> str:
    return f"{words(objective.name).heading} ({objective.direction})"


def _caption(results: Results, finals: Sequence[Finalist], several: bool) -> Markup:
    ramp = element(
        "span", [element("span", class_=f"share{i}") for i in range(SHARES)], class_="ramp", aria_hidden="true"
    )
    colours = series(results)
    key = [element("li", element("span", class_=f"swatch diamond {colours[f.name]}"), f" {f.title}") for f in finals]
    beaten = "in every objective" if several else "in both"
    return fragment(
        "Complete trials, coloured from no MSA ",
        ramp,
        f" to all MSA. Ringed and numbered: no other is at least as good {beaten} and better in one.",
        " Diamonds: finalists, mean over seeds." if key else "",
        every_trial_link(),
        element("ul", key, class_="keys") if key else None,
    )


def _share(trial: Trial, results: Results) -> int:
    """Share of MSA blocks in fifths, 0 to 4."""
    blocks = [kind(label, results.kinds) for stage in trial.layout for label in stage]
    return min(SHARES - 1, int(SHARES * sum(block == "msa" for block in blocks) / len(blocks))) if blocks else 0
