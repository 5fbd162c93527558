"""Explains what Lark could not parse in the reader's words: a headline from the token, and what could stand there."""

from __future__ import annotations

import re

from lark import Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from archdsl import ir
from archdsl.base.errors import Diagnostic, Span, did_you_mean
from archdsl.blocks import BLOCKS
from archdsl.language import prelude_text
from archdsl.language.statements import STATEMENTS

_SHOWN = {
    "OPEN_CALL": "'('", "LPAR": "'('", "RPAR": "')'", "LSQB": "'['", "RSQB": "']'", "LBRACE": "'{'", "RBRACE": "'}'",
    "COMMA": "','", "EQUAL": "'='", "VBAR": "'|'", "TIMES": "'*'", "SLASH": "'/'", "SIGN": "'+' or '-'",
    "__ANON_0": "'..'", "NAME": "a name", "INT": "an integer", "FLOAT": "a number", "SIZE": "a number such as 2M",
    "SHAPE": "a shape such as 3x32x32", "COMPARE": "a comparison such as <=", "DATA_NAME": "a data set's name",
    "STRING": "a quoted text",
}  # fmt: skip

# Terminals that together have a name of their own, the larger sets first.
_TOGETHER: tuple[tuple[set[str], str], ...] = (
    (
        {"INT", "FLOAT", "SIZE", "SHAPE", "NAME", "STRING", "LPAR", "LBRACE", "SIGN"},
        "a value such as 64, relu or {2|4}",
    ),
    ({"INT", "FLOAT", "SIZE", "NAME", "LPAR", "SIGN", "NOT"}, "a condition such as params <= 2M"),
    ({"INT", "FLOAT", "SIZE", "NAME", "LPAR", "SIGN"}, "a measure or a number, such as params or 2M"),
    ({"INT", "SIZE", "NAME", "LPAR", "LBRACE"}, "a count such as 3 or {1..3}"),
    ({"TIMES", "SLASH", "SIGN"}, "arithmetic"),
    ({"INT", "FLOAT", "SIZE"}, "a number"),
    ({"NAME", "LPAR", "LBRACE"}, "blocks"),
)


def explain(error: UnexpectedInput, text: str) -> Diagnostic:
    """The diagnostic for a Lark error."""
    if isinstance(error, UnexpectedCharacters):
        return _odd_character(error, text)
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return _odd_token(error, text)
    return _end_of_file(error, text)


def _odd_character(error: UnexpectedCharacters, text: str) -> Diagnostic:
    position = error.pos_in_stream or 0
    character = text[position]
    span = Span(error.line, error.column, error.line, error.column + 1)
    help = {
        ";": "statements need no separator",
        "\\": "line ends mean nothing; no continuation mark is needed",
        '"': "a quote closes on the same line, and only paths and names of models are quoted",
        "'": "names are written without quotes",
        ".": "a number has digits on both sides of its point, as in 0.5; a range is {1..3}; a count is an integer; "
        "names with points are quoted",
        "/": "a comment starts with '#'",
    }.get(character)
    # Invisible ones, and those that turn the direction of writing, are told by their number.
    shown = f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"
    return Diagnostic(f"unexpected character {shown}", span, help)


def _odd_token(error: UnexpectedToken, text: str) -> Diagnostic:
    token, expected = error.token, _expected(error)
    span = Span(token.line or 1, token.column or 1, token.end_line or 1, token.end_column or 1)
    word = str(token)
    if found := _earlier_mistake(error, text[: token.start_pos or 0], expected):
        return found
    start = token.start_pos or 0
    if word[:1].isalpha() and text[start - 1 : start].isdigit():
        return Diagnostic(f"unexpected '{word}' right after a number", span, "numbers may end in K, M or G: 2M")
    follows = text[token.end_pos or 0 :].lstrip()[:1]
    if "STAGE" in expected and "NAME" not in expected and word.isidentifier():
        return Diagnostic(f"unknown statement '{word}'", span, _statement_help(word, follows))
    return Diagnostic(f"unexpected '{word}'", span, _token_help(token.type, word, expected))


