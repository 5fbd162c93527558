"""Writes the page of a rerun: HTML that stands alone, and Markdown with figures beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from archdsl.api.reproduction.content import Drawing, Drawings, Heading, Lead, Paragraph, Piece, Table, content
from archdsl.api.reproduction.figures import Plot
from archdsl.base import pictures
from archdsl.base.files import write_atomically
from archdsl.drawing.page import inline as picture_inline
from archdsl.language import parse
from archdsl.report import parts
from archdsl.report.drawn import STYLE, drawing
from archdsl.report.markup import Markup, element, raw
from archdsl.report.shell import asset

TITLE = "The paper, rerun"
_BESIDE = "The same on [one page that needs nothing else](report.html); [all numbers](results.json)."
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


def write_pages(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write `report.html`, `index.md` and its SVG files.

    Raises:
        RunError: the folder cannot be written.
    """
    pieces = content(results)
    written = [write_atomically(folder / "report.html", html(pieces))]
    for piece in pieces:
        if isinstance(piece, Plot):
            written.append(write_atomically(folder / f"{piece.name}.svg", standalone(piece)))
        elif isinstance(piece, Drawings):
            written += [write_atomically(folder / f"{each.name}.svg", _picture(each)) for each in piece.drawings]
    written.append(write_atomically(folder / "index.md", markdown(pieces)))
    return written


# ---------------------------------------------------------------- HTML


def html(pieces: Iterable[Piece]) -> str:
    """The page with style and drawings inside, light or dark as the reader's system is; it fetches nothing."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'",
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{TITLE}: archdsl"),
        element("style", raw(asset("style.css") + _STYLE)),
    )
    front = element("header", element("h1", TITLE))
    body = element("body", front, element("main", [_html(piece) for piece in pieces]))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _html(piece: Piece) -> Markup:
    match piece:
        case Heading(text):
            return element("h2", text, class_="part")
        case Lead(text):
            return element("p", text, class_="headline")
        case Paragraph(text):
            return element("p", text, class_="prose")
        case Table(caption, head, rows):
            cells = [parts.head_cell(cell) for cell in head]
            body = [element("tr", parts.row_head(row[0]), [element("td", cell) for cell in row[1:]]) for row in rows]
            return parts.table(caption, [element("tr", cells)], body, class_=f"columns{len(head)}")
        case Drawings(title, drawings):
            return parts.figure(title, element("div", map(_card, drawings), class_="cards"))
        case Plot():
            drawn = drawing(piece.size, piece.draw, piece.title, salt=piece.name)
            return parts.figure(f"{piece.title}. {piece.caption}", drawn)


def _card(drawing: Drawing) -> Markup:
    """A picture on white, also where the page is dark: its colours are made for that."""
    picture = picture_inline(_picture(drawing), f"The blocks of {drawing.title}", drawing.name)
    return element("div", raw(picture), class_="card")


# ---------------------------------------------------------------- Markdown


def markdown(pieces: Iterable[Piece]) -> str:
    """The page for the documentation site, and for any reader of Markdown."""
    return "\n\n".join([f"# {TITLE}", _BESIDE, *(_markdown(piece) for piece in pieces)]) + "\n"


def _markdown(piece: Piece) -> str:
    match piece:
        case Heading(text):
            return f"## {text}"
        case Lead(text):
            return f"**{_safe(text)}**"
        case Paragraph(text):
            return _safe(text)
        case Table(caption, head, rows):
            lines = [head, ("---",) * len(head), *rows]
            return "\n".join([f"**{_safe(caption)}**\n", *(f"| {' | '.join(map(_safe, row))} |" for row in lines)])
        case Drawings(title, drawings):
            pictures = [f"![The blocks of {_safe(each.title)}]({each.name}.svg)" for each in drawings]
            return "\n\n".join([*pictures, _safe(title)])
        case Plot():
            title = _safe(piece.title)
            return f"![{title}]({piece.name}.svg)\n\n**{title}.** {_safe(piece.caption)}"


def _safe(text: str) -> str:
    """Text that means nothing to Markdown."""
    for mark in ("\\", "|", "*", "_", "<", "["):
        text = text.replace(mark, f"\\{mark}")
    return text


# ---------------------------------------------------------------- files


def standalone(plot: Plot) -> bytes:
    """A figure as an SVG file on white, the same bytes on every run."""
    style = {**STYLE, "figure.facecolor": "white", "savefig.facecolor": "white"}
    with pictures.settings(style, plot.name):
        figure = pictures.blank(plot.size)
        plot.draw(figure)
        return pictures.content(figure, "svg", dpi=figure.dpi, style=style, salt=plot.name)


def _picture(piece: Drawing) -> str:
    from archdsl.drawing import sheet
    from archdsl.drawing.members import look
    from archdsl.drawing.save import svg

    return svg(sheet(look(parse(piece.spec))))
