"""Documents of a search to pages that were looked over: what holds for every page is asserted when one is made."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from report_results import results
from rich.console import Console

from archdsl import report

VOID = {"meta", "br", "col", "hr"}
NASTY = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\x1b[31m\u202e</title></style></pre>'


class Page(HTMLParser):
    """Every element with its attributes and the text; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def check(document: dict[str, Any]) -> Page:
    """Render, and see to what holds for every page."""
    text = report.render(document)
    page = Page(text)
    assert len(text.encode()) < 2_000_000
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert not page.all("link")
    for tag, attrs in page.elements:
        assert not any(name.startswith("on") for name in attrs), tag
        assert "src" not in attrs
        assert (attrs.get("href") or "#").startswith(("#", "data:image/png;base64,"))
    assert "url(" not in re.sub(r"url\(#", "", text.split("</style>", 1)[1])
    assert "@import" not in text
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {(attrs["href"] or "")[1:] for attrs in page.all("a")}
    assert targets <= set(ids)
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert svg["aria-label"]
    for attrs in (a for _, a in page.elements):
        for name in ("d", "cx", "cy", "x", "y", "x1", "x2", "y1", "y2", "points"):
            assert not re.search(r"nan|inf", attrs.get(name) or ""), (name, attrs)
    terminal(document)
    return page


def terminal(document: dict[str, Any], width: int = 160) -> str:
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as captured:
        console.print(report.summary(document))
    return captured.get()


def changed(change: Callable[[dict[str, Any]], object], **options: Any) -> dict[str, Any]:
    document = copy.deepcopy(results(**options))
    change(document)
    return document
