"""Shows where attention pays: a map of the network, means of the alternatives, effects with intervals."""

from __future__ import annotations

import itertools
import math
import re

from archdsl.base.statistics import Interval
from archdsl.report.chart import Scale, range_text
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import Column, columned, figure, note, numeric, row_head, section
from archdsl.report.rules import CHOICES_AT_MOST, Effect, effects
from archdsl.report.sections.differences import (
    effect_scale,
    ends,
    explained,
    gap_columns,
    judged,
    titled,
    unexplained,
)  # fmt: skip
from archdsl.report.wording import MISSING, number, plural, signed, unit, words
from archdsl.study.results import Results

ROWS_AT_MOST = 64  # decisions shown; all of them are in trials.csv
STEPS = 7  # shades of the heat map
_PLACE = re.compile(r"stage(\d+)\.block(\d+)")


def placement(results: Results) -> Markup:
    """The section, or nothing where no decision can be weighed."""
    found = [(score, effects(results, score)) for score in explained(results)]
    parts = [_score(results, score, each) for score, each in found if any(m.n for e in each for m in e.means.values())]
    if not parts:
        return fragment()
    return section("placement", "Where it matters", parts, unexplained(results), _reading(results))


def _score(results: Results, score: str, found: list[Effect]) -> Markup:
    kept = _most_telling(found)
    cut = (
        note(f"The {len(kept)} decisions of {len(found)} with the largest effects.") if len(kept) < len(found) else None
    )
    groups = itertools.groupby(sorted(kept, key=_group), key=_group)
    tables = [_effects(score, list(group), kept) for _, group in groups]
    return fragment(titled(results, score), _map(results, score, found), tables, cut)


def _most_telling(found: list[Effect]) -> list[Effect]:
    """All effects in the order of the network, or the largest where there are too many to read."""
    shown = [effect for effect in found if any(m.n for m in effect.means.values())]
    if len(shown) <= ROWS_AT_MOST:
        return shown
    largest = sorted(shown, key=lambda e: -abs(_size(e)))[:ROWS_AT_MOST]
    return [effect for effect in shown if effect in largest]


def _size(effect: Effect) -> float:
    values = [m.value for m in effect.means.values() if m.n]
    return max(values) - min(values)


def _group(effect: Effect) -> tuple[int, tuple[str, ...]]:
    """Decisions with the same alternatives share a table: two-sided ones first, ranges last."""
    choices = effect.decision.choices
    if not 0 < len(choices) <= CHOICES_AT_MOST:
        return (2, ())
    return (0 if effect.pair else 1, choices)


# ---------------------------------------------------------------- the network, each free place coloured by its effect


def _map(results: Results, score: str, found: list[Effect]) -> Markup:
    """Every block of the network at its place; nothing where layouts differ in length or decisions are not places."""
    layouts = [trial.layout for trial in results.complete if trial.layout]
    shapes = {tuple(map(len, layout)) for layout in layouts}
    if len(shapes) != 1 or sum(next(iter(shapes))) > 80:
        return fragment()
    at = {
        (int(match[1]), int(match[2])): effect
        for effect in found
        if (match := _PLACE.fullmatch(effect.decision.name)) and effect.fairest
    }
    if not at or not all(_agrees(results, place, effect) for place, effect in at.items()):
        return fragment()
    minimize = any(o.name == score and o.direction == "minimize" for o in results.objectives)
    stages = [
        element(
            "span",
            element("span", f"stage {s}", class_="stage-name"),
            [_cell(layouts[0][s - 1][b - 1], at.get((s, b)), score, minimize) for b in range(1, length + 1)],
            class_="stage",
        )
        for s, length in enumerate(next(iter(shapes)), 1)
    ]
    sides = {effect.sides for effect in at.values()}
    which = sides.pop() if len(sides) == 1 else "second − first alternative"
    points = "in points, " if words(score).percent else ""
    caption = (
        f"The network from input to output, and what {which} does to {words(score).label} at each place ({points}the "
        "others held still where the data allow), in the colour of the side that does better. Full colour: the 95 % "
        "interval excludes 0; underlined: it holds 0; a letter: not decided by the search."
    )
    spoken = "; ".join(f"{e.decision.name} {signed(score, e.fairest.value)}" for e in at.values() if e.fairest)
    label = f"effect of {which} on {words(score).label} at each place: {spoken}"
    return figure(caption, element("div", stages, class_="net map", role="img", aria_label=label))


