"""Results to one HTML page that stands alone: style, script and drawings inside, and nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from archdsl.report.headline import headline
from archdsl.report.layout import palette
from archdsl.report.markup import Markup, element, raw
from archdsl.report.results import Results
from archdsl.report.sections.advice import advice
from archdsl.report.sections.correlation import correlation
from archdsl.report.sections.finalists import finalists
from archdsl.report.sections.front import front
from archdsl.report.sections.placement import placement
from archdsl.report.sections.progress import progress
from archdsl.report.sections.ranking import ranking
from archdsl.report.sections.reproduction import every_trial, reproduction
from archdsl.report.sections.spectra import spectra


def page(results: Results) -> str:
    """The whole document."""
    colours = palette(results)
    parts = [
        ("finalists", "Baselines", finalists(results, colours)),
        ("ranking", "Networks", ranking(results, colours)),
        ("progress", "Progress", progress(results)),
        ("placement", "Placement", placement(results)),
        ("rules", "Rules", advice(results)),
        ("spectra", "Spectra", spectra(results)),
        ("correlation", "Scores", correlation(results)),
        ("reproduction", "Reproduction", reproduction(results)),
        ("trials", "Trials", every_trial(results)),
    ]
    links = [element("a", title, href=f"#{anchor}") for anchor, title, part in parts if part]
    body = element(
        "body",
        front(results, colours),
        element("nav", links, aria_label="sections"),
        element("main", [part for _, _, part in parts]),
        element("div", id="tip", aria_hidden="true", hidden=True),
        element("script", raw(_asset("page.js"))),
    )
    return f"<!doctype html>\n{element('html', _head(results), body, lang='en')}\n"


def _head(results: Results) -> Markup:
    name = results.spec.name or "search"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy()),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="description", content=str(headline(results))),
        element("title", f"{name}: archdsl search"),
        element("style", raw(_asset("style.css"))),
    )


def _policy() -> str:
    """Nothing from outside, and no script but ours, whatever a name or a spec may contain."""
    digest = base64.b64encode(hashlib.sha256(_asset("page.js").encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    )


def _asset(name: str) -> str:
    return resources.files("archdsl.report").joinpath(name).read_text(encoding="utf-8")
