"""Parses a text by `grammars/arch.lark` into its syntax tree; what cannot be parsed becomes a `SpecError`."""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
from dataclasses import dataclass
from typing import Any

import lark
from lark.exceptions import UnexpectedInput

from archdsl.base.errors import Diagnostic, SpecError
from archdsl.language import syntax, tables
from archdsl.language.brackets import bracket_mistakes, check_text
from archdsl.language.statements import STATEMENT_START
from archdsl.language.syntax_errors import explain
from archdsl.language.tree import OddNumber, building

TOO_LONG_CHAIN = "a chain of operators is too long to read"
MAX_SYNTAX_MISTAKES = 20
MAX_DEPTH = 250  # of pieces in pieces
MAX_OPERATORS = 50  # up to which no text is deeper
_OPERATORS = re.compile(r"[-+*/]|\b(?:and|or|not)\b")
SHORT = 20_000  # characters; a longer text shows its first mistake only


@dataclass(frozen=True)
class Reading:
    """What could be read of a text.

    Attributes:
        statements: those that follow the grammar.
        mistakes: what does not.
        lost: the text of the statements that do not, in which names may be defined that others use.
    """

    statements: tuple[syntax.Statement, ...]
    mistakes: tuple[Diagnostic, ...] = ()
    lost: str = ""


def parse_syntax(text: str, path: str = "<text>") -> tuple[syntax.Statement, ...]:
    """The statements of a file.

    Raises:
        SpecError: the text does not follow the grammar; the error says where and what could stand there.
    """
    reading = read(text, path)
    if reading.mistakes:
        raise SpecError(reading.mistakes, text, path)
    return reading.statements


def read(text: str, path: str = "<text>") -> Reading:
    """The statements of a file that follow the grammar, and what is wrong with the others.

    Raises:
        SpecError: it is no text to read at all: too long, binary, empty, or nested too deep.
    """
    check_text(text, path)
    return _read(text) if len(text) <= SHORT else _read.__wrapped__(text)


@functools.lru_cache(maxsize=4)  # the same text is read to be checked, to be formatted, and to be explained
def _read(text: str) -> Reading:
    with contextlib.suppress(UnexpectedInput, OddNumber):
        return _readable(text, _statements(text))
    mistakes: list[Diagnostic] = []
    lost: list[str] = []
    rest = text
    # A bracket that is never closed confuses a parser far from its place; so brackets are looked at first.
    for position, mistake in itertools.islice(bracket_mistakes(text), MAX_SYNTAX_MISTAKES):
        mistakes.append(mistake)
        rest = _blank(rest, position, lost)
    while True:
        try:
            reading = _readable(text, _statements(rest))
        except UnexpectedInput as error:
            mistake = explain(error, rest)
            mistakes.append(mistake)
            rest = _blank(rest, _broken(error, mistake, rest), lost)
        except OddNumber as error:
            mistakes.append(error.diagnostic)
            rest = _blank(rest, error.position, lost)
        else:
            lost = [text] if reading.mistakes else lost
            return Reading(reading.statements, (*mistakes, *reading.mistakes), "\n".join(lost))
        if len(mistakes) >= MAX_SYNTAX_MISTAKES or len(text) > SHORT:
            return Reading((), tuple(mistakes), text)


def _statements(text: str) -> tuple[syntax.Statement, ...]:
    built: Any = _parser().parse(text)  # no tree, as Lark's types have it, but a `Piece`
    statements: tuple[syntax.Statement, ...] = built[0]
    return statements


def _readable(text: str, statements: tuple[syntax.Statement, ...]) -> Reading:
    """The statements, unless they nest deeper than they can be walked through."""
    # Brackets are counted beforehand; what is left are chains such as 1+1+1+… or C*2*2*2*….
    if len(_OPERATORS.findall(text)) > MAX_OPERATORS and syntax.depth(statements) > MAX_DEPTH:
        return Reading((), (Diagnostic(TOO_LONG_CHAIN, None, "name parts of it with 'let'"),), text)
    return Reading(statements)


def _broken(error: UnexpectedInput, mistake: Diagnostic, text: str) -> int:
    """A position in the statement that a mistake has broken."""
    token = getattr(error, "token", None)
    if mistake.span is None or (token is not None and token.type == "$END"):
        return len(text.rstrip())
    lines = text.split("\n")[: mistake.span.line - 1]
    position = sum(len(line) + 1 for line in lines) + mistake.span.column - 1
    # A word that may not stand at the beginning of a statement: the one before it is not complete.
    begins = position == error.pos_in_stream or mistake.message.endswith("is not complete")
    starts = {match.start(1) for match in STATEMENT_START.finditer(text)}
    return position - 1 if begins and position in starts else position


def _blank(text: str, position: int, lost: list[str]) -> str:
    """The text without the statement at a position; places in the rest stay what they are."""
    starts = [0, *(m.start(1) for m in STATEMENT_START.finditer(text)), len(text)]
    start = max(s for s in starts if s <= max(position, 0) and s < max(len(text), 1))
    end = min(s for s in starts if s > start)
    lost.append(text[start:end])
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def parse_tree(text: str, path: str = "<text>") -> str:
    """The parse tree as indented text, as the grammar names its parts (`archdsl show --emit tree`)."""
    parse_syntax(text, path)
    return str(tables.plain_parser().parse(text).pretty()).rstrip()


@functools.cache
def _parser() -> lark.Lark:
    return tables.parser(building())
