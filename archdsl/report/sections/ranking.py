"""Results to the trade-off or the order of the networks: Pareto plots, and the front or the ten best as a table."""

from __future__ import annotations

import itertools
import math

from archdsl.report.chart import Scale, span, svg
from archdsl.report.layout import strip
from archdsl.report.marks import interval
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import head_cell, note, numeric, row_head, section, table
from archdsl.report.sections.pareto import pareto
from archdsl.report.wording import number, plural, settings, short, words
from archdsl.study.results import Objective, Results, Trial

TOP = 10
PLOTS_AT_MOST = 6  # pairs of objectives
SIZE = (Objective(name="accuracy"), Objective(name="params", direction="minimize"))


def ranking(results: Results, colours: dict[str, str]) -> Markup:
    """The section, or nothing without a complete trial."""
    ranked = results.ranking()
    if not ranked:
        return fragment()
    if len(results.objectives) > 1:
        ranks = {trial.number: rank for rank, trial in enumerate(ranked)}
        members = [trial for trial in results.trials if trial.number in results.pareto]
        front = sorted(members, key=lambda trial: ranks.get(trial.number, len(ranks)))
        names = [objective.name for objective in results.objectives]
        caption = f"The {plural(len(front), 'network')} that no other beats in every objective."
        listed = _networks(results, front, names, caption, colours)
        return section("ranking", "Trade-off", plots(results), listed)
    best = ranked[:TOP]
    caption = f"The {len(best)} best of {plural(len(results.complete), 'complete trial')}, one training each."
    listed = _networks(results, best, [results.primary.name], caption, colours)
    return section("ranking", "The best networks", plots(results), listed)


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


def _networks(
    results: Results, trials: list[Trial], scores: list[str], caption: str, colours: dict[str, str]
) -> Markup:
    """Networks as rows: picture, scores with a dot on a common scale for the first of them, size."""
    extra = [score for score in dict.fromkeys((*scores, "accuracy")) if score not in ("params", "macs")]
    extra = [score for score in extra if any(math.isfinite(trial.score(score)) for trial in trials)]
    low, high = span((trial.score(extra[0]) for trial in trials), 0.1) if extra else (0.0, 1.0)
    scale = Scale(low, high, 5, 75)
    tuned = any(trial.tuned for trial in trials)
    head = element(
        "tr",
        head_cell("Trial", class_="num"),
        head_cell("Layout"),
        head_cell("Recipe") if tuned else None,
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
            element("td", settings(trial.tuned)) if tuned else None,
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
