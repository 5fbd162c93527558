"""Reads a text in whatever state into tokens, each with its role there and with what is open around it.

No parse is needed: a file is broken most of the time it is being written. The test of this module holds the roles
against the syntax tree of every spec that parses.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from archdsl.editor.positions import Stretch
from archdsl.editor.terminals import patterns
from archdsl.ir.measures import MEASURES
from archdsl.language.statements import STATEMENTS

Kind: TypeAlias = Literal["name", "number", "string", "sign"]

# What a place takes: blocks, a value, arguments of a call, parameters of a definition, a condition, arguments of a
# measure; `name` and `score` after keywords that want one; `either` after `let X =`, where the next token decides.
Mode: TypeAlias = Literal["items", "value", "arguments", "parameters", "condition", "measure", "name", "either", "none"]


_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


@dataclass(slots=True)
class Token:
    """A word, number, string or sign.

    Attributes:
        role: of a word: `keyword`, `word` (if, step, and …), `model`, `let`, `definition` (of a block), `parameter`,
            `block` (a call, or a let), `counted` (in `count(…)`), `argument`, `value`, `measure`, `score`, `data`.
        statement: the number of the statement it stands in, -1 before the first.
        call: the token of what is called around it, if it stands in arguments.
    """

    kind: Kind
    text: str
    start: int
    end: int
    role: str = ""
    statement: int = -1
    call: Token | None = None

    @property
    def stretch(self) -> Stretch:
        """Where it stands."""
        return Stretch(self.start, self.end)


@dataclass(slots=True)
class Frame:
    """An open bracket: what stands in it, and for arguments whose they are."""

    bracket: Token
    mode: Mode
    call: Token | None = None


@dataclass(slots=True)
class Statement:
    """A keyword and what follows it up to the next one."""

    keyword: Token
    name: Token | None = None
    tokens: list[Token] = field(default_factory=list)

    @property
    def stretch(self) -> Stretch:
        """From the keyword to the last token."""
        return Stretch(self.keyword.start, self.tokens[-1].end)


def _after(keyword: str) -> Mode:
    follows = STATEMENTS[keyword].follows
    return "none" if follows == "arguments" else follows  # which begin with their parenthesis


@functools.cache
def _lexer() -> re.Pattern[str]:
    known = patterns()
    number = "|".join(known[name] for name in ("SHAPE", "SIZE", "FLOAT", "INT"))
    return re.compile(
        rf"(?P<comment>{known['COMMENT']})|(?P<string>{known['STRING']}|\"[^\n]*)|(?P<number>{number})"
        rf"|(?P<name>{known['NAME']})|(?P<sign>{known['COMPARE']}|{known['SLASH']}|\.\.|\S)"
    )


def tokens(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, text, start and end of every token and comment."""
    lexer, data = _lexer(), re.compile(rf"\s*({patterns()['DATA_NAME']})")
    position, last = 0, ""
    while found := lexer.search(text, position):
        kind, word, (start, position) = found.lastgroup or "sign", found.group(), found.span()
        named = data.match(text, position) if kind == "name" and word == "data" and last != "data" else None
        if named and ("\n" not in text[position : named.start(1)] or named.group(1) not in STATEMENTS):
            # The name of a data set may hold signs: fashion-mnist, npz:digits.npz.
            yield kind, word, start, position
            kind, word, (start, position) = "name", named.group(1), named.span(1)
        last = word if kind != "comment" else last
        yield kind, word, start, position


def depth(token: Token) -> int:
    """How much deeper in brackets what follows a token stands."""
    return (token.text in _OPENING) - (token.text in _CLOSING)


def parts(tokens: Iterable[Token]) -> list[list[Token]]:
    """What commas separate between brackets, from behind the opening one up to what closes it, or the end."""
    found: list[list[Token]] = [[]]
    level = 0
    for token in tokens:
        level += depth(token)
        if level < 0:
            break
        if token.text == "," and level == 0:
            found.append([])
        else:
            found[-1].append(token)
    return [part for part in found if part]


