"""Tells what is being written around the cursor: which call, which of its arguments, in which statement."""

from __future__ import annotations

from dataclasses import dataclass

from archdsl.editor.known import Argument
from archdsl.editor.names import Names
from archdsl.editor.scanner import Scan, Token, parts


@dataclass(frozen=True)
class Context:
    """The cursor's surroundings: the text before the word it stands in, as a scan, and the names of the whole text."""

    before: Scan
    names: Names
    line: str

    @property
    def last(self) -> Token | None:
        """The token before the word."""
        return self.before.tokens[-1] if self.before.tokens else None

    @property
    def statement(self) -> int:
        """The number of the statement the cursor stands in."""
        return len(self.before.statements) - 1


def positional(here: Context, call: Token) -> tuple[str, ...]:
    """The names of the arguments of a call that need no name, in order."""
    if call.role == "block":
        info = here.names.block(call.text)
        return info.positional if info else ()
    return ("width",) if call.text == "stage" else ()


def written(here: Context, call: Token) -> list[tuple[str | None, Token]]:
    """The arguments begun between the parentheses of a call: name (None for a position) and first token."""
    tokens = here.before.tokens
    index = next((i for i, token in enumerate(tokens) if token is call), len(tokens))
    return [(part[0].text if part[0].role == "argument" else None, part[0]) for part in parts(tokens[index + 2 :])]


def current(here: Context, call: Token) -> Argument | None:
    """The argument whose value the cursor stands in."""
    given = written(here, call)
    if not given:
        return None
    name = given[-1][0]
    if name is None:
        places, index = positional(here, call), sum(n is None for n, _ in given) - 1
        name = places[index] if index < len(places) else ""
    return next((a for a in here.names.takes(call) if a.name == name), None)


def parameter(here: Context) -> str:
    """The parameter whose default the cursor stands in."""
    return next((token.text for token in reversed(here.before.tokens) if token.role == "parameter"), "")
