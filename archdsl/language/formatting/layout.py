"""Lays out the pieces of a statement, each of which knows how it looks on one line and on several."""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from archdsl.language.formatting.page import Gap, Page

WIDTH = 100
INDENT = 2
DEEP = 40  # columns; arguments of a longer head do not continue below the first one

# Every piece has a `flat`, its text on one line, which is None where comments do not allow that, and a `lead`, the
# columns up to the first place where a line can end.


@dataclass(slots=True)
class Word:
    """Text that is never broken."""

    flat: str

    @property
    def lead(self) -> int:
        """See above."""
        return len(self.flat)

    def spread(self, page: Page, indent: int, tail: int) -> None:
        """Write it, too long as it is."""
        page.text(self.flat)


@dataclass(slots=True)
class Sequence:
    """Blocks, or the parts of a condition: one space between them, or a line end."""

    items: list[tuple[Gap, Piece]]
    end: Gap = field(default_factory=Gap)
    flat: str | None = field(init=False)

    def __post_init__(self) -> None:
        texts = [None if gap.comments else item.flat for gap, item in self.items]
        self.flat = None if self.end.comments else _joined(" ", texts)

    def spread(self, page: Page, hang: int) -> None:
        """Write it over several lines, all but the first `hang` columns in."""
        alone = False
        for number, (gap, item) in enumerate(self.items):
            gap.write(page, hang)
            length = WIDTH if item.flat is None else len(item.flat)
            stays = page.column + 1 + length <= WIDTH
            if number:
                stays = stays and not gap.newline and not alone
            elif hang + length > WIDTH:
                stays = True  # a line end before it would be no help
            if not stays:
                page.newline(hang)
            elif not page.fresh:
                page.text(" ")
            lines = len(page.lines)
            write(item, page, page.indent)
            alone = len(page.lines) > lines
        self.end.write(page, hang)


@dataclass(slots=True)
class Bracket:
    """`[ … ]` or `( … )` around blocks."""

    opening: str
    body: Sequence
    closing: str
    flat: str | None = field(init=False)
    lead: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self.flat = _joined("", [self.opening, self.body.flat, self.closing])

    def spread(self, page: Page, indent: int, tail: int) -> None:
        """Each bracket at the end or start of a line, the blocks in between further in."""
        page.text(self.opening)
        if self.body.items and not self.body.items[0][0].comments:
            page.newline(indent + INDENT)
        self.body.spread(page, indent + INDENT)
        page.newline(indent)
        page.text(self.closing)


@dataclass(slots=True)
class Choice:
    """`{ … | … }` around blocks."""

    options: list[Sequence]
    flat: str | None = field(init=False)
    lead: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self.flat = _joined("", ["{", _joined("|", [option.flat for option in self.options]), "}"])

    def spread(self, page: Page, indent: int, tail: int) -> None:
        """Each alternative on a line of its own, begun by its bar."""
        page.text("{")
        for number, option in enumerate(self.options):
            if number:
                page.newline(indent + INDENT)
                page.text("|")
            elif option.items and not option.items[0][0].comments:
                page.newline(indent + INDENT)
            if option.flat is not None and page.column + 1 + len(option.flat) <= WIDTH:
                page.text(" " + option.flat if option.flat else "")
            else:
                option.spread(page, indent + (2 * INDENT if number else INDENT))
        page.newline(indent)
        page.text("}")


@dataclass(slots=True)
class Arguments:
    """`( … , … )`."""

    parts: list[tuple[Gap, str]]
    end: Gap = field(default_factory=Gap)
    flat: str | None = field(init=False)
    lead: ClassVar[int] = 1

    def __post_init__(self) -> None:
        commented = self.end.comments or any(gap.comments for gap, _ in self.parts)
        self.flat = None if commented else f"({', '.join(text for _, text in self.parts)})"

    def spread(self, page: Page, indent: int, tail: int) -> None:
        """One a line when there are comments, else filled, below the first one if that is not too far in."""
        page.text("(")
        if self.flat is None:
            for number, (gap, text) in enumerate(self.parts):
                gap.write(page, indent + INDENT)
                page.newline(indent + INDENT)
                page.text(text if number == len(self.parts) - 1 else f"{text},")
            self.end.write(page, indent + INDENT)
            page.newline(indent)
        else:
            hang = page.column if page.column <= DEEP else indent + 2 * INDENT
            self._fill(page, hang, tail)
        page.text(")")

    def _fill(self, page: Page, hang: int, tail: int) -> None:
        for number, (_, text) in enumerate(self.parts):
            last = number == len(self.parts) - 1
            text = text if last else f"{text},"
            if page.column + (number > 0) + len(text) + (1 + tail if last else 0) <= WIDTH:
                page.text(f" {text}" if number else text)
            elif number or hang < page.column:
                page.newline(hang)
                page.text(text)
            else:
                page.text(text)


@dataclass(slots=True)
class Row:
    """Pieces that touch each other; `together` when all brackets break as soon as one has to."""

    pieces: list[Piece]
    together: bool = False
    flat: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.flat = _joined("", [piece.flat for piece in self.pieces])

    @property
    def lead(self) -> int:
        """See above."""
        return _lead(self.pieces)

    def spread(self, page: Page, indent: int, tail: int) -> None:
        """Each piece on one line if it fits, with what touches it."""
        for number, piece in enumerate(self.pieces):
            behind = self.pieces[number + 1 :]
            reach = _lead(behind) + (tail if all(isinstance(p, Word) for p in behind) else 0)
            if self.together and isinstance(piece, Bracket) and piece.flat != "()":
                piece.spread(page, indent, reach)
            else:
                write(piece, page, indent, reach)


Piece: TypeAlias = Word | Bracket | Choice | Arguments | Row


def write(piece: Piece, page: Page, indent: int, tail: int = 0) -> None:
    """Write a piece on one line if it fits.

    Args:
        piece: what to write.
        page: where.
        indent: how far in the line begins on which the piece (or what it touches) begins.
        tail: columns that what touches its end takes.
    """
    if piece.flat is not None and page.column + len(piece.flat) + tail <= WIDTH:
        page.text(piece.flat)
    else:
        piece.spread(page, indent, tail)


def _joined(between: str, texts: Several[str | None]) -> str | None:
    """Texts in a row, None if one of them is."""
    found = [text for text in texts if text is not None]
    return between.join(found) if len(found) == len(texts) else None


def _lead(pieces: Several[Piece]) -> int:
    found = 0
    for piece in pieces:
        found += piece.lead
        if not isinstance(piece, Word):
            break
    return found
