"""Writes the page of a search: its sections in their order, in one HTML text that stands alone."""

from __future__ import annotations

from archdsl.report.headline import headline
from archdsl.report.layout import palette
from archdsl.report.sections.advice import advice
from archdsl.report.sections.correlation import correlation
from archdsl.report.sections.finalists import finalists
from archdsl.report.sections.front import front
from archdsl.report.sections.placement import placement
from archdsl.report.sections.progress import progress
from archdsl.report.sections.ranking import ranking
from archdsl.report.sections.reproduction import every_trial, reproduction
from archdsl.report.sections.spectra import spectra
from archdsl.report.shell import document
from archdsl.study.results import Results


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
    title = f"{results.spec.name or 'search'}: archdsl search"
    return document(title, str(headline(results)), front(results, colours), parts)
