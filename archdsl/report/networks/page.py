"""Writes the page of measured networks: what they are, the findings in a table, every analysis's figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from archdsl.base.statistics import Interval
from archdsl.report.layout import compact, strip
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.networks.figures import COLUMNS_AT_MOST, figures, swatch
from archdsl.report.networks.findings import Row, rows
from archdsl.report.networks.measured import Estimate, Measured
from archdsl.report.networks.wording import TITLES
from archdsl.report.parts import facts, head_cell, note, numeric, row_head, section, table
from archdsl.report.shell import document
from archdsl.report.wording import MISSING, listing, number, plural, short, signed, words

INTERVALS = (
    "Brackets hold 95 % intervals: over the trainings where there are several seeds, else over the images measured, "
    "which says nothing about other trainings. Bold: the interval of the difference from the first network excludes 0."
)


def page(networks: Sequence[Measured], about: Mapping[str, str], notes: Sequence[str] = ()) -> str:
    """The document: one network's analyses, or several side by side.

    Args:
        networks: what was measured, the one that others are compared with first.
        about: facts of the measuring (data, seed, …), by name.
        notes: what a reader should know of how they came about.
    """
    names = listing([network.name for network in networks])
    title = f"{names}: archdsl {'compare' if len(networks) > 1 else 'analyze'}"
    found = rows(networks)
    have = dict.fromkeys(name for network in networks for name in network.results)
    present = [*(name for name in TITLES if name in have), *(name for name in have if name not in TITLES)]
    parts = [("findings", "Findings", section("findings", "Findings", _table(networks, found), note(INTERVALS)))]
    for name in present:
        shown = TITLES[name][0] if name in TITLES else name
        parts.append((name, shown, section(name, shown, figures(networks, name))))
    return document(title, _headline(networks), _front(networks, names, about, notes), parts)


def _front(networks: Sequence[Measured], names: str, about: Mapping[str, str], notes: Sequence[str]) -> Markup:
    count = "network" if len(networks) == 1 else f"{len(networks)} networks side by side"
    return element(
        "header",
        element("p", f"archdsl: {count}", class_="overline"),
        element("h1", names),
        element("p", _headline(networks), class_="headline"),
        [element("p", text, class_="partial") for text in notes],
        element("p", f"Figures show the first {COLUMNS_AT_MOST} networks.", class_="note")
        if len(networks) > COLUMNS_AT_MOST
        else None,
        facts([(name, text) for name, text in about.items() if text]),
    )


def _headline(networks: Sequence[Measured]) -> str:
    """How good each is and how large, in one sentence."""
    said = [f"{network.name} ({short(network.params)} parameters{_accuracy(network)})" for network in networks]
    return f"{listing(said)}."


def _accuracy(network: Measured) -> str:
    for score, split in (("test_accuracy", "test"), ("accuracy", "validation")):
        found = network.estimate(score)
        if found is not None:
            return f", {number('accuracy', found.value)} % right on the {split} split"
    return ""


def _table(networks: Sequence[Measured], found: Sequence[Row]) -> Markup:
    several = len(networks) > 1
    head = element(
        "tr",
        head_cell("Score"),
        [head_cell(swatch(i) if several else None, network.name, class_="num") for i, network in enumerate(networks)],
        head_cell("Better", class_="num"),
    )
    body = [
        element("tr", row_head("Layout"), [_layout(network) for network in networks], element("td")),
        element("tr", row_head("Parameters"), [numeric(short(n.params)) for n in networks], element("td")),
        element(
            "tr", row_head("MACs"), [numeric(MISSING if n.macs is None else short(n.macs)) for n in networks],
            element("td"),
        ),
    ]  # fmt: skip
    for group, members in groupby(found, key=lambda row: row.group):
        heading = element("th", group, scope="colgroup", colspan=len(networks) + 2, class_="group-name")
        body.append(element("tr", heading))
        body += [_row(row) for row in members]
    seeds = max(len(network.runs) for network in networks)
    caption = f"Measured on {'one training' if seeds == 1 else plural(seeds, 'training')} of each network."
    return table(caption, [head], body, class_="findings")


def _layout(network: Measured) -> Markup:
    """The blocks in their colours, counted where there are too many to be drawn in a cell."""
    labels = [label for stage in network.layout for label in stage]
    colours = {label: kind if kind in ("conv", "msa") else "other1" for label, kind in network.kinds.items()}
    shown = strip(network.layout, colours) if len(labels) <= 24 else compact(network.layout)
    return element("td", shown, class_="num")


def _row(row: Row) -> Markup:
    gaps: tuple[Interval | None, ...] = (None, *row.differences)
    better = {"maximize": "high", "minimize": "low", None: ""}[row.info.direction]
    cells = [_cell(row.score, estimate, gap) for estimate, gap in zip(row.estimates, gaps, strict=True)]
    unit = "" if row.info.unit in ("1", "fraction") else f", {row.info.unit}"
    named = fragment(element("span", row.score, class_="code"), element("small", f"{row.info.what}{unit}"))
    return element("tr", row_head(named), cells, numeric(better))


def _cell(score: str, estimate: Estimate | None, gap: Interval | None) -> Markup:
    if estimate is None:
        return numeric(MISSING)
    known = score.removeprefix("test_")
    found = estimate.interval
    under = f"[{_number(known, found.low)}, {_number(known, found.high)}]" if found.known else ""
    told = gap is not None and gap.excludes_zero
    title = None
    if gap is not None and math.isfinite(gap.value):
        ends = f" [{_number(known, gap.low)}, {_number(known, gap.high)}]" if gap.known else ""
        title = f"{signed(known, gap.value, extra=1)}{ends} against the first"
    return numeric(_number(known, estimate.value), under, class_="main" if told else "", title=title)


def _number(score: str, value: float) -> str:
    """As the search's report writes it, where that knows the score; else four figures."""
    style = words(score)
    if style.percent or score in ("nll",):
        return number(score, value, extra=1) + (" %" if style.percent else "")
    return f"{value:.3g}".replace("-", "−") if abs(value) < 1e4 else f"{value:.3e}"