class Scan:
    """One pass over a text.

    Attributes:
        tokens: comments left out.
        comments: where they stand.
        statements: in order.
        frames: the brackets still open at the end, outermost first.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = []
        self.comments: list[Stretch] = []
        self.statements: list[Statement] = []
        self.frames: list[Frame] = []
        self.outer: Mode = "none"  # what the statement takes outside of brackets
        self._test = False  # between `if` and what it holds
        for index, (kind, word, start, end) in enumerate(found := list(tokens(text))):
            if kind == "comment":
                self.comments.append(Stretch(start, end))
                continue
            token = Token(kind, word, start, end)  # type: ignore[arg-type]
            following = next((w for k, w, _, _ in found[index + 1 : index + 3] if k != "comment"), "")
            self._take(token, following)
            token.statement = len(self.statements) - 1
            self.tokens.append(token)
            if self.statements:
                self.statements[-1].tokens.append(token)

    @property
    def mode(self) -> Mode:
        """What can stand at the end of the text."""
        mode = self.frames[-1].mode if self.frames else self.outer
        if self._test or (mode == "items" and self.last == "*"):
            return "value"
        return mode

    @property
    def last(self) -> str:
        """The last token's text, empty at the start."""
        return self.tokens[-1].text if self.tokens else ""

    def _take(self, token: Token, following: str) -> None:
        if token.kind == "name" and self._begins_statement(token, following):
            self.frames.clear()
            self._test = False
            token.role = "keyword"
            self.statements.append(Statement(token))
            self.outer = _after(token.text)
        elif token.kind == "name":
            self._name(token, following)
        elif token.text in "([{":
            self._open(token)
        elif token.text in ")]}":
            if self.frames:
                self.frames.pop()
        elif token.text == "=" and not self.frames and self.statements:
            self.outer = {"let": "either", "block": "items"}.get(self.statements[-1].keyword.text, self.outer)  # type: ignore[assignment]
        elif self.mode == "either":
            self._settle("value" if token.kind == "number" or token.text in "+-" else "items")
        if token.kind == "string" and self.mode == "name" and self.last == "data":
            token.role = "data"
        if token.kind in ("number", "string"):
            token.call = self.frames[-1].call if self.frames else None

    def _begins_statement(self, token: Token, following: str) -> bool:
        if token.text not in STATEMENTS:
            return False
        line = self.text[self.text.rfind("\n", 0, token.start) + 1 : token.start]
        if self.frames or self._test:  # a bracket was forgotten, if a line begins with a statement
            return not line.strip() and following != "="
        wants_name = self.mode == "name" and self.tokens[-1].role == "keyword"
        return not (wants_name and "\n" not in self.text[self.tokens[-1].end : token.start])

    # ---- names ----

    def _name(self, token: Token, following: str) -> None:
        if self.mode == "either":
            self._settle("items")
        frame, mode = self.frames[-1] if self.frames else None, self.mode
        token.call = frame.call if frame else None
        if mode == "name":
            keyword = self.statements[-1].keyword.text
            token.role = STATEMENTS[keyword].naming
            self.statements[-1].name = token
            self.outer = "none"
        elif mode in ("arguments", "measure", "parameters") and frame is not None:
            token.role = self._in_call(mode, frame, following)
        elif mode == "condition":
            known = token.text in MEASURES or following == "("
            token.role = "word" if token.text in ("and", "or", "not") else "measure" if known else "value"
        elif mode == "items":
            token.role = "word" if token.text in ("if", "else") else "block"
            self._test = token.text == "if"
        elif mode == "value":
            in_hole = frame is not None and frame.bracket.text == "{"
            ended = bool(self.tokens) and (self.tokens[-1].kind != "sign" or self.last in ")}")
            token.role = "word" if in_hole and ended and token.text in ("step", "log") else "value"

    def _in_call(self, mode: Mode, frame: Frame, following: str) -> str:
        first = self.last in ("(", ",")
        if mode == "parameters":
            return "parameter" if first else "value"
        if first and following == "=":
            return "argument"
        return "counted" if mode == "measure" and self.tokens[-1] is frame.bracket else "value"

    # ---- brackets ----

    def _open(self, token: Token) -> None:
        last = self.tokens[-1] if self.tokens else None
        touches = last is not None and last.end == token.start and last.kind == "name"
        mode, call = self.mode, self.frames[-1].call if self.frames else None
        if self._test:
            # After an operand comes what the test decides about; after an operator a value in parentheses.
            operand = last is not None and last.role != "word" and (last.kind != "sign" or last.text in ")}")
            self._test = not (token.text == "(" and operand)
            mode, call = ("value" if self._test else "items"), None
            self.frames.append(Frame(token, mode, call))
            return
        keyword = last.text if last is not None and last.role == "keyword" else ""
        if token.text == "(" and keyword in ("stage", "defaults", "train"):
            mode, call = "arguments", last
        elif token.text == "(" and last is not None and last.role == "definition":
            mode, call = "parameters", last
        elif token.text == "(" and touches and last is not None and last.role in ("block", "measure"):
            mode, call = ("arguments" if last.role == "block" else "measure"), last
        elif token.text == "[":
            mode, call = "items", None
        elif mode in ("arguments", "parameters", "measure"):
            mode = "value"
        elif mode == "either" and token.text == "(":
            mode = "items"
            self._settle("items")
        elif mode == "items":
            call = None
        self.frames.append(Frame(token, mode, call))

    def _settle(self, mode: Mode) -> None:
        """Now it is known what a `let` names."""
        self.outer = mode
        for frame in self.frames:
            if frame.mode == "either":
                frame.mode = mode