def _agrees(results: Results, place: tuple[int, int], effect: Effect) -> bool:
    """Whether the decision of this name is what stands at this place, in every trial."""
    stage, block = place
    for trial in results.complete:
        chosen = trial.decisions.get(effect.decision.name)
        if stage > len(trial.layout) or block > len(trial.layout[stage - 1]):
            return False
        if chosen is not None and trial.layout[stage - 1][block - 1] != chosen:
            return False
    return True


def _cell(label: str, effect: Effect | None, score: str, minimize: bool) -> Markup:
    gap = effect.fairest if effect else None
    if effect is None or gap is None or not math.isfinite(gap.value):
        return element("i", label, class_="fixed", title="not decided by the search")
    side = "toward-msa" if (gap.value > 0) != minimize else "toward-conv"
    strength = "sure" if gap.excludes_zero else "unsure"
    value = signed(score, gap.value, extra=1)
    said = f"{effect.decision.name}: {effect.sides} {value}{unit(score)}, 95 % {ends(score, gap)}"
    return element("i", signed(score, gap.value), class_=f"{side} {strength}", title=said)


# ---------------------------------------------------------------- heat map and effects, a table per set of alternatives


def _effects(score: str, group: list[Effect], every: list[Effect]) -> Markup:
    """Rows are decisions; a heat cell per alternative, then the effect as numbers and as dot and interval."""
    order, choices = _group(group[0])
    if order == 2:
        return _ranges(score, group)
    heat = _heat([m.value for effect in every for m in effect.means.values() if m.n])
    columns = [DECISION, *(_alternative(score, choice, heat) for choice in choices)]
    if order == 0:
        scale = effect_scale([e.effect for e in every if e.effect] + [e.still for e in every if e.still])
        columns += gap_columns(
            score, scale, group[0].sides, "difference", lambda e: e.effect or UNKNOWN, title="difference of the means",
            more=lambda e: _circle(scale, e.still),
        )  # fmt: skip
        if any(effect.still for effect in group):
            columns.append(Column("Others held still", lambda e: _held_still(score, e.still), title=STILL))
    percent = " in %" if words(score).percent else ""
    subject = f"Mean {words(score).label}{percent} with each alternative"
    return columned(f"{subject}; below each mean, the number of trials.", columns, group, class_="effects")


DECISION = Column[Effect]("Decision", lambda effect: row_head(effect.decision.name, class_="code"), right=False)
STILL = "least squares over all decisions"
UNKNOWN = Interval(math.nan, math.nan, math.nan, ())


def _circle(scale: Scale, still: Interval | None) -> Markup | None:
    if still is None:
        return None
    title = element("title", "others held still")
    return element("circle", title, cx=scale(scale.inside(still.value)), cy=27, r=2.6, class_="still")


def _held_still(score: str, still: Interval | None) -> Markup:
    value = signed(score, still.value if still else None, extra=1)
    return numeric(value, ends(score, still), class_=judged(still))


def _heat(values: list[float]) -> Scale:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return Scale(low, high if high > low else low + 1, 0, STEPS - 1)


def _alternative(score: str, choice: str, heat: Scale) -> Column[Effect]:
    """The mean with one alternative, in a shade for how good it is."""

    def cell(effect: Effect) -> Markup:
        found = effect.means[choice]
        if not found.n:
            return numeric(MISSING, "0", class_="heat")
        return numeric(number(score, found.value, extra=1), f"{found.n}", class_=f"heat h{round(heat(found.value))}")

    return Column(choice or "(empty)", cell)


def _ranges(score: str, group: list[Effect]) -> Markup:
    """Decisions with many values: the rank correlation of the value with the score."""

    def correlation(effect: Effect) -> Markup:
        trend = effect.trend
        between = range_text(trend.low, trend.high, "{:+.2f}".format) if trend else ""
        return numeric(f"{trend.value:+.2f}" if trend and math.isfinite(trend.value) else MISSING, between)

    columns = [
        DECISION,
        Column[Effect]("Values tried", lambda effect: numeric(sum(bool(m.n) for m in effect.means.values()))),
        Column("Spearman ρ", correlation),
    ]
    caption = f"Ranges: rank correlation of the value with {words(score).label}, with its 95 % interval."
    return columned(caption, columns, group, class_="effects")


def _reading(results: Results) -> Markup:
    left = len(results.trials) - len(results.complete)
    text = (
        "One training per network, and only trials in which the decision was active. Differences of means with Welch’s "
        "95 % interval; a faint one includes 0. The sampler chose the trials, not chance, so decisions that went "
        "together share their credit; “others held still” (small circle) is a least-squares fit of all decisions at "
        "once, and the fairer number of the two."
    )
    if left:
        text += f" Left out: {plural(left, 'trial')} not trained to the end, mostly weak; effects look smaller for it."
    return note(text)
