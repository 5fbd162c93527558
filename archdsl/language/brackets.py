"""What is checked before parsing: size and characters of the text, and brackets that open, close and nest sanely."""

from __future__ import annotations

import re

from archdsl.errors import Diagnostic, Span, SpecError

MAX_CHARACTERS = 100_000
MAX_WORD = 200
MAX_NESTING = 64

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_INTERESTING = re.compile(r'"[^"\n]*"|#[^\n]*|[()\[\]{}]|\n' + f"|[A-Za-z0-9_]{{{MAX_WORD + 1},}}")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def check_text(text: str, path: str = "<text>") -> None:
    """Refuse text that is too long, binary or empty, and brackets that do not match.

    A bracket that is never closed confuses a parser far from its place; found here, the error stands at the bracket.

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
    if found := _bracket_mistake(text):
        raise SpecError([found], text, path)


def _at_start(message: str, help: str, path: str) -> SpecError:
    return SpecError([Diagnostic(message, None, help)], "", path)


def _bracket_mistake(text: str) -> Diagnostic | None:
    opened: list[tuple[str, Span]] = []
    line, line_start = 1, 0
    for match in _INTERESTING.finditer(text):
        character = match.group()
        if character == "\n":
            line, line_start = line + 1, match.end()
            continue
        if character[0] in '#"':
            continue
        column = match.start() - line_start + 1
        span = Span(line, column, line, column + len(character))
        if len(character) > MAX_WORD:
            return Diagnostic(f"a word of {len(character):,} characters", span, f"words have at most {MAX_WORD}")
        if character in _CLOSING:
            opened.append((character, span))
            if len(opened) > MAX_NESTING:
                return Diagnostic(
                    f"brackets nested more than {MAX_NESTING} deep", span, "name the inner part with 'let' and use it"
                )
        elif not opened:
            return Diagnostic(f"'{character}' closes nothing", span, "remove it, or open a bracket before it")
        else:
            opening, where = opened.pop()
            if _CLOSING[opening] != character:
                return Diagnostic(
                    f"'{character}' where '{opening}' of line {where.line}, column {where.column} is still open",
                    span,
                    f"close it with '{_CLOSING[opening]}' first",
                )
    if opened:
        opening, where = opened[-1]
        return Diagnostic(f"'{opening}' is never closed", where, f"add the missing '{_CLOSING[opening]}'")
    return None
