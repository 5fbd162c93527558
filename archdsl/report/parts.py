"""The recurring pieces of the page: sections, figures with captions, tables with captions and aligned cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archdsl.report.markup import Attribute, Child, Markup, element, fragment


def section(anchor: str, title: str, *children: Child) -> Markup:
    """A part of the page under its heading."""
    return element("section", element("h2", title, id=anchor), *children, aria_labelledby=anchor)


def figure(caption: Child, *body: Child, numbers: Child = None, class_: str | None = None) -> Markup:
    """A drawing with the sentence that says how to read it, and its numbers as a table to unfold."""
    table = element("details", element("summary", "As a table"), numbers, class_="numbers") if numbers else None
    return element(
        "figure", element("div", *body, class_="scroll"), element("figcaption", caption), table, class_=class_
    )


def table(caption: str, head: Iterable[Markup], rows: Iterable[Markup], *, class_: str | None = None) -> Markup:
    """A table that scrolls sideways in a narrow window; `head` and `rows` are `tr` elements."""
    inner = element("table", element("caption", caption), element("thead", head), element("tbody", rows), class_=class_)
    return element("div", inner, class_="scroll", tabindex=0, role="group", aria_label=caption)


def plain_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Child]]) -> Markup:
    """A table of numbers whose first column names the rows."""
    head = element("tr", [head_cell(name, class_="num" if i else None) for i, name in enumerate(columns)])
    body = [element("tr", row_head(first), [numeric(value) for value in rest]) for first, *rest in rows]
    return table(caption, [head], body, class_="plain")


def head_cell(*children: Child, class_: str | None = None, **attributes: Attribute) -> Markup:
    """A heading of a column."""
    return element("th", *children, scope="col", class_=class_, **attributes)


def row_head(*children: Child, class_: str | None = None) -> Markup:
    """The heading of a row."""
    return element("th", *children, scope="row", class_=class_)


def numeric(value: Child, under: str = "", *, class_: str = "", title: str | None = None) -> Markup:
    """A right-aligned number, with its spread or interval in small print below."""
    small = element("small", under) if under else None
    return element("td", value, small, class_=f"num {class_}".strip(), title=title)


def facts(pairs: Sequence[tuple[str, Child]], *, class_: str = "facts") -> Markup:
    """Names and values, as a description list."""
    rows = [
        element("div", element("dt", name), element("dd", value)) for name, value in pairs if value not in ("", None)
    ]
    return element("dl", rows, class_=class_)


def note(*children: Child) -> Markup:
    """Small print under a figure or table."""
    return element("p", *children, class_="note")


def copyable(text: str, label: str) -> Markup:
    """Text to be taken away; the button appears where scripts run."""
    button = element("button", "Copy", type="button", class_="copy", hidden=True, aria_label=f"copy {label}")
    return element("div", button, element("pre", text, tabindex=0, aria_label=label), class_="copyable")


def every_trial_link() -> Markup:
    """Where a chart of trials says its numbers can be read."""
    return fragment(" ", element("a", "Every trial as a table.", href="#trials"))
