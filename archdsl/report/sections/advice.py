"""Results to rules of placement: the patterns that tell these networks apart, and the paper's advice, tested."""

from __future__ import annotations

from archdsl.report.chart import Scale
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import head_cell, note, numeric, row_head, section, table
from archdsl.report.patterns import FEWEST, Pattern, patterns
from archdsl.report.rules import Rule, rules
from archdsl.report.sections.differences import effect_scale, explained, gap_cells, ruler, titled, unexplained
from archdsl.report.wording import number, plural, words
from archdsl.study.results import Results

SHOWN = 8  # patterns; where fewer are found, the likeliest of the others are shown as such
LIKELIEST = 3


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
    head = element(
        "tr",
        head_cell("Pattern"),
        head_cell("With / without", class_="num", title="trials"),
        head_cell("Effect", class_="num"),
        head_cell(element("span", "effect with 95 % interval", class_="hidden"), ruler(score, scale)),
        head_cell("p, adjusted", class_="num", title="Holm, over all patterns that were tested"),
        head_cell("In these trials"),
    )
    rows = [_pattern(pattern, score, scale, maximize) for pattern in shown]
    return table(_said(tested, found, score), [head], rows, class_="effects")


def _said(tested: list[Pattern], found: list[Pattern], score: str) -> str:
    """What came of the search for patterns, for the table's caption."""
    name = words(score).label
    looked = f"{plural(len(tested), 'pattern')} of placement looked at for their effect on {name}"
    if not found:
        return f"{looked}: none stands out from chance once their number is counted in; these come nearest."
    more = f", the {SHOWN} surest below" if len(found) > SHOWN else ""
    return f"{looked}: {len(found)} {'stands' if len(found) == 1 else 'stand'} out from chance{more}."


def _pattern(pattern: Pattern, score: str, scale: Scale, maximize: bool) -> Markup:
    better = (pattern.effect.value > 0) == maximize
    verdict = ("better" if better else "worse") if pattern.found else "may be chance"
    return element(
        "tr",
        row_head(pattern.title, element("small", pattern.test)),
        numeric(" / ".join(map(str, pattern.effect.n))),
        gap_cells(score, pattern.effect, scale),
        numeric(chance(pattern.p), class_="clear" if pattern.found else "unclear"),
        element("td", element("strong", verdict), class_="verdict"),
    )


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
    scale = effect_scale([rule.effect for rule in found])
    head = element(
        "tr",
        head_cell("Advice"),
        head_cell("Where followed", class_="num"),
        head_cell("Where reversed", class_="num"),
        head_cell("Difference", class_="num"),
        head_cell(element("span", "difference with 95 % interval", class_="hidden"), ruler(score, scale)),
        head_cell("In these trials"),
    )
    rows = [_rule(rule, score, scale, maximize) for rule in found]
    caption = (
        f"Each rule splits the complete trials into those that follow it and those that do the reverse; "
        f"mean {words(score).label} of both."
    )
    several = len(explained(results)) > 1
    title = f"The paper’s advice in your data{f': {words(score).label}' if several else ''}"
    return fragment(element("h4" if several else "h3", title), table(caption, [head], rows, class_="effects"))


def _rule(rule: Rule, score: str, scale: Scale, maximize: bool) -> Markup:
    verdict = rule.verdict(maximize=maximize)
    reasons = {"undecided": "the interval includes 0", "not testable": "too few trials on one side"}
    return element(
        "tr",
        row_head(rule.title, element("small", rule.test)),
        [numeric(number(score, group.value, extra=1), plural(group.n, "trial")) for group in rule.groups],
        gap_cells(score, rule.effect, scale),
        element(
            "td",
            element("strong", verdict),
            element("small", reasons[verdict]) if verdict in reasons else None,
            class_="verdict",
        ),
    )


def _reading() -> Markup:
    return note(
        f"Patterns with at least {FEWEST} complete trials on either side: each decision, the look of each stage, and "
        "pairs of decisions beyond what each does alone. The p-values are adjusted for the number of patterns (Holm): "
        "where placement does nothing, even one pattern stands out in no more than 5 % of searches. The sampler chose "
        "the trials, so a rule is a lead to follow with networks trained for it, not a law."
    )
