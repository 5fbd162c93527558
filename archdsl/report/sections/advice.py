"""Says which patterns of placement tell these networks apart, and tests the paper's advice on them."""

from __future__ import annotations

from collections.abc import Callable

from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import Column, T, columned, note, numeric, row_head, section, text_cell
from archdsl.report.patterns import FEWEST, Pattern, patterns
from archdsl.report.rules import Rule, rules
from archdsl.report.sections.differences import effect_scale, explained, gap_columns, titled, unexplained
from archdsl.report.wording import number, plural, words
from archdsl.study.results import Results

SHOWN = 8  # patterns; where fewer are found, the likeliest of the others are shown as such
LIKELIEST = 3
_REASONS = {"undecided": "the interval includes 0", "not testable": "too few trials on one side"}


def advice(results: Results) -> Markup:
    """The section, or nothing where no pattern and no rule can be tested."""
    parts = []
    for score in explained(results):
        maximize = next((o.direction == "maximize" for o in results.objectives if o.name == score), True)
        found = fragment(_patterns(patterns(results, score), score, maximize), _rules(results, score, maximize))
        if found:
            parts.append(fragment(titled(results, score), found))
    return section("rules", "Rules found", parts, unexplained(results), _reading()) if parts else fragment()


# ---------------------------------------------------------------- what these trials show of themselves


def _patterns(tested: list[Pattern], score: str, maximize: bool) -> Markup:
    if not tested:
        return fragment()
    found = [pattern for pattern in tested if pattern.found]
    shown = tested[: max(min(len(found), SHOWN), LIKELIEST)]
    scale = effect_scale([pattern.effect for pattern in shown])

    def verdict(pattern: Pattern) -> str:
        better = (pattern.effect.value > 0) == maximize
        return ("better" if better else "worse") if pattern.found else "may be chance"

    columns = [
        Column[Pattern]("Pattern", lambda p: row_head(p.title, element("small", p.test)), right=False),
        Column[Pattern]("With / without", lambda p: numeric(" / ".join(map(str, p.effect.n))), title="trials"),
        *gap_columns(score, scale, "Effect", "effect", lambda p: p.effect),
        Column[Pattern](
            "p, adjusted", lambda p: numeric(chance(p.p), class_="clear" if p.found else "unclear"),
            title="Holm, over all patterns that were tested",
        ),
        _verdict(verdict),
    ]  # fmt: skip
    return columned(_said(tested, found, score), columns, shown, class_="effects")


def _verdict(verdict: Callable[[T], str]) -> Column[T]:
    """What these trials say, and why they say no more where that needs a word."""

    def cell(row: T) -> Markup:
        said = verdict(row)
        reason = element("small", _REASONS[said]) if said in _REASONS else None
        return text_cell(element("strong", said), reason, class_="verdict")

    return Column("In these trials", cell, right=False)


def _said(tested: list[Pattern], found: list[Pattern], score: str) -> str:
    """What came of the search for patterns, for the table's caption."""
    name = words(score).label
    looked = f"{plural(len(tested), 'pattern')} of placement looked at for their effect on {name}"
    if not found:
        return f"{looked}: none stands out from chance once their number is counted in; these come nearest."
    more = f", the {SHOWN} surest below" if len(found) > SHOWN else ""
    return f"{looked}: {len(found)} {'stands' if len(found) == 1 else 'stand'} out from chance{more}."


def chance(p: float) -> str:
    """A p-value in two figures.

    >>> chance(0.0004), chance(0.0312), chance(0.4)
    ('< 0.001', '0.031', '0.40')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


# ---------------------------------------------------------------- what the paper says


def _rules(results: Results, score: str, maximize: bool) -> Markup:
    """The paper's advice, tested on these trials."""
    found = rules(results, score)
    if not found:
        return fragment()

    def group(head: str, place: int) -> Column[Rule]:
        def cell(rule: Rule) -> Markup:
            each = rule.groups[place]
            return numeric(number(score, each.value, extra=1), plural(each.n, "trial"))

        return Column(head, cell)

    columns = [
        Column[Rule]("Advice", lambda rule: row_head(rule.title, element("small", rule.test)), right=False),
        group("Where followed", 0),
        group("Where reversed", 1),
        *gap_columns(
            score, effect_scale([rule.effect for rule in found]), "Difference", "difference", lambda rule: rule.effect
        ),
        _verdict(lambda rule: rule.verdict(maximize=maximize)),
    ]
    caption = (
        f"Each rule splits the complete trials into those that follow it and those that do the reverse; "
        f"mean {words(score).label} of both."
    )
    several = len(explained(results)) > 1
    title = f"The paper’s advice in your data{f': {words(score).label}' if several else ''}"
    return fragment(element("h4" if several else "h3", title), columned(caption, columns, found, class_="effects"))


def _reading() -> Markup:
    return note(
        f"Patterns with at least {FEWEST} complete trials on either side: each decision, the look of each stage, and "
        "pairs of decisions beyond what each does alone. The p-values are adjusted for the number of patterns (Holm): "
        "where placement does nothing, even one pattern stands out in no more than 5 % of searches. The sampler chose "
        "the trials, so a rule is a lead to follow with networks trained for it, not a law."
    )
