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
from archdsl.report.wording import number


def page(results: Results, *, live: bool = False) -> str:
    """The whole document; a live one asks its server for what is new."""
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
        _live() if live else None,
        front(results, colours, live=live),
        element("nav", links, aria_label="sections"),
        element("main", [part for _, _, part in parts]),
        element("div", id="tip", aria_hidden="true", hidden=True),
        [element("script", raw(asset(name))) for name in _scripts(live)],
        data_best=_best(results) if live else None,
        data_finished=live and results.finished,
    )
    return f"<!doctype html>\n{element('html', _head(results, live), body, lang='en')}\n"


def _scripts(live: bool) -> tuple[str, ...]:
    return ("page.js", "live.js") if live else ("page.js",)


def _live() -> Markup:
    """The bar of a live page: what is new is said here, and the changes can be held."""
    button = element("button", "Pause", type="button", id="live-pause", hidden=True)
    return element(
        "div", element("span", "Following the search.", id="live-state", role="status"), button, class_="live"
    )


def _best(results: Results) -> str:
    leader, score = next(iter(results.ranking()), None), results.primary.name
    return "" if leader is None else f"trial {leader.number}, {number(score, leader.score(score), unit=True, extra=1)}"


def _head(results: Results, live: bool) -> Markup:
    name = results.spec.name or "search"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(live)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="description", content=str(headline(results))),
        element("title", f"{name}: archdsl search"),
        element("style", raw(asset("style.css"))),
    )


def _policy(live: bool) -> str:
    """Nothing from outside, and no script but ours, whatever a name or a spec may contain."""
    digests = (hashlib.sha256(asset(name).encode()).digest() for name in _scripts(live))
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    asks = "; connect-src 'self'" if live else ""
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {scripts}; base-uri 'none'{asks}"


def asset(name: str) -> str:
    """A file of the page's, as text."""
    return resources.files("archdsl.report").joinpath(name).read_text(encoding="utf-8")
