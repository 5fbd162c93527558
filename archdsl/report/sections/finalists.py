"""Shows the finals: the found layout beside the baselines, every seed as a dot, and all scores in a table."""

from __future__ import annotations

import math
from typing import Literal

from archdsl.base.statistics import mean
from archdsl.report.chart import Frame, span, tick_format
from archdsl.report.headline import SPREAD_RULE, against
from archdsl.report.layout import series, strip
from archdsl.report.marks import symbol
from archdsl.report.markup import Attribute, Markup, element, fragment
from archdsl.report.parts import (
    Column,
    columned,
    figure,
    head_cell,
    keys,
    note,
    numeric,
    plain_table,
    row_head,
    section,
)
from archdsl.report.sections.curves import Curve, curve_figure
from archdsl.report.sections.networks import COUNTS
from archdsl.report.wording import MISSING, meaning, number, plural, settings, signed, spread, unit, words
from archdsl.study.results import Finalist, Results, same

_SCORES = ("log_ape", "nep", "lambda_max", "high_freq", "smoothing_contrast")


def finalists(results: Results, colours: dict[str, str]) -> Markup:
    """The section, or nothing before the finals."""
    if not results.finalists:
        return fragment()
    return section(
        "finalists",
        "Against the baselines",
        _table(results, colours),
        _reading(results),
        element("div", _seeds(results), _curves(results), class_="pair"),
    )


# ---------------------------------------------------------------- drawn


def _seeds(results: Results) -> Markup:
    """A dot for each training: test filled, validation hollow, the mean as an upright bar."""
    rows = [f for f in results.finalists if f.values("test", "accuracy") or f.values("validation", "accuracy")]
    if not rows:
        return fragment()
    both = [value for f in rows for split in ("test", "validation") for value in f.values(split, "accuracy")]
    height = max(300, 60 + 34 * len(rows))
    frame = Frame.of(span(both), (0, len(rows)), size=(520, height), margins=(14, 16, 46, 84))
    write = tick_format("accuracy", frame.x)
    ticks = [
        fragment(
            element("line", x1=frame.x(t), x2=frame.x(t), y1=frame.y.stop, y2=frame.y.start, class_="grid"),
            element("text", write(t), x=frame.x(t), y=frame.y.start + 16, class_="tick mid"),
        )
        for t in frame.x.ticks()
    ]
    colours = series(results)
    places = {finalist.name: place for place, finalist in enumerate(results.finalists)}
    drawn = [_seed_row(frame, len(rows) - i - 0.5, f, colours[f.name], places[f.name]) for i, f in enumerate(rows)]
    title = element("text", "accuracy, %", x=frame.x.stop, y=height - 6, class_="title end")
    spoken = "; ".join(f"{f.title}: test {_said(f)}" for f in rows)
    caption = (
        "One dot per training from scratch: test filled, validation hollow. The upright bar is the mean on test; "
        "the line spans one standard deviation to either side."
    )
    drawing = frame.draw(f"accuracy of each seed: {spoken}", ticks, drawn, title)
    numbers = [
        [f"{f.title}, seed {run.seed}", *(number("accuracy", split.get("accuracy"), extra=1) for split in splits)]
        for f in rows
        for run in f.seeds
        for splits in [(run.validation, run.test)]
    ]
    table = plain_table("Accuracy in % of each seed.", ["Training", "Validation", "Test"], numbers)
    return figure(caption, drawing, numbers=table)


def _said(finalist: Finalist) -> str:
    found = mean(finalist.values("test", "accuracy"))
    return f"{number('accuracy', found.value)} {spread('accuracy', found.sd)} percent".replace("  ", " ")


def _seed_row(frame: Frame, y: float, finalist: Finalist, colour: str, place: int) -> Markup:
    name = finalist.title
    height = frame.y(y)
    found = mean(finalist.values("test", "accuracy"))
    marks = []
    if math.isfinite(found.sd):
        a, b = (frame.x(frame.x.inside(found.value + side * found.sd)) for side in (-1, 1))
        marks.append(element("line", x1=a, x2=b, y1=height + 4, y2=height + 4, class_=f"whisker {colour}"))
    if found.n:
        said = f"{name}: mean {_said(finalist)}"
        marks.append(symbol("bar", frame.x(found.value), height + 4, colour, said, final=place))
    for run in finalist.seeds:
        for split, style, below in (("validation", "hollow", -5), ("test", "", 4)):
            value = getattr(run, split).get("accuracy", math.nan)
            if math.isfinite(value):
                said = f"{name}, seed {run.seed}: {split} {number('accuracy', value, unit=True, extra=1)}"
                marks.append(symbol("dot", frame.x(value), height + below, f"{colour} {style}", said, final=place))
    label = element("text", name, x=frame.x.start - 14, y=height + 4, class_="row end")
    return fragment(label, marks)


