"""Shows the trade-off or the order of the networks: Pareto plots, and the front or the ten best as a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from archdsl.base.statistics import mean
from archdsl.report.chart import Frame, Scale, span, svg, tick_format
from archdsl.report.layout import compact, kind, series
from archdsl.report.marks import about, interval, symbol
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import Column, columned, every_trial_link, figure, note, numeric, section, text_cell
from archdsl.report.sections.networks import COUNTS, NUMBER, drawn_layout, recipe
from archdsl.report.wording import number, plural, words
from archdsl.study.history import dominates
from archdsl.study.results import Finalist, Objective, Results, Trial

TOP = 10
PLOTS_AT_MOST = 6  # pairs of objectives
COUNTED = ("params", "macs")
SHARES = 5  # shades from no MSA to all
APART = 15  # pixels between two numbers beside points
SIZE = (Objective(name="accuracy"), Objective(name="params", direction="minimize"))


def ranking(results: Results, colours: dict[str, str]) -> Markup:
    """The section, or nothing without a complete trial."""
    ranked = results.ranking()
    if not ranked:
        return fragment()
    if len(results.objectives) > 1:
        ranks = {trial.number: rank for rank, trial in enumerate(ranked)}
        members = [trial for trial in results.trials if trial.number in results.pareto]
        shown = sorted(members, key=lambda trial: ranks.get(trial.number, len(ranks)))
        title = "Trade-off"
        caption = f"The {plural(len(shown), 'network')} that no other beats in every objective."
    else:
        shown, title = ranked[:TOP], "The best networks"
        caption = f"The {len(shown)} best of {plural(len(results.complete), 'complete trial')}, one training each."
    scores = [objective.name for objective in results.objectives] or [results.primary.name]
    return section("ranking", title, plots(results), _networks(shown, scores, caption, colours))


def plots(results: Results) -> Markup:
    """Each pair of objectives, and accuracy against size unless that is one of them; a single plot is a large one."""
    every = list(itertools.combinations(results.objectives, 2))
    pairs = every[:PLOTS_AT_MOST]
    if not any({first.name, second.name} == {"accuracy", "params"} for first, second in pairs):
        pairs.append(SIZE)
    drawn = [drawing for first, second in pairs if (drawing := pareto(results, first, second, large=len(pairs) == 1))]
    left = ", ".join(f"{words(a.name).label} and {words(b.name).label}" for a, b in every[PLOTS_AT_MOST:])
    cut = note(f"{PLOTS_AT_MOST} of {len(every)} pairs of objectives are drawn; left out: {left}.") if left else None
    return fragment(element("div", drawn, class_="pair") if len(pairs) > 1 else drawn, cut)


def scored(score: str) -> Column[Trial]:
    """A score of trials as numbers."""
    return Column(words(score).column, lambda trial: numeric(number(score, trial.score(score), extra=1)))


def _networks(trials: Sequence[Trial], scores: Sequence[str], caption: str, colours: dict[str, str]) -> Markup:
    """Networks as rows: picture, scores with a dot on a common scale for the first of them, size."""
    extra = [score for score in dict.fromkeys((*scores, "accuracy")) if score not in COUNTED]
    extra = [score for score in extra if any(math.isfinite(trial.score(score)) for trial in trials)]
    dots = [_dots(trials, extra[0])] if extra else []
    columns = [NUMBER, drawn_layout(colours), recipe(trials), *map(scored, extra), *dots, *COUNTS]
    return columned(caption, columns, trials, class_="networks")


def _dots(trials: Sequence[Trial], score: str) -> Column[Trial]:
    """A score on a scale common to all rows."""
    scale = Scale(*span((trial.score(score) for trial in trials), 0.1), 5, 75)

    def cell(trial: Trial) -> Markup:
        value = trial.score(score)
        said = number(score, value, unit=True, extra=1)
        mark = interval(scale, value, math.nan, math.nan, height=22, title=said, class_="complete")
        return text_cell(svg(80, 22, said, mark, class_="cell"), class_="cell")

    return Column(element("span", "on a common scale", class_="hidden"), cell, right=False)


# ---------------------------------------------------------------- one quantity against another


def pareto(results: Results, first: Objective, second: Objective, *, large: bool = False) -> Markup:
    """Complete trials coloured by their share of MSAs, the front ringed, numbered and joined, finalists as diamonds.

    The front is that of the two quantities shown, except in a plot of two of three objectives: there its members are
    the networks that no other beats in all three, and no line joins them.
    """
    # The counted quantity goes on the horizontal axis, as readers expect.
    y, x = (second, first) if first.name in COUNTED else (first, second)
    trials = [t for t in results.complete if math.isfinite(t.score(x.name)) and math.isfinite(t.score(y.name))]
    log = x.name in COUNTED
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

    signs = [(o.name, -1 if o.direction == "maximize" else 1) for o in (x, y)]
    points = [[sign * trial.score(name) for name, sign in signs] for trial in trials]
    return [
        trial for trial, point in zip(trials, points, strict=True) if not any(dominates(each, point) for each in points)
    ]


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
        if math.isfinite(a) and math.isfinite(b) and (a > 0 or x not in COUNTED)
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