def _earlier_mistake(error: UnexpectedToken, before: str, expected: set[str]) -> Diagnostic | None:
    """A mistake that shows one word later: a keyword taken for a name, a misspelt statement taken for a block."""
    kind = error.token.type
    line, start = before.count("\n") + 1, before.rfind("\n") + 1
    if (named := re.search(r"\b(model|data|maximize|minimize)\s+(\w+)\s*$", before)) and named[2] in STATEMENTS:
        line, start = before.count("\n", 0, named.start()) + 1, before.rfind("\n", 0, named.start()) + 1
        column = named.start() - start + 1
        return Diagnostic(f"'{named[1]}' needs a name", Span(line, column, line, column + len(named[1])))
    last = _last_token(error)
    if last is not None and last.type == "NAME" and last in STATEMENTS:
        span = Span(last.line or 1, last.column or 1, last.end_line or 1, last.end_column or 1)
        return Diagnostic(f"'{last}' begins a statement, but the one before it is not complete", span)
    if kind in ("INT", "FLOAT", "SIZE", "SHAPE", "STRING") and "NAME" in expected:
        word = before[start:].strip()
        if word.isidentifier() and word not in STATEMENTS and (help := did_you_mean(word, STATEMENTS)):
            column = before.index(word, start) - start + 1
            return Diagnostic(f"unknown statement '{word}'", Span(line, column, line, column + len(word)), help)
    return None


def _last_token(error: UnexpectedToken) -> Token | None:
    """The token before the one that fits nowhere, as it was read: a statement's word may have been taken for a name."""
    state = getattr(error.interactive_parser, "parser_state", None)
    read = state.value_stack[-1:] if state is not None else error.token_history or []
    last: object = read[-1] if read else None
    while isinstance(last, Tree):  # of a rule that stands for "any number of"
        last = last.children[-1] if last.children else None
    if isinstance(last, tuple):
        last = last[2]  # of a `Piece`
    return last if isinstance(last, Token) else None


def _statement_help(word: str, follows: str) -> str:
    if follows == "=":
        return f"a name is given with: let {word} = …"
    if word in (*BLOCKS, *prelude_text.names(), *prelude_text.letters(), *ir.STRUCTURES):
        return "blocks stand in a stage: stage(64)[C C M]"
    return did_you_mean(word, STATEMENTS) or f"statements are: {', '.join(STATEMENTS)}"


def _token_help(kind: str, word: str, expected: set[str]) -> str | None:
    """What to do about a token that fits no rule here; the cases go from the particular to the general."""
    at_statement, at_blocks = "STAGE" in expected, "NAME" in expected and "INT" not in expected
    if word.startswith("/") and not {"SLASH", "TIMES"} & expected:
        return "a comment starts with '#'"
    if kind == "VBAR":
        return "alternatives stand in braces: {C|M}"
    if kind == "STRING":
        return "names are written without quotes"
    if kind == "EQUAL" and "COMPARE" in expected:
        return "equality is written '=='"
    if kind == "EQUAL" and at_blocks and {"LPAR", "TIMES"} <= expected:
        return "arguments follow their block without a space, M(heads=6); a name for blocks is given with: let NAME = …"
    if at_statement and kind in ("LPAR", "OPEN_CALL"):
        return "arguments follow their block without a space: M(heads=6)"
    if kind == "TIMES" and at_blocks:
        return "'*' repeats the block, group or choice before it: C*3"
    if kind in ("TIMES", "SLASH", "SIGN") and at_blocks:
        return "no arithmetic among blocks; a let that names a number begins with one: let W = 2*width"
    if kind in ("INT", "FLOAT", "SIZE", "SHAPE") and at_blocks:
        return "a number stands in an argument, as in conv(64), or after '*', as in C*3"
    if re.fullmatch(r"\.\.", word) and at_blocks:
        return "a range holds integers: C*{1..3} or stage({192..256 step 32})"
    if {"COMMA", "RPAR"} <= expected:
        return "arguments are separated by ',' and end with ')'"
    if "LSQB" in expected and not at_statement:
        return "the blocks of a stage stand in brackets: stage(64)[C C M]"
    if at_statement and kind in ("LSQB", "LBRACE"):
        return "blocks stand in a stage: stage(64)[C C M]"
    return _list(expected)


def _end_of_file(error: UnexpectedInput, text: str) -> Diagnostic:
    lines = text.rstrip().split("\n")
    line, column = len(lines), len(lines[-1].rstrip()) + 1
    return Diagnostic("the file ends too early", Span(line, column, line, column + 1), _list(_expected(error)))


def _expected(error: UnexpectedInput) -> set[str]:
    """The terminals that could really follow; Lark's `expected` holds those of similar places too."""
    found = getattr(error, "accepts", None) or getattr(error, "expected", None) or ()
    return set(found) - {"$END"}


def _list(expected: set[str]) -> str | None:
    found: list[str] = []
    if "STAGE" in expected:
        found.append(f"a statement ({', '.join(STATEMENTS)})")
        expected = expected - {name.upper() for name in STATEMENTS} - {"GOAL"}
    for names, shown in _TOGETHER:
        if names <= expected:
            found.append(shown)
            expected = expected - names
    found += sorted({_SHOWN.get(name, f"'{name.lower()}'") for name in expected}, key=lambda s: (s[0] == "'", s))
    return f"here can stand: {', '.join(found)}" if found else None
