"""Parses a text that changes as `archdsl.language` does, but only those statements anew that have changed."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from typing import Any

from archdsl.base.errors import Span, SpecError
from archdsl.language import syntax
from archdsl.language.brackets import check_text
from archdsl.language.parser import Reading, read
from archdsl.language.statements import STATEMENT_START

_NOTHING = re.compile(r"(?:\s|#[^\n]*)*\Z")
_CHARACTER = re.compile(r"[^\n]")
Statements = tuple[syntax.Statement, ...]


def read_again(text: str) -> Reading:
    """What `read` gives for a text; statements that stood in an earlier one are remembered.

    Raises:
        SpecError: it is no text to read at all.
    """
    check_text(text)
    starts = [0, *(match.start(1) for match in STATEMENT_START.finditer(text)), len(text)]
    if not _NOTHING.match(text[: starts[1]]):
        return read(text)
    found: list[Statements | None] = [()]
    line = text.count("\n", 0, starts[1])
    for start, end in itertools.pairwise(starts[1:]):
        column = start - text.rfind("\n", 0, start) - 1
        found.append(_placed(" " * column + text[start:end], line))
        line += text.count("\n", start, end)
    if None not in found:
        return Reading(tuple(statement for statements in found for statement in statements or ()))
    # A mistake can show in the next statement, or speak of the one before: only what is farther away is left out.
    kept = {near for index, part in enumerate(found) if part is None for near in (index - 1, index, index + 1)}
    pieces = [text[start:end] for start, end in itertools.pairwise(starts)]
    rest = "".join(piece if i in kept or i == 0 else _CHARACTER.sub(" ", piece) for i, piece in enumerate(pieces))
    reading = read(rest)
    if not reading.statements and len(reading.mistakes) > 0 and reading.lost == rest:
        return read(text)  # too broken to be read in parts
    known = [statement for i, part in enumerate(found) if i not in kept for statement in part or ()]
    statements = sorted((*known, *reading.statements), key=lambda s: (s.span.line, s.span.column))
    return Reading(tuple(statements), reading.mistakes, reading.lost)


@functools.lru_cache(maxsize=4096)
def _placed(piece: str, lines: int) -> Statements | None:
    """The statements of a piece so many lines down; None when it is mistaken."""
    found = _read(piece)
    return found if found is None or not lines else _moved(found, lines)


@functools.lru_cache(maxsize=4096)
def _read(piece: str) -> Statements | None:
    try:
        reading = read(piece)
    except SpecError:
        return None
    return None if reading.mistakes else reading.statements


def _moved(part: Any, lines: int) -> Any:
    """A piece of the tree so many lines down."""
    if isinstance(part, Span):
        return Span(part.line + lines, part.column, part.end_line + lines, part.end_column)
    if isinstance(part, tuple):
        return tuple([_moved(inner, lines) for inner in part])
    kind: Any = type(part)
    names = _fields(kind)
    return kind(*[_moved(getattr(part, name), lines) for name in names]) if names else part


@functools.cache
def _fields(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls)) if dataclasses.is_dataclass(cls) else ()
