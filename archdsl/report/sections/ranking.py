"""Shows the trade-off or the order of the networks: Pareto plots, and the front or the ten best as a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from archdsl.report.chart import Scale, span, svg
from archdsl.report.marks import interval
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import Column, columned, note, numeric, section
from archdsl.report.parts import words as text_cell
from archdsl.report.sections.networks import COUNTS, NUMBER, drawn_layout, recipe
from archdsl.report.sections.pareto import pareto
from archdsl.report.wording import number, plural, words
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
    extra = [score for score in dict.fromkeys((*scores, "accuracy")) if score not in ("params", "macs")]
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
