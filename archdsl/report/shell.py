"""Writes an HTML page that stands alone, with style and script inside; nothing is fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from archdsl.report.markup import Markup, element, raw

Part = tuple[str, str, Markup]  # anchor, its name in the navigation, and the section, empty where there is none
SCRIPT = "page.js"


def document(title: str, description: str, front: Markup, parts: Sequence[Part]) -> str:
    """The whole document; nothing in it is fetched from anywhere.

    Args:
        title: of the window.
        description: one sentence, for whoever lists the page.
        front: what stands above the navigation.
        parts: the sections.
    """
    links = [element("a", name, href=f"#{anchor}") for anchor, name, part in parts if part]
    body = element(
        "body",
        front,
        element("nav", links, aria_label="sections"),
        element("main", [part for _, _, part in parts]),
        element("div", id="tip", aria_hidden="true", hidden=True),
        element("script", raw(asset(SCRIPT))),
    )
    head = _head(title, description, _policy())
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _head(title: str, description: str, policy: str) -> Markup:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="description", content=description),
        element("title", title),
        element("style", raw(asset("style.css"))),
    )


def _policy() -> str:
    """Nothing from outside, and no script but ours, whatever a name or a spec may contain."""
    digest = base64.b64encode(hashlib.sha256(asset(SCRIPT).encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    )


def asset(name: str) -> str:
    """A file of the page's, as text."""
    return resources.files("archdsl.report").joinpath(name).read_text(encoding="utf-8")
