"""Writes HTML and SVG elements; whatever is not `Markup` is escaped, so nothing slips through."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Iterable
from typing import TypeAlias

_VOID = frozenset({"br", "col", "hr", "meta"})  # HTML elements that have no end tag
_EMPTY = frozenset({"circle", "line", "path", "polygon", "polyline", "rect"})  # SVG shapes, closed where they open


class Markup(str):
    """Text that is HTML already; only `element`, `fragment` and `raw` make it."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Iterable[Child] | None"
Attribute: TypeAlias = "str | int | float | bool | None"


def clean(text: str) -> str:
    """Text that can be shown: control and direction-changing characters and lone surrogates become U+FFFD.

    Names and spec texts come from strangers; an escape sequence must not reach a terminal, nor an override a page.

    >>> clean("a\\x1b[31m\\u202eb")
    'a\ufffd[31m\ufffdb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if _hidden(c) else c for c in text)


def _hidden(character: str) -> bool:
    if character in "\n\t":
        return False
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cs") or (kind == "Cf" and unicodedata.bidirectional(character) != "BN")


def element(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """One element. `class_` and `for_` lose their underscore, other underscores become hyphens.

    None and False leave an attribute out, True writes it bare; floats are written with two decimals at most.

    >>> element("td", "a < b", class_="num", data_trial=3, hidden=False)
    '<td class="num" data-trial="3">a &lt; b</td>'
    """
    head = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    body = fragment(*children)
    if name in _EMPTY and not body:
        return Markup(f"<{name}{head}/>")
    return Markup(f"<{name}{head}>" if name in _VOID else f"<{name}{head}>{body}</{name}>")


def fragment(*children: Child) -> Markup:
    """Children side by side, without an element around them."""
    parts: list[str] = []
    _gather(children, parts)
    return Markup("".join(parts))


def raw(text: str) -> Markup:
    """Trusted text as it is: our own style sheet, script and drawings."""
    return Markup(text)


def _attribute(key: str, value: Attribute) -> str:
    if value is False or value is None:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(clean(_text(value)))}"'


def _gather(child: Child, parts: list[str]) -> None:
    if child is None:
        return
    if isinstance(child, Markup):
        parts.append(child)
    elif isinstance(child, str | int | float):
        parts.append(html.escape(clean(_text(child)), quote=False))
    else:
        for each in child:
            _gather(each, parts)


def _text(value: str | int | float) -> str:
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):  # a coordinate that is not a number would blank the whole drawing
        return "0"
    return f"{value:.2f}".rstrip("0").rstrip(".")
