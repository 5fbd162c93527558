"""Results to one HTML page that stands alone: style, script and drawings inside, and nothing fetched from anywhere."""

from __future__ import annotations

from archdsl.report.headline import headline
from archdsl.report.layout import palette
from archdsl.report.markup import Markup, element
from archdsl.report.sections.advice import advice
from archdsl.report.sections.correlation import correlation
from archdsl.report.sections.finalists import finalists
from archdsl.report.sections.front import front
from archdsl.report.sections.placement import placement
from archdsl.report.sections.progress import progress
from archdsl.report.sections.ranking import ranking
from archdsl.report.sections.reproduction import every_trial, reproduction
from archdsl.report.sections.spectra import spectra
from archdsl.report.shell import Live, document
from archdsl.report.wording import number
from archdsl.study.results import Results


def page(results: Results, *, live: bool = False, tag: str = "") -> str:
    """The whole document; a live one asks its server for what is new since this one, which has this tag."""
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
    title = f"{results.spec.name or 'search'}: archdsl search"
    facts = {"data_best": _best(results), "data_finished": results.finished, "data_tag": tag}
    following = Live(_bar(), facts) if live else None
    return document(title, str(headline(results)), front(results, colours, live=live), parts, following)


def _bar() -> Markup:
    """The bar of a live page: what is new is said here, and the changes can be held."""
    button = element("button", "Pause", type="button", id="live-pause", hidden=True)
    return element(
        "div", element("span", "Following the search.", id="live-state", role="status"), button, class_="live"
    )


def _best(results: Results) -> str:
    leader, score = next(iter(results.ranking()), None), results.primary.name
    return "" if leader is None else f"trial {leader.number}, {number(score, leader.score(score), unit=True, extra=1)}"