def _curves(results: Results) -> Markup:
    """The finalists' learning curves, one line per seed."""
    shown = [finalist for finalist in results.finalists if any(len(run.curve) > 1 for run in finalist.seeds)]
    if not shown:
        return fragment()
    colours = series(results)
    curves = [
        Curve(
            run.curve, colours[f.name], colours[f.name],
            f"{f.title}, seed {run.seed}: {number('accuracy', run.curve[-1], unit=True, extra=1)}", final=place,
        )
        for place, f in reversed(list(enumerate(results.finalists)))
        for run in f.seeds
        if run.curve
    ]  # fmt: skip
    names = keys((colours[f.name], f.title) for f in shown)
    caption = fragment("The finalists, trained from scratch: one line per seed.", names)
    rows = [(f"{f.title}, seed {run.seed}", run.curve) for f in shown for run in f.seeds]
    return curve_figure("validation accuracy of the finalists by epoch", caption, curves, "Training", rows)


# ---------------------------------------------------------------- in numbers


def _table(results: Results, colours: dict[str, str]) -> Markup:
    extra = [score for score in _SCORES if any(math.isfinite(f.scores.get(score, math.nan)) for f in results.finalists)]
    group = element(
        "tr",
        element("td", colspan=3),
        head_cell("Accuracy, %", colspan=3, class_="group"),
        head_cell("Test", colspan=2, class_="group"),
        head_cell("Analyses", colspan=len(extra), class_="group") if extra else None,
    )
    series_of = series(results)

    def named(finalist: Finalist) -> Markup:
        name = element("span", finalist.title, class_=f"name key {series_of[finalist.name]}")
        recipe = element("small", settings(finalist.tuned)) if finalist.tuned else None
        return row_head(name, strip(finalist.layout, colours), recipe)

    def attributes(finalist: Finalist) -> dict[str, Attribute]:
        place = next(i for i, each in enumerate(results.finalists) if each is finalist)
        return {"class_": "winner" if finalist.name == "winner" else None, "id": f"final-{place}"}

    columns = [
        Column("Network", named, right=False),
        *COUNTS,
        _estimated("Validation", "validation", "accuracy"),
        _estimated("Test", "test", "accuracy", class_="main"),
        Column("Found − this", lambda finalist: _gap(results, finalist)),
        *(_estimated(words(score).column, "test", score, title=meaning(score)) for score in ("nll", "ece")),
        *map(_analysis, extra),
    ]
    seeds = max((len(f.seeds) for f in results.finalists), default=0)
    caption = f"Trained from scratch on {plural(seeds, 'seed')}; mean, and ± standard deviation over the seeds."
    return columned(
        caption, columns, results.finalists, class_="finalists", above=group, attributes=attributes
    )  # fmt: skip


def _analysis(score: str) -> Column[Finalist]:
    return Column(words(score).column, lambda f: numeric(number(score, f.scores.get(score))), title=meaning(score))


def _estimated(
    head: str, split: Literal["validation", "test"], score: str, *, class_: str = "", title: str | None = None
) -> Column[Finalist]:
    """A score's mean over the seeds, and its spread."""

    def cell(finalist: Finalist) -> Markup:
        found = mean(finalist.values(split, score))
        return numeric(number(score, found.value), spread(score, found.sd), class_=class_)

    return Column(head, cell, title=title)


def _gap(results: Results, finalist: Finalist) -> Markup:
    winner = results.winner
    if winner is None or finalist is winner or same(finalist, winner):
        return numeric("")
    gap = against(winner, finalist)
    if not math.isfinite(gap.value):
        return numeric(MISSING)
    ends = f"[{signed('accuracy', gap.low)}, {signed('accuracy', gap.high)}]" if gap.known else ""
    return numeric(signed("accuracy", gap.value), ends, class_="clear" if gap.excludes_zero else "unclear")


def _reading(results: Results) -> Markup:
    images = results.data.test
    winner = results.winner
    sampling = ""
    if images and winner is not None and (values := winner.values("test", "accuracy")):
        p = min(max(mean(values).value, 0.0), 1.0)
        error = math.sqrt(p * (1 - p) / images)
        sampling = (
            f" A test split of {images:,} images is itself a sample: its standard error of about "
            f"{number('accuracy', error)}{unit('accuracy')} comes on top, and is partly shared by the rows."
        )
    return note(f"The search never saw the test split. {SPREAD_RULE}{sampling}")
