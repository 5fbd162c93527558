"""Holds the columns that the tables of trials and of finalists share: layout, recipe, counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archdsl.report.layout import plain, strip
from archdsl.report.parts import Column, numeric, row_head, text_cell
from archdsl.report.wording import settings, short
from archdsl.study.results import Network

NUMBER = Column[Any]("Trial", lambda trial: row_head(trial.number, class_="num"))
LAYOUT = Column[Any]("Layout", lambda network: text_cell(plain(network.layout), class_="code"), right=False)
COUNTS = (
    Column[Any]("Params", lambda network: numeric(short(network.params))),
    Column[Any]("MACs", lambda network: numeric(short(network.macs))),
)


def drawn_layout(colours: Mapping[str, str]) -> Column[Any]:
    """The layout as coloured blocks."""
    return Column("Layout", lambda network: text_cell(strip(network.layout, colours)), right=False)


def recipe(networks: Iterable[Network], class_: str | None = None) -> Column[Any] | None:
    """What the search decided of the recipes, where it did."""
    if not any(network.tuned for network in networks):
        return None
    return Column("Recipe", lambda network: text_cell(settings(network.tuned), class_=class_), right=False)
