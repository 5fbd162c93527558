"""Translates places: offsets, the language's lines and columns, and an editor's, which counts code units."""

from __future__ import annotations

import bisect
import re
from typing import NamedTuple

from archdsl.base.errors import Span

# What ends a line for an editor; for the language only a line feed does, so the two meet in offsets.
_LINE_END = re.compile(r"\r\n|\n|\r")


class Stretch(NamedTuple):
    """Part of a text from offset `start` up to `end`, exclusive; counted in characters."""

    start: int
    end: int


class Position(NamedTuple):
    """A place as the protocol says it: line and code unit, both from 0."""

    line: int
    character: int


class Lines:
    """The lines of a text, and what the places in it are called on either side.

    Args:
        text: the whole text.
        encoding: what an editor counts on a line: `utf-8`, `utf-16` or `utf-32` code units.
    """

    def __init__(self, text: str, encoding: str = "utf-16") -> None:
        self.text = text
        self.encoding = encoding
        self.plain = text.isascii()  # then every character is one unit in every encoding
        self.starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
        self.feeds = [0, *(i + 1 for i, character in enumerate(text) if character == "\n")]

    def position(self, offset: int) -> Position:
        """Where an editor sees an offset.

        >>> Lines("a\\n😀b").position(3), Lines("a\\n😀b", "utf-8").position(3)
        (Position(line=1, character=2), Position(line=1, character=4))
        """
        offset = max(0, min(offset, len(self.text)))
        line = bisect.bisect_right(self.starts, offset) - 1
        before = self.text[self.starts[line] : offset]
        return Position(line, len(before) if self.plain else self._units(before))

    def offset(self, line: int, character: int) -> int:
        """The offset of an editor's place; one beyond the end of a line or of the text is its end.

        >>> Lines("a\\n😀b").offset(1, 2), Lines("ab").offset(7, 0)
        (3, 2)
        """
        if line >= len(self.starts):
            return len(self.text)
        start = self.starts[line]
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        content = self.text[start:end].rstrip("\r\n")
        if self.plain:
            return start + min(character, len(content))
        for index, letter in enumerate(content):
            if character <= 0:
                return start + index
            character -= self._units(letter)
        return start + len(content)

    def offset_of(self, line: int, column: int) -> int:
        """The offset of a line and column as the language counts them, from 1."""
        if line > len(self.feeds):
            return len(self.text)
        return min(self.feeds[max(line, 1) - 1] + max(column, 1) - 1, len(self.text))

    def stretch(self, span: Span | None) -> Stretch:
        """What a span covers; the first line for a mistake that stands nowhere."""
        if span is None:
            first = _LINE_END.search(self.text)
            return Stretch(0, first.start() if first else len(self.text))
        start = self.offset_of(span.line, span.column)
        return Stretch(start, max(start, self.offset_of(span.end_line, span.end_column)))

    def _units(self, text: str) -> int:
        if self.encoding == "utf-16":
            return len(text) + sum(ord(character) > 0xFFFF for character in text)
        return len(text.encode("utf-8", "surrogatepass")) if self.encoding == "utf-8" else len(text)
