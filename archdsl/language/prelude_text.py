"""Cuts the text of the shipped prelude into its blocks and lets, by name; nothing is parsed here."""

from __future__ import annotations

import functools
import re

from archdsl.base import resources

PATH = "prelude.arch"
_LET = re.compile(r"^let +(\w+).*", re.M)
_BLOCK = re.compile(r"^block +([A-Za-z_]\w*)", re.M)


def names() -> tuple[str, ...]:
    """The blocks that the prelude defines."""
    return tuple(_blocks())


def letters() -> tuple[str, ...]:
    """The names of its lets: `C`, `M`, `T`."""
    return tuple(found.group(1) for found in _LET.finditer(_text()))


def block(name: str) -> str:
    """The text of a block with the comment above it; reading the whole prelude would cost every start."""
    return _blocks()[name]


def lets() -> str:
    """The text of all lets, each in its line."""
    return "\n".join(found.group() for found in _LET.finditer(_text()))


@functools.cache
def parameters(name: str) -> tuple[str, ...]:
    """What a block of the prelude takes."""
    signature = _BLOCK.split(_blocks()[name])[2].partition(")")[0].lstrip("(")
    return tuple(part.partition("=")[0].strip() for part in signature.split(",") if part.strip())


@functools.cache
def _text() -> str:
    return (resources.folder("grammars") / PATH).read_text(encoding="utf-8")


@functools.cache
def _blocks() -> dict[str, str]:
    pieces = re.split(r"\n\n+(?=#|block)", _text())
    return {found.group(1): piece for piece in pieces if (found := _BLOCK.search(piece))}
