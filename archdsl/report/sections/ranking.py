"""Results to the trade-off or the order of the networks: Pareto plots or the ten best, and accuracy against size."""

from __future__ import annotations

import itertools
import math

from archdsl.report.chart import Frame, Scale, interval, span, svg, tick_format
from archdsl.report.layout import compact, kind, strip
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import figure, head_cell, numeric, row_head, section, table
from archdsl.report.results import Objective, Results, Trial
from archdsl.report.sections.finalists import series
from archdsl.report.statistics import mean
from archdsl.report.wording import number, plural, short, words

TOP = 10
PLOTS_AT_MOST = 3  # pairs of objectives


def ranking(results: Results, colours: dict[str, str]) -> Markup:
    """The section, or nothing without a complete trial."""
    if not results.ranking():
        return fragment()
    if len(results.objectives) > 1:
        ranks = {trial.number: rank for rank, trial in enumerate(results.ranking())}
        members = [trial for trial in results.trials if trial.number in results.pareto]
        front = sorted(members, key=lambda trial: ranks.get(trial.number, len(ranks)))
        pairs = list(itertools.combinations(results.objectives, 2))[:PLOTS_AT_MOST]
        plots = [_pareto(results, first, second) for first, second in pairs]
        names = [objective.name for objective in results.objectives]
        caption = f"The {plural(len(front), 'network')} that no other beats in every objective."
        listed = _networks(results, front, names, caption, colours)
        return section("ranking", "Trade-off", element("div", plots, _size(results), class_="pair"), listed)
    best = results.ranking()[:TOP]
    caption = f"The {len(best)} best of {plural(len(results.complete), 'complete trial')}, one training each."
    listed = _networks(results, best, [results.primary.name], caption, colours)
    return section("ranking", "The best networks", element("div", listed, _size(results), class_="pair wide-left"))


def _networks(
    results: Results, trials: list[Trial], scores: list[str], caption: str, colours: dict[str, str]
) -> Markup:
    """Networks as rows: picture, scores with a dot on a common scale for the first of them, size."""
    extra = [score for score in dict.fromkeys((*scores, "accuracy")) if score not in ("params", "macs")]
    extra = [score for score in extra if any(math.isfinite(trial.score(score)) for trial in trials)]
    low, high = span((trial.score(extra[0]) for trial in trials), 0.1) if extra else (0.0, 1.0)
    scale = Scale(low, high, 5, 75)
    head = element(
        "tr",
        head_cell("Trial", class_="num"),
        head_cell("Layout"),
        [head_cell(words(s).column, class_="num") for s in extra],
        head_cell(element("span", "on a common scale", class_="hidden")) if extra else None,
        head_cell("Params", class_="num"),
        head_cell("MACs", class_="num"),
    )
    rows = [
        element(
            "tr",
            row_head(trial.number, class_="num"),
            element("td", strip(trial.layout, colours)),
            [numeric(number(score, trial.score(score), extra=1)) for score in extra],
            element("td", _dot(scale, trial, extra[0]), class_="cell") if extra else None,
            numeric(short(trial.params)),
            numeric(short(trial.macs)),
        )
        for trial in trials
    ]
    return table(caption, [head], rows, class_="networks")


def _dot(scale: Scale, trial: Trial, score: str) -> Markup:
    value = trial.score(score)
    said = number(score, value, unit=True, extra=1)
    mark = interval(scale, value, math.nan, math.nan, height=22, title=said, class_="complete")
    return svg(80, 22, said, mark, class_="cell")


