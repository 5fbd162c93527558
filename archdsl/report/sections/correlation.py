"""Results to which scores go with accuracy: rank correlations, with the parameter count as the yardstick."""

from __future__ import annotations

import math

from archdsl.base.statistics import Interval, rank_correlation
from archdsl.report.chart import Scale, range_text, svg
from archdsl.report.marks import interval
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import head_cell, note, numeric, row_head, section, table
from archdsl.report.wording import MINUS, MISSING, meaning, words
from archdsl.study.results import Results, Trial

TARGET = "accuracy"


def correlation(results: Results) -> Markup:
    """The section, or nothing with fewer than four complete trials or no score besides accuracy."""
    trials = [trial for trial in results.complete if math.isfinite(trial.score(TARGET))]
    names = dict.fromkeys(name for trial in trials for name in trial.scores if name not in (TARGET, "params", "macs"))
    scored = [name for name in names if sum(math.isfinite(trial.score(name)) for trial in trials) > 3]
    if len(trials) < 4:
        return fragment()
    rows = [_row(name, trials) for name in ("params", "macs", *sorted(scored))]
    head = element(
        "tr",
        head_cell("Score"),
        head_cell("ρ with accuracy", class_="num"),
        head_cell(element("span", "with 95 % interval", class_="hidden"), _ruler()),
        head_cell("Trials", class_="num"),
        head_cell("ρ of parameters", class_="num", title="on the same trials"),
        head_cell("As a guide to accuracy"),
    )
    caption = "Spearman’s rank correlation with validation accuracy over the complete trials, and its 95 % interval."
    return section(
        "correlation",
        "What goes with accuracy",
        table(caption, [head], rows, class_="effects"),
        note(
            "A score is a guide to accuracy only if it ranks networks better than their size does. NLL and ECE are "
            "measured on the same images as accuracy, after the whole training; they explain nothing ahead of it."
        ),
    )


def yardstick(name: str, trials: list[Trial]) -> tuple[Interval, Interval]:
    """A score's rank correlation with accuracy, and that of the parameter count on the same trials."""
    same = [trial for trial in trials if math.isfinite(trial.score(name)) and math.isfinite(trial.score(TARGET))]
    target = [trial.score(TARGET) for trial in same]
    found, size = (rank_correlation([trial.score(each) for trial in same], target) for each in (name, "params"))
    return found, size


_SCALE = Scale(-1, 1, 8, 172)


def _row(name: str, trials: list[Trial]) -> Markup:
    found, size = yardstick(name, trials)
    ends = range_text("rho", found.low, found.high, lambda _, value: _rho(value))
    judged = "clear" if found.excludes_zero else "unclear"
    drawn = interval(_SCALE, found.value, found.low, found.high, height=30, title=f"ρ {ends}", class_=judged)
    return element(
        "tr",
        row_head(words(name).label, element("small", meaning(name)) if meaning(name) else None),
        numeric(_rho(found.value), ends if found.known else "", class_=judged),
        element("td", svg(180, 34, f"ρ {_rho(found.value)} {ends}", drawn, class_="cell"), class_="cell"),
        numeric(found.n[0]),
        numeric("" if name == "params" else _rho(size.value)),
        element("td", _verdict(name, found, size)),
    )


def _verdict(name: str, found: Interval, size: Interval) -> str:
    if name == "params":
        return "the yardstick"
    if not math.isfinite(found.value):
        return "cannot be ranked: it does not vary"
    beats = not math.isfinite(size.value) or abs(found.value) > abs(size.value)
    if not beats:
        return "does not beat the parameter count"
    return "beats the parameter count" if found.excludes_zero else "ahead of the parameter count, but may be 0"


def _rho(value: float) -> str:
    if not math.isfinite(value):
        return MISSING
    return f"{'+' if value > 0 else MINUS if value < 0 else ''}{abs(value):.2f}"


def _ruler() -> Markup:
    ticks = [
        fragment(
            element("text", f"{t:+g}".replace("-", MINUS) if t else "0", x=_SCALE(t), y=12, class_="tick mid"),
            element("line", x1=_SCALE(t), x2=_SCALE(t), y1=17, y2=21, class_="axis"),
        )
        for t in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    return svg(180, 21, "scale from -1 to 1", ticks, class_="cell")
