"""Colours: the language by the terminals of its own grammar, and the notation the grammar is written in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pygments.lexer import Lexer, RegexLexer, bygroups
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Token, Whitespace

from archdsl.editor.terminals import patterns, words
from archdsl.language.statements import STATEMENTS
from archdsl.language.values import RESERVED, VARIABLES

_PLAIN = {"COMMENT": Comment.Single, "STRING": String, "SHAPE": Number, "SIZE": Number, "FLOAT": Number, "INT": Number}
_DEFINING = ("model", "let", "block")


class ArchLexer(Lexer):
    """`.arch` files."""

    name = "arch"
    aliases = ("arch",)
    filenames = ("*.arch",)

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Token, str]]:
        """Position, kind and text of every piece."""
        known = patterns()
        plain = "|".join(f"(?P<{name}>{known[name]})" for name in _PLAIN)
        pieces = re.compile(rf"{plain}|(?P<NAME>{known['NAME']})|(?P<hole>\.\.|[{{}}|])|(?P<space>\s+)|(?P<sign>.)")
        data = re.compile(rf"[ \t]+(?P<name>{known['DATA_NAME']})")
        before, depth, position = "", 0, 0
        while piece := pieces.match(text, position):
            kind, word, position = piece.lastgroup or "sign", piece.group(), piece.end()
            if kind == "NAME":
                yield piece.start(), _name(word, before, depth, text[position:]), word
                if word == "data" and depth == 0 and (named := data.match(text, position)):
                    yield position, String, named.group()
                    position = named.end()
            elif kind == "space":
                yield piece.start(), Whitespace, word
                continue
            else:
                depth += (word in "([{") - (word in ")]}")
                # Braces mark what the search decides; they are what the eye should find first.
                found = {"hole": Keyword.Type, "sign": Punctuation}.get(kind) or _PLAIN[kind]
                yield piece.start(), found, word
            before = word


def _name(word: str, before: str, depth: int, rest: str) -> Token:
    """What a name is, by what stands around it."""
    if before in _DEFINING and depth == 0:
        return Name.Class
    if depth > 0 and re.match(r" *=(?!=)", rest):
        return Name.Attribute
    if word in STATEMENTS and depth == 0:
        return Keyword
    if word in RESERVED:
        return Name.Builtin if word in VARIABLES else Name.Constant
    return Operator.Word if word in words() and word not in STATEMENTS else Name


class LarkLexer(RegexLexer):
    """Lark's notation for grammars."""

    name = "lark"
    aliases = ("lark",)
    filenames = ("*.lark",)
    tokens = {  # noqa: RUF012  (Pygments reads it from the class)
        "root": [
            (r"\s+", Whitespace),
            (r"//[^\n]*", Comment.Single),
            (r'"(\\.|[^"\\])*"', String),
            (r"/(?!\*)(\\.|[^/\\\n])+/[imslux]*", String.Regex),
            (r"(->)(\s*)(\w+)", bygroups(Punctuation, Whitespace, Name.Attribute)),
            (r"%\w+", Keyword),
            (r"[?!]?[a-z_]\w*(?=\s*(\.\d+)?\s*:)", Name.Class),
            (r"_?[A-Z]\w*(?=(\.\d+)?\s*:)", Name.Constant),
            (r"_?[A-Z]\w*", Name.Constant),
            (r"[a-z_]\w*", Name),
            (r"\.?\d+", Number),
            (r"[|:?*+()\[\]~.]", Punctuation),
        ]
    }
