"""Makes what the terminal shows when a search ends: the headline, then the finalists or the best trials."""

from __future__ import annotations

import math

from rich.console import Group
from rich.table import Table
from rich.text import Text

from archdsl.base.statistics import mean
from archdsl.report.headline import against, headline, without_finals
from archdsl.report.layout import coloured, palette
from archdsl.report.markup import clean
from archdsl.report.wording import number, settings, short, signed, spread, words
from archdsl.study.results import Finalist, Results, same

_ANALYSES = ("log_ape", "nep", "lambda_max", "high_freq")
_TOP = 5


def summary(results: Results) -> Group:
    """The headline and a table; plain letters and numbers stay readable without colours."""
    said = headline(results)
    lines = [Text(clean(said.result), style="bold")]
    if said.comparison:
        lines.append(Text(clean(said.comparison)))
    if not results.finished:
        lines.append(Text("Partial: the search has not finished.", style="yellow"))
    if left_out := without_finals(results):
        lines.append(Text(left_out, style="yellow"))
    colours = palette(results)
    if results.finalists:
        return Group(*lines, Text(), _finalists(results, colours))
    if results.ranking():
        return Group(*lines, Text(), _best(results, colours))
    return Group(*lines)


def _finalists(results: Results, colours: dict[str, str]) -> Table:
    extra = [s for s in _ANALYSES if any(math.isfinite(f.scores.get(s, math.nan)) for f in results.finalists)]
    tuned = any(finalist.tuned for finalist in results.finalists)
    table = _table(
        ["network", "layout", *(["recipe"] if tuned else [])],
        ["params", "MACs", "val %", "test %", "found − this", "NLL", "ECE %"],
    )
    for score in extra:
        table.add_column(words(score).heading, justify="right", no_wrap=True)
    for finalist in results.finalists:
        found = finalist.name == "winner"
        table.add_row(
            Text(clean(finalist.title), style="bold" if found else ""),
            coloured(finalist.layout, colours),
            *([clean(settings(finalist.tuned))] if tuned else []),
            short(finalist.params),
            short(finalist.macs),
            _estimate(finalist.values("validation", "accuracy"), "accuracy"),
            _estimate(finalist.values("test", "accuracy"), "accuracy"),
            "" if found else _gap(results, finalist),
            _estimate(finalist.values("test", "nll"), "nll", spread_too=False),
            _estimate(finalist.values("test", "ece"), "ece", spread_too=False),
            *(number(score, finalist.scores.get(score)) for score in extra),
        )
    return table


def _best(results: Results, colours: dict[str, str]) -> Table:
    score = results.primary.name
    tuned = any(trial.tuned for trial in results.ranking()[:_TOP])
    table = _table(["trial", "layout", *(["recipe"] if tuned else [])], [words(score).heading, "params", "MACs"])
    for trial in results.ranking()[:_TOP]:
        shown = number(score, trial.score(score), extra=1)
        recipe = [clean(settings(trial.tuned))] if tuned else []
        counts = (short(trial.params), short(trial.macs))
        table.add_row(str(trial.number), coloured(trial.layout, colours), *recipe, shown, *counts)
    return table


def _table(texts: list[str], numbers: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in texts:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _estimate(values: list[float], score: str, *, spread_too: bool = True) -> str:
    found = mean(values)
    return f"{number(score, found.value)} {spread(score, found.sd) if spread_too else ''}".strip()


def _gap(results: Results, finalist: Finalist) -> str:
    winner = results.winner
    if winner is None or same(finalist, winner):
        return ""
    return signed("accuracy", against(winner, finalist).value)
