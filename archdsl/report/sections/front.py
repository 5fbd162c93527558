"""Makes the top of the page: what was searched, the headline, the layout found, and the facts in one row."""

from __future__ import annotations

import math

from archdsl.report.headline import SPREAD_RULE, headline, without_finals
from archdsl.report.layout import legend, strip
from archdsl.report.markup import Markup, element
from archdsl.report.parts import facts
from archdsl.report.wording import duration, plural
from archdsl.study.results import Results


def front(results: Results, colours: dict[str, str]) -> Markup:
    """The header of the page."""
    said, left_out = headline(results), without_finals(results)
    picture = None
    if said.layout:
        picture = element("div", strip(said.layout, colours), legend(colours, results.kinds), class_="found")
    comparison = element("p", said.comparison, class_="comparison", title=SPREAD_RULE) if said.comparison else None
    return element(
        "header",
        element("p", _overline(results), class_="overline"),
        element("h1", results.spec.name or "Search"),
        None if results.finished else _partial(results),
        element("p", left_out, class_="partial") if left_out else None,
        element("p", said.result, class_="headline"),
        comparison,
        picture,
        facts(_facts(results)),
    )


def _overline(results: Results) -> str:
    parts = ["archdsl search", results.data.name, results.started[:10]]
    return " · ".join(part for part in parts if part)


def _partial(results: Results) -> Markup:
    done = len(results.trials)
    trials = f"{done} of {results.budget} trials" if results.budget is not None else plural(done, "trial")
    text = f"Partial: the search has not finished ({trials} so far). Run its command again to go on."
    return element("p", text, class_="partial")


def _facts(results: Results) -> list[tuple[str, str]]:
    states = {state: len(results.in_state(state)) for state in ("complete", "stopped", "failed")}
    words = {"complete": "complete", "stopped": "stopped early", "failed": "failed"}
    detail = ", ".join(f"{count} {words[state]}" for state, count in states.items() if count)
    spec = results.spec
    size = "" if spec.size is None else plural(spec.size, "filling")
    if spec.feasible is not None and spec.feasible != spec.size:
        size += f", {spec.feasible:,} feasible" if size else f"{spec.feasible:,} feasible fillings"
    trials = f"{len(results.trials)}" + (f" ({detail})" if detail else "")
    return [
        ("Trials", trials),
        ("Space", size),
        ("Time", duration(results.seconds) if math.isfinite(results.seconds) else ""),
        ("Device", results.device),
        ("Sampler", results.sampler),
    ]
