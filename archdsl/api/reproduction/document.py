"""Writes a page of prose, tables and pictures twice: as HTML that stands alone, as Markdown with pictures beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.base import pictures
from archdsl.base.files import write_atomically
from archdsl.drawing import sheet
from archdsl.drawing.members import look
from archdsl.language import parse
from archdsl.report import parts
from archdsl.report.drawn import STYLE, drawing
from archdsl.report.markup import Markup, element, raw
from archdsl.report.shell import asset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ON_WHITE: dict[str, Any] = {**STYLE, "figure.facecolor": "white", "savefig.facecolor": "white"}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'"


@dataclass(frozen=True)
class Plot:
    """A figure.

    Attributes:
        name: of its file.
        title, caption: what it shows, and how to read it.
        size: inches.
        draw: into a matplotlib figure.
    """

    name: str
    title: str
    caption: str
    size: tuple[float, float]
    draw: Callable[[Figure], None]


class Page:
    """A page that is written piece by piece.

    Args:
        title: of the page.
        below: a line of Markdown below it.
    """

    def __init__(self, title: str, below: str) -> None:
        self._title = title
        self._html: list[Markup] = []
        self._markdown = [f"# {title}", below]
        self._pictures: dict[str, bytes | str] = {}

    def heading(self, text: str) -> None:
        """The title of a part."""
        self._add(element("h2", text, class_="part"), f"## {text}")

    def lead(self, text: str) -> None:
        """What came out, in a sentence."""
        self._add(element("p", text, class_="headline"), f"**{_safe(text)}**")

    def prose(self, text: str) -> None:
        """A paragraph."""
        self._add(element("p", text, class_="prose"), _safe(text))

    def table(self, caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows of texts; the first cell of each is its heading."""
        cells = element("tr", [parts.head_cell(cell) for cell in head])
        body = [element("tr", parts.row_head(row[0]), [element("td", cell) for cell in row[1:]]) for row in rows]
        lines = [f"| {' | '.join(map(_safe, row))} |" for row in (head, ("---",) * len(head), *rows)]
        self._add(
            parts.table(caption, [cells], body, class_=f"columns{len(head)}"),
            "\n".join([f"**{_safe(caption)}**\n", *lines]),
        )

    def plot(self, plot: Plot) -> None:
        """A figure: in the page's colours, light or dark, and beside the Markdown on white."""
        with pictures.settings(_ON_WHITE, plot.name):
            figure = pictures.blank(plot.size)
            plot.draw(figure)
            content = pictures.content(figure, "svg", dpi=figure.dpi, style=_ON_WHITE, salt=plot.name)
        self._pictures[f"{plot.name}.svg"] = content
        title = _safe(plot.title)
        self._add(
            parts.figure(f"{plot.title}. {plot.caption}", drawing(plot.size, plot.draw, plot.title, salt=plot.name)),
            f"![{title}]({plot.name}.svg)\n\n**{title}.** {_safe(plot.caption)}",
        )

    def drawings(self, caption: str, networks: Sequence[tuple[str, str, str]]) -> None:
        """Networks (name, title, spec) side by side, on white where the page is dark: their colours are made for it."""
        from archdsl.drawing.save import svg

        cards, shown = [], []
        for name, title, spec in networks:
            text, label = svg(sheet(look(parse(spec)))), f"The blocks of {title}"
            self._pictures[f"{name}.svg"] = text
            inner = raw(pictures.inline(text, label, name, 'style="max-width:100%;height:auto"'))
            cards.append(element("div", inner, class_="card"))
            shown.append(f"![{_safe(label)}]({name}.svg)")
        self._add(parts.figure(caption, element("div", cards, class_="cards")), "\n\n".join([*shown, _safe(caption)]))

    def write(self, folder: Path) -> None:
        """Write `report.html`, `index.md` and its pictures.

        Raises:
            RunError: the folder cannot be written.
        """
        write_atomically(folder / "report.html", self._document())
        for name, content in self._pictures.items():
            write_atomically(folder / name, content)
        write_atomically(folder / "index.md", "\n\n".join(self._markdown) + "\n")

    def _add(self, html: Markup, markdown: str) -> None:
        self._html.append(html)
        self._markdown.append(markdown)

    def _document(self) -> str:
        """The page with style and drawings inside, light or dark as the reader's system is; it fetches nothing."""
        style = resources.files("archdsl.api.reproduction").joinpath("page.css").read_text(encoding="utf-8")
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", f"{self._title}: archdsl"),
            element("style", raw(f"{asset('style.css')}\n{style}")),
        )
        body = element("body", element("header", element("h1", self._title)), element("main", self._html))
        return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _safe(text: str) -> str:
    """Text that means nothing to Markdown."""
    for mark in ("\\", "|", "*", "_", "<", "["):
        text = text.replace(mark, f"\\{mark}")
    return text
