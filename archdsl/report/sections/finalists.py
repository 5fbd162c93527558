"""Results to the finals: the found layout beside the baselines, every seed as a dot, and all scores in a table."""

from __future__ import annotations

import math

from archdsl.base.statistics import mean
from archdsl.report.chart import Frame, span, tick_format
from archdsl.report.headline import SPREAD_RULE, against
from archdsl.report.layout import kind, strip
from archdsl.report.marks import symbol
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import figure, head_cell, note, numeric, plain_table, row_head, section, table
from archdsl.report.sections.curves import at_epochs, curve_axes, curve_frame, points, some_epochs
from archdsl.report.wording import MISSING, meaning, number, plural, settings, short, signed, spread, unit, words
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


def series(results: Results) -> dict[str, str]:
    """The colour class of every finalist by name, the same in all figures.

    All-Conv and all-MSA have the colours of their blocks, whatever the letters; others take what is left, in order.
    """
    usual = {"conv": "all-c", "msa": "all-m"}
    found = {"winner": "winner", "alternating": "alternating"}
    for name in (finalist.name for finalist in results.baselines):
        said = kind(name.removeprefix("all "), results.kinds) if name.startswith("all ") else None
        if said:
            found[name] = usual[said]
    left = [colour for colour in ("all-c", "all-m") if colour not in found.values()]
    for finalist in results.baselines:
        if finalist.name not in found:
            found[finalist.name] = left.pop(0) if left else "rival"
    return found


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
    return figure(
        caption,
        drawing,
        numbers=plain_table("Accuracy in % of each seed.", ["Training", "Validation", "Test"], numbers),
    )


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
        for split, style in (("validation", "hollow"), ("test", "")):
            value = getattr(run, split).get("accuracy", math.nan)
            if math.isfinite(value):
                said = f"{name}, seed {run.seed}: {split} {number('accuracy', value, unit=True, extra=1)}"
                at = height - 5 if split == "validation" else height + 4
                marks.append(symbol("dot", frame.x(value), at, f"{colour} {style}", said, final=place))
    label = element("text", name, x=frame.x.start - 14, y=height + 4, class_="row end")
    return fragment(label, marks)


def _curves(results: Results) -> Markup:
    """The finalists' learning curves, one line per seed."""
    rows = [finalist for finalist in results.finalists if any(len(run.curve) > 1 for run in finalist.seeds)]
    if not rows:
        return fragment()
    colours = series(results)
    frame = curve_frame([run.curve for finalist in rows for run in finalist.seeds])
    lines, ends = [], []
    for place, f in reversed(list(enumerate(results.finalists))):
        for run in f.seeds:
            if run.curve:
                said = f"{f.title}, seed {run.seed}: {number('accuracy', run.curve[-1], unit=True, extra=1)}"
                lines.append(frame.path(points(run.curve), f"line {colours[f.name]}", final=place))
                x, y = frame.at(len(run.curve), run.curve[-1])
                ends.append(symbol("small", x, y, colours[f.name], said, final=place))
    key = [element("li", element("span", class_=f"swatch {colours[f.name]}"), f" {f.title}") for f in rows]
    caption = fragment("The finalists, trained from scratch: one line per seed.", element("ul", key, class_="keys"))
    drawing = frame.draw("validation accuracy of the finalists by epoch", curve_axes(frame), lines, ends)
    return figure(caption, drawing, numbers=_curve_table(rows))


def _curve_table(rows: list[Finalist]) -> Markup:
    epochs = some_epochs(max(len(run.curve) for finalist in rows for run in finalist.seeds))
    numbers = [[f"{f.title}, seed {run.seed}", *at_epochs(run.curve, epochs)] for f in rows for run in f.seeds]
    return plain_table("Validation accuracy in % by epoch.", ["Training", *(f"{e}" for e in epochs)], numbers)


def _table(results: Results, colours: dict[str, str]) -> Markup:
    extra = [score for score in _SCORES if any(math.isfinite(f.scores.get(score, math.nan)) for f in results.finalists)]
    group = element(
        "tr",
        element("td", colspan=3),
        head_cell("Accuracy, %", colspan=3, class_="group"),
        head_cell("Test", colspan=2, class_="group"),
        head_cell("Analyses", colspan=len(extra), class_="group") if extra else None,
    )
    names = element(
        "tr",
        head_cell("Network"),
        [head_cell(text, class_="num") for text in ("Params", "MACs", "Validation", "Test", "Found − this")],
        [head_cell(words(score).column, class_="num", title=meaning(score)) for score in ("nll", "ece")],
        [head_cell(words(score).column, class_="num", title=meaning(score)) for score in extra],
    )
    seeds = max((len(f.seeds) for f in results.finalists), default=0)
    caption = f"Trained from scratch on {plural(seeds, 'seed')}; mean, and ± standard deviation over the seeds."
    rows = [_row(results, place, extra, colours) for place in range(len(results.finalists))]
    return table(caption, [group, names], rows, class_="finalists")


def _row(results: Results, place: int, extra: list[str], colours: dict[str, str]) -> Markup:
    finalist = results.finalists[place]
    name = element("span", finalist.title, class_=f"name key {series(results)[finalist.name]}")
    recipe = element("small", settings(finalist.tuned)) if finalist.tuned else None
    return element(
        "tr",
        row_head(name, strip(finalist.layout, colours), recipe),
        numeric(short(finalist.params)),
        numeric(short(finalist.macs)),
        _estimate(finalist, "validation", "accuracy"),
        _estimate(finalist, "test", "accuracy", class_="main"),
        _gap(results, finalist),
        _estimate(finalist, "test", "nll"),
        _estimate(finalist, "test", "ece"),
        [numeric(number(score, finalist.scores.get(score))) for score in extra],
        class_="winner" if finalist.name == "winner" else None,
        id=f"final-{place}",
    )


def _estimate(finalist: Finalist, split: str, score: str, *, class_: str = "") -> Markup:
    found = mean(finalist.values(split, score))  # type: ignore[arg-type]
    return numeric(number(score, found.value), spread(score, found.sd), class_=class_)


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
    return note(
        f"The search never saw the test split. {SPREAD_RULE}{sampling}",
    )
