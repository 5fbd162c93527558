"""Makes pages of headings, prose, tables and pictures: HTML that stands alone, and Markdown with pictures beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from archdsl.base import pictures
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
_STYLE = """
h2.part { margin-top: 3.5rem; border-top: 1px solid var(--rule); padding-top: 1.5rem; }
.prose { max-width: 52em; margin-top: 0.8rem; }
main table { margin-top: 1.6rem; } main table + table { margin-top: 2.4rem; }
main caption { font-size: 1rem; font-weight: 650; color: var(--ink); }
main figure { margin-top: 2.4rem; }
table.columns4 { table-layout: fixed; min-width: 46rem; }
.columns4 th:nth-child(1) { width: 33%; } .columns4 th:nth-child(2) { width: 11%; }
.columns4 th:nth-child(4) { width: 20%; }
.columns4 td:nth-child(2) { font-weight: 650; }
.cards { display: flex; flex-wrap: wrap; gap: 1rem; align-items: start; }
.card { --ink: #1c1d1f; background: #fff; color: #1c1d1f; border-radius: 6px; padding: 8px; }
.card { flex: 1 1 20rem; min-width: 0; }
"""


class Piece(Protocol):
    """A part of a page."""

    def html(self) -> Markup:
        """On the page that stands alone."""

    def markdown(self) -> str:
        """On the page for the documentation site, and for any reader of Markdown."""

    def files(self) -> dict[str, bytes]:
        """Pictures that lie beside the Markdown, by the names of their files."""


@dataclass(frozen=True)
class Text:
    """A heading or prose.

    Attributes:
        text: what it says.
        tag, class_: its HTML element.
        mark: what Markdown writes around it.
    """

    text: str
    tag: str = "p"
    class_: str = "prose"
    mark: str = "{}"

    def html(self) -> Markup:
        """The element."""
        return element(self.tag, self.text, class_=self.class_)

    def markdown(self) -> str:
        """A paragraph."""
        return self.mark.format(_safe(self.text))

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}


def heading(text: str) -> Text:
    """The title of a part."""
    return Text(text, "h2", "part", "## {}")


def lead(text: str) -> Text:
    """What came out, in a sentence."""
    return Text(text, "p", "headline", "**{}**")


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first cell of each is its heading."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def html(self) -> Markup:
        """A table that scrolls by itself."""
        cells = element("tr", [parts.head_cell(cell) for cell in self.head])
        body = [element("tr", parts.row_head(row[0]), [element("td", cell) for cell in row[1:]]) for row in self.rows]
        return parts.table(self.caption, [cells], body, class_=f"columns{len(self.head)}")

    def markdown(self) -> str:
        """The same with bars."""
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return "\n".join([f"**{_safe(self.caption)}**\n", *(f"| {' | '.join(map(_safe, row))} |" for row in lines)])

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}


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

    def html(self) -> Markup:
        """In the page's colours, light or dark."""
        drawn = drawing(self.size, self.draw, self.title, salt=self.name)
        return parts.figure(f"{self.title}. {self.caption}", drawn)

    def markdown(self) -> str:
        """The picture that lies beside the page, with its caption."""
        title = _safe(self.title)
        return f"![{title}]({self.name}.svg)\n\n**{title}.** {_safe(self.caption)}"

    def files(self) -> dict[str, bytes]:
        """An SVG file on white, the same bytes on every run."""
        with pictures.settings(_ON_WHITE, self.name):
            figure = pictures.blank(self.size)
            self.draw(figure)
            return {
                f"{self.name}.svg": pictures.content(figure, "svg", dpi=figure.dpi, style=_ON_WHITE, salt=self.name)
            }


@dataclass(frozen=True)
class Drawings:
    """Pictures of networks side by side under one caption; a network is its name, its title and its text."""

    caption: str
    networks: Sequence[tuple[str, str, str]]

    def html(self) -> Markup:
        """Pictures on white, also where the page is dark: their colours are made for that."""
        cards = []
        for (name, title, _), svg in zip(self.networks, self.files().values(), strict=True):
            inner = pictures.inline(svg.decode(), _label(title), name, 'style="max-width:100%;height:auto"')
            cards.append(element("div", raw(inner), class_="card"))
        return parts.figure(self.caption, element("div", cards, class_="cards"))

    def markdown(self) -> str:
        """The pictures that lie beside the page."""
        shown = [f"![{_safe(_label(title))}]({name}.svg)" for name, title, _ in self.networks]
        return "\n\n".join([*shown, _safe(self.caption)])

    def files(self) -> dict[str, bytes]:
        """An SVG file each."""
        from archdsl.drawing.save import svg

        return {f"{name}.svg": svg(sheet(look(parse(spec)))).encode() for name, _, spec in self.networks}


def _label(title: str) -> str:
    return f"The blocks of {title}"


def html(title: str, pieces: Sequence[Piece]) -> str:
    """The page with style and drawings inside, light or dark as the reader's system is; it fetches nothing."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title}: archdsl"),
        element("style", raw(asset("style.css") + _STYLE)),
    )
    main = element("main", [piece.html() for piece in pieces])
    body = element("body", element("header", element("h1", title)), main)
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def markdown(title: str, below: str, pieces: Sequence[Piece]) -> str:
    """The page as Markdown, with a line below its title."""
    return "\n\n".join([f"# {title}", below, *(piece.markdown() for piece in pieces)]) + "\n"


def _safe(text: str) -> str:
    """Text that means nothing to Markdown."""
    for mark in ("\\", "|", "*", "_", "<", "["):
        text = text.replace(mark, f"\\{mark}")
    return text
