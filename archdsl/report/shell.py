"""A title and what stands on the page in; one HTML text that stands alone out: style and script inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from archdsl.report.markup import Markup, element, raw

Part = tuple[str, str, Markup]  # anchor, its name in the navigation, and the section, empty where there is none


@dataclass(frozen=True)
class Live:
    """What a page has that follows something which still runs.

    Attributes:
        bar: stands above all else.
        facts: attributes of the body, for the script.
    """

    bar: Markup
    facts: Mapping[str, Any]


def document(title: str, description: str, front: Markup, parts: Sequence[Part], live: Live | None = None) -> str:
    """The whole document; nothing in it is fetched from anywhere.

    Args:
        title: of the window.
        description: one sentence, for whoever lists the page.
        front: what stands above the navigation.
        parts: the sections.
        live: for a page that asks its server for what is new.
    """
    scripts = ("page.js",) if live is None else ("page.js", "live.js")
    links = [element("a", name, href=f"#{anchor}") for anchor, name, part in parts if part]
    body = element(
        "body",
        None if live is None else live.bar,
        front,
        element("nav", links, aria_label="sections"),
        element("main", [part for _, _, part in parts]),
        element("div", id="tip", aria_hidden="true", hidden=True),
        [element("script", raw(asset(name))) for name in scripts],
        **({} if live is None else live.facts),
    )
    head = _head(title, description, _policy(scripts, asks=live is not None))
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


def _policy(scripts: Sequence[str], *, asks: bool) -> str:
    """Nothing from outside, and no script but ours, whatever a name or a spec may contain."""
    digests = (hashlib.sha256(asset(name).encode()).digest() for name in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    server = "; connect-src 'self'" if asks else ""
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes}; base-uri 'none'{server}"


def asset(name: str) -> str:
    """A file of the page's, as text."""
    return resources.files("archdsl.report").joinpath(name).read_text(encoding="utf-8")