def _pareto(results: Results, first: Objective, second: Objective) -> Markup:
    """Two objectives against each other; members of the Pareto set are filled, and joined where there are but two."""
    trials = [t for t in results.complete if math.isfinite(t.score(first.name)) and math.isfinite(t.score(second.name))]
    # The counted quantity goes on the horizontal axis, as readers expect.
    y, x = (second, first) if first.name in ("params", "macs") else (first, second)
    log = x.name in ("params", "macs")
    frame = Frame.of(span((t.score(x.name) for t in trials), log=log), span(t.score(y.name) for t in trials), log_x=log)
    members = sorted((t for t in trials if t.number in results.pareto), key=lambda t: t.score(x.name))
    line = fragment()
    if len(results.objectives) == 2:
        line = frame.path([(t.score(x.name), t.score(y.name)) for t in members], "line front")
    marks = [
        frame.mark(
            "dot",
            t.score(x.name),
            t.score(y.name),
            "pareto" if t.number in results.pareto else "dominated",
            f"trial {t.number}: {_value(x.name, t)}, {_value(y.name, t)}",
            trial=t.number,
        )
        for t in sorted(trials, key=lambda t: t.number in results.pareto)
    ]
    axes = frame.axes(_axis(x), _axis(y), tick_format(x.name, frame.x), tick_format(y.name, frame.y))
    spoken = f"{words(y.name).label} against {words(x.name).label}, {plural(len(members), 'Pareto-optimal network')}"
    caption = "Complete trials; filled: no other network is at least as good in every objective and better in one."
    return figure(caption, frame.draw(spoken, axes, line, marks))


def _axis(objective: Objective) -> str:
    return f"{words(objective.name).heading} ({objective.direction})"


def _value(score: str, trial: Trial) -> str:
    return f"{words(score).label} {number(score, trial.score(score), unit=True, extra=1)}"


def _size(results: Results) -> Markup:
    """Accuracy against parameters; trials coloured by their share of MSAs, finalists as diamonds with their spread."""
    trials = [t for t in results.complete if t.params and math.isfinite(t.score("accuracy"))]
    if not trials:
        return fragment()
    finals = [(f, mean(f.values("validation", "accuracy"))) for f in results.finalists if f.params]
    finals = [(finalist, found) for finalist, found in finals if found.n]
    colours = series(results)
    xs = [float(n.params or 1) for n in (*trials, *(f for f, _ in finals))]
    ys = [t.score("accuracy") for t in trials] + [found.value for _, found in finals]
    frame = Frame.of(span(xs, log=True), span(ys), log_x=True, size=(430, 320))
    marks = [
        frame.mark(
            "dot",
            float(t.params or 1),
            t.score("accuracy"),
            f"share{_share(t, results)}",
            f"trial {t.number}: {_value('accuracy', t)}, {short(t.params)} parameters",
            trial=t.number,
        )
        for t in trials
    ]
    diamonds = [
        frame.mark(
            "diamond",
            float(f.params or 1),
            found.value,
            f"{colours[f.name]} ringed",
            f"{f.title}, {compact(f.layout)}: mean {number('accuracy', found.value, unit=True)}",
        )
        for f, found in finals
    ]
    axes = frame.axes(
        "parameters", "validation accuracy, %", tick_format("params", frame.x), tick_format("accuracy", frame.y)
    )
    ramp = element("span", [element("span", class_=f"share{i}") for i in range(5)], class_="ramp", aria_hidden="true")
    key = [element("li", element("span", class_=f"swatch diamond {colours[f.name]}"), f" {f.title}") for f, _ in finals]
    caption = fragment(
        "Accuracy against size. Dots: complete trials, coloured from no MSA ",
        ramp,
        " to all MSA.",
        " Diamonds: finalists, mean over seeds." if finals else "",
        element("ul", key, class_="keys") if key else None,
    )
    return figure(caption, frame.draw("validation accuracy against number of parameters", axes, marks, diamonds))


def _share(trial: Trial, results: Results) -> int:
    """Share of MSA blocks in fifths, 0 to 4."""
    blocks = [kind(label, results.kinds) for stage in trial.layout for label in stage]
    return min(4, int(5 * sum(block == "msa" for block in blocks) / len(blocks))) if blocks else 0
