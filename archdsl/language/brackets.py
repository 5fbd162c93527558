"""Checks a text before it is parsed: its size and characters, and brackets that open, close and nest sanely."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archdsl.base.errors import Diagnostic, Span, SpecError
from archdsl.language.statements import STATEMENT_START

MAX_CHARACTERS = 100_000
MAX_WORD = 200
MAX_NESTING = 64
MAX_WORDS = 25_000

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_INTERESTING = re.compile(r'"[^"\n]*"|#[^\n]*|[()\[\]{}]' + f"|[A-Za-z0-9_]{{{MAX_WORD + 1},}}")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_COMMENT = re.compile(r"#[^\n]*")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def check_text(text: str, path: str = "<text>") -> None:
    """Refuse text that is too long, binary, empty, or nested too deep to parse.

    Raises:
        SpecError: with the place and the remedy.
    """
    if len(text) > MAX_CHARACTERS:
        raise _at_start(f"a file of {len(text):,} characters", f"a spec has at most {MAX_CHARACTERS:,}", path)
    if bad := _FORBIDDEN.search(text):
        line, column = text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start())
        message = f"not a text file: a control character, {bad.group()!r}, in line {line}, column {column}"
        raise _at_start(message, "a spec is plain UTF-8 text", path)
    if not text.strip():
        raise _at_start("the file is empty", "the smallest model is: stage[C C C M]", path)
    words = sum(1 for _ in _TOKEN.finditer(_COMMENT.sub("", text)))
    if words > MAX_WORDS:
        raise _at_start(f"a file of {words:,} words and marks", f"a spec has at most {MAX_WORDS:,}", path)
    depth = 0
    for match in _INTERESTING.finditer(text):
        character, position = match.group(), match.start()
        if character in _CLOSING:
            depth += 1
            if depth > MAX_NESTING:
                help = "name the inner part with 'let' and use it"
                message = f"brackets nested more than {MAX_NESTING} deep"
                raise SpecError([Diagnostic(message, _span(text, position), help)], text, path)
        elif character in _CLOSING.values():
            depth = max(0, depth - 1)
        elif character[0] not in '#"':
            message, place = f"a word of {len(character):,} characters", _span(text, position, len(character))
            raise SpecError([Diagnostic(message, place, f"words have at most {MAX_WORD}")], text, path)


def _at_start(message: str, help: str, path: str) -> SpecError:
    return SpecError([Diagnostic(message, None, help)], "", path)


def bracket_mistakes(text: str) -> Iterator[tuple[int, Diagnostic]]:
    """Brackets that do not match, at most one in every statement, with their positions in the text.

    A bracket that is never closed confuses a parser far from its place; found here, the error stands at the bracket.
    """
    starts = [*(match.start(1) for match in STATEMENT_START.finditer(text)), len(text)]
    begin = 0
    for end in starts:
        # No statement begins inside of another's brackets.
        if (mistake := _first_mistake(text, begin, end)) is not None:
            yield mistake
        begin = end


def _first_mistake(text: str, begin: int, end: int) -> tuple[int, Diagnostic] | None:
    opened: list[tuple[str, int]] = []
    for match in _INTERESTING.finditer(text, begin, end):
        character, position = match.group(), match.start()
        if character[0] in '#"':
            continue
        if character in _CLOSING:
            opened.append((character, position))
        elif not opened:
            help = "remove it, or open a bracket before it"
            return position, Diagnostic(f"'{character}' closes nothing", _span(text, position), help)
        else:
            opening, where = opened.pop()
            if _CLOSING[opening] != character:
                place = _span(text, where)
                message = f"'{character}' where '{opening}' of line {place.line}, column {place.column} is still open"
                return position, Diagnostic(
                    message, _span(text, position), f"close it with '{_CLOSING[opening]}' first"
                )
    if opened:
        opening, where = opened[-1]
        help = f"add the missing '{_CLOSING[opening]}'"
        return where, Diagnostic(f"'{opening}' is never closed", _span(text, where), help)
    return None


def _span(text: str, position: int, length: int = 1) -> Span:
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    return Span(line, column, line, column + length)
