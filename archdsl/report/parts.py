"""Makes the recurring pieces of the page: sections, figures with captions and keys, and tables from columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from archdsl.report.markup import Attribute, Child, Markup, element, fragment

T = TypeVar("T")


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table.

    Attributes:
        head: its heading.
        cell: a row's cell in it, a `td` or `th` element; `numeric`, `row_head` and `text_cell` make some.
        right: whether its heading stands on the right, above numbers.
        title: what pointing at the heading says.
    """

    head: Child
    cell: Callable[[T], Markup]
    right: bool = True
    title: str | None = None


def section(anchor: str, title: str, *children: Child) -> Markup:
    """A part of the page under its heading."""
    return element("section", element("h2", title, id=anchor), *children, aria_labelledby=anchor)


def figure(caption: Child, *body: Child, numbers: Child = None, class_: str | None = None) -> Markup:
    """A drawing with the sentence that says how to read it, and its numbers as a table to unfold."""
    table = element("details", element("summary", "As a table"), numbers, class_="numbers") if numbers else None
    return element(
        "figure", element("div", *body, class_="scroll"), element("figcaption", caption), table, class_=class_
    )


def keys(entries: Iterable[tuple[str, str]]) -> Markup:
    """What the colours of a figure mean: a class of the style sheet, and its name."""
    swatches = [element("li", element("span", class_=f"swatch {class_}"), f" {name}") for class_, name in entries]
    return element("ul", swatches, class_="keys")


def columned(
    caption: str, columns: Sequence[Column[T] | None], rows: Iterable[T], *, class_: str | None = None,
    above: Markup | None = None, attributes: Callable[[T], dict[str, Attribute]] = lambda _row: {},
) -> Markup:  # fmt: skip
    """A table with a row for each of `rows`; columns that are None are left out, `above` stands over the headings."""
    shown = [column for column in columns if column is not None]
    heads = [head_cell(c.head, class_="num" if c.right else None, title=c.title) for c in shown]
    body = [element("tr", [column.cell(row) for column in shown], **attributes(row)) for row in rows]
    return table(caption, [*([above] if above else []), element("tr", heads)], body, class_=class_)


def table(caption: str, head: Iterable[Markup], rows: Iterable[Markup], *, class_: str | None = None) -> Markup:
    """A table that scrolls sideways in a narrow window; `head` and `rows` are `tr` elements."""
    inner = element("table", element("caption", caption), element("thead", head), element("tbody", rows), class_=class_)
    return element("div", inner, class_="scroll", tabindex=0, role="group", aria_label=caption)


def plain_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]]) -> Markup:
    """A table of numbers whose first column names the rows."""
    first, *others = heads
    columns = [Column[Sequence[Child]](first, lambda row: row_head(row[0]), right=False)]
    columns += [
        Column(name, lambda row, i=i: numeric(row[i]))  # type: ignore[misc]
        for i, name in enumerate(others, 1)
    ]
    return columned(caption, columns, rows, class_="plain")


def head_cell(*children: Child, class_: str | None = None, **attributes: Attribute) -> Markup:
    """A heading of a column."""
    return element("th", *children, scope="col", class_=class_, **attributes)


def row_head(*children: Child, class_: str | None = None) -> Markup:
    """The heading of a row."""
    return element("th", *children, scope="row", class_=class_)


def text_cell(*children: Child, class_: str | None = None, title: str | None = None) -> Markup:
    """A cell of text."""
    return element("td", *children, class_=class_, title=title)


def numeric(value: Child, under: str = "", *, class_: str = "", title: str | None = None) -> Markup:
    """A right-aligned number, with its spread or interval in small print below."""
    small = element("small", under) if under else None
    return text_cell(value, small, class_=f"num {class_}".strip(), title=title)


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
