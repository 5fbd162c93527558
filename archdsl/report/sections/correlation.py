"""Says which scores go with accuracy: rank correlations, with the parameter count as the yardstick."""

from __future__ import annotations

import math

from archdsl.base.statistics import Interval, rank_correlation
from archdsl.report.chart import Scale
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import Column, columned, note, numeric, row_head, section, text_cell
from archdsl.report.sections.differences import interval_columns, ticked
from archdsl.report.wording import MINUS, MISSING, meaning, words
from archdsl.study.results import Results, Trial

TARGET = "accuracy"
_SCALE = Scale(-1, 1, 8, 172)
_TICKS = {-1.0: f"{MINUS}1", -0.5: f"{MINUS}0.5", 0.0: "0", 0.5: "+0.5", 1.0: "+1"}
Row = tuple[str, Interval, Interval]  # a score, its correlation, and that of the parameter count on the same trials


def correlation(results: Results) -> Markup:
    """The section, or nothing with fewer than four complete trials or no score besides accuracy."""
    trials = [trial for trial in results.complete if math.isfinite(trial.score(TARGET))]
    names = dict.fromkeys(name for trial in trials for name in trial.scores if name not in (TARGET, "params", "macs"))
    scored = [name for name in names if sum(math.isfinite(trial.score(name)) for trial in trials) > 3]
    if len(trials) < 4:
        return fragment()
    columns = [
        Column[Row]("Score", lambda row: row_head(words(row[0]).label, _meant(row[0])), right=False),
        *interval_columns(
            _rho, _SCALE, "ρ with accuracy", "with 95 % interval", ticked(_SCALE, _TICKS, "scale from -1 to 1"),
            lambda row: row[1], sign="ρ ",
        ),
        Column[Row]("Trials", lambda row: numeric(row[1].n[0])),
        Column[Row](
            "ρ of parameters", lambda row: numeric("" if row[0] == "params" else _rho(row[2].value)),
            title="on the same trials",
        ),
        Column[Row]("As a guide to accuracy", lambda row: text_cell(_verdict(*row)), right=False),
    ]  # fmt: skip
    caption = "Spearman’s rank correlation with validation accuracy over the complete trials, and its 95 % interval."
    rows = [(name, *yardstick(name, trials)) for name in ("params", "macs", *sorted(scored))]
    return section(
        "correlation",
        "What goes with accuracy",
        columned(caption, columns, rows, class_="effects"),
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


def _meant(name: str) -> Markup | None:
    known = meaning(name)
    return element("small", known) if known else None


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
