"""Finds the names a file defines: where each is defined and used, what a block name stands for and takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from archdsl.blocks.composites.kinds import Kind
from archdsl.editor import known
from archdsl.editor.known import Argument, BlockInfo
from archdsl.editor.meanings import ARGUMENTS
from archdsl.editor.scanner import Scan, Statement, Token, depth, parts
from archdsl.language import prelude


@dataclass(frozen=True)
class Definition:
    """A `let`, a `block`, or a parameter of one.

    Attributes:
        token: the name where it is defined.
        statement: the number of the statement that defines it.
    """

    kind: Literal["let", "block", "parameter"]
    token: Token
    statement: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.token.text


class Names:
    """The names of one text.

    Args:
        scan: of the text.
        classes: classes of its composite blocks, as far as they are known.
    """

    def __init__(self, scan: Scan, classes: Mapping[str, Kind] | None = None) -> None:
        self.scan = scan
        self.classes = classes or {}
        self.defined: dict[str, Definition] = {}
        self.parameters: dict[int, dict[str, Definition]] = {}
        for token in scan.tokens:
            if token.role in ("let", "definition"):
                kind: Literal["let", "block"] = "let" if token.role == "let" else "block"
                self.defined.setdefault(token.text, Definition(kind, token, token.statement))
            elif token.role == "parameter":
                inner = self.parameters.setdefault(token.statement, {})
                inner.setdefault(token.text, Definition("parameter", token, token.statement))

    # ---- where names lead ----

    def definition(self, token: Token) -> Definition | None:
        """What a word of the text refers to, if the text defines it."""
        own = self.parameters.get(token.statement, {}).get(token.text)
        outer = self.defined.get(token.text)
        match token.role:
            case "let" | "definition":
                return outer
            case "parameter":
                return own
            case "value":
                return own or (outer if outer and outer.kind == "let" else None)
            case "block":
                return outer or own
            case "counted":
                return outer
            case "argument" if token.call is not None and token.call.role == "block":
                called = self.called(token.call.text)
                return None if called is None else self.parameters.get(called.statement, {}).get(token.text)
        return None

    def uses(self, definition: Definition) -> list[Token]:
        """Every place of a name in the order of the text, its definition among them."""
        return [
            token for token in self.scan.tokens
            if token.text == definition.name and self.definition(token) is definition
        ]  # fmt: skip

    def called(self, name: str) -> Definition | None:
        """The `block` of the file that a name stands for, through lets."""
        for _ in range(len(self.defined) + 1):
            found = self.defined.get(name)
            if found is None or found.kind == "block":
                return found
            single = self.single(found)
            if single is None:
                return None
            name = single.text
        return None

    def single(self, let: Definition) -> Token | None:
        """The block that a let names, when it names a single one."""
        content = self.content(let)
        if not content or content[0].role != "block":
            return None
        if len(content) == 1:
            return content[0]
        alone = (
            content[1].text == "(" and content[1].start == content[0].end and _closes(content[1:]) == len(content) - 2
        )
        return content[0] if alone else None

    def content(self, definition: Definition) -> list[Token]:
        """The tokens after the `=` of a definition."""
        tokens = self.scan.statements[definition.statement].tokens
        deep = itertools.accumulate(map(depth, tokens))
        start = next((i for i, level in enumerate(deep) if level == 0 and tokens[i].text == "="), len(tokens))
        return tokens[start + 1 :]

    # ---- blocks ----

    def block(self, name: str) -> BlockInfo | None:
        """What is known about the block that a name stands for; None for a let that is no single block."""
        said: dict[str, str] = {}
        first, seen = name, set[str]()
        while name not in seen:
            seen.add(name)
            definition = self.defined.get(name)
            if definition is None or definition.kind == "block":
                break
            single = self.single(definition)
            if single is None:
                return None
            said = {**self._said(definition), **said}
            name = single.text
        info = self._own(name)
        if info is None or first == name:
            return info
        return known.overridden(replace(info, name=first), said, name)

    def blocks(self) -> Iterator[BlockInfo]:
        """Every block that can be called by name: the file's, its lets, the shipped ones."""
        for name, definition in self.defined.items():
            found = self.block(name)
            if found is not None:
                yield found
            elif definition.kind == "let" and self.is_sequence(definition):
                yield BlockInfo(name, "file", f"`{self.line(definition)}`")
        yield from (info for name, info in known.shipped().items() if name not in self.defined)

    def values(self) -> Iterator[Definition]:
        """The lets that can stand where a value stands."""
        for definition in self.defined.values():
            if definition.kind == "let":
                content = self.content(definition)
                blocks = [token.text for token in content if token.role == "block"]
                if not any(self.block(name) for name in blocks) and not any(t.text == "[" for t in content):
                    yield definition

    def is_sequence(self, let: Definition) -> bool:
        """Whether a let names blocks."""
        return any(self.block(t.text) or t.text in self.defined for t in self.content(let) if t.role == "block")

    def line(self, definition: Definition) -> str:
        """The statement of a definition on one line."""
        statement: Statement = self.scan.statements[definition.statement]
        return " ".join(self.scan.text[slice(*statement.stretch)].split())

    def _own(self, name: str) -> BlockInfo | None:
        definition = self.defined.get(name)
        if definition is None:
            return known.shipped().get(name)
        statement = self.scan.statements[definition.statement]
        return known.defined(self.scan, statement, self.classes.get(name))

    def _said(self, let: Definition) -> dict[str, str]:
        """The arguments a let gives to the block it names, by name."""
        return {name: text for name, text in arguments(self.scan, self.content(let)) if name is not None}

    # ---- arguments ----

    def takes(self, call: Token) -> tuple[Argument, ...]:
        """The arguments of what is called: a block, `stage`, `defaults`, `train`, `count`."""
        if call.role == "block":
            info = self.block(call.text)
            return info.arguments if info else ()
        if call.text == "train":
            return known.recipe()
        if call.text == "count":
            return (Argument("stage", "integer", None, (), ARGUMENTS["stage"]),)
        if call.text in ("stage", "defaults"):
            inherited = [a for info in self._reached(call) for a in info.arguments if a.name not in ("width", "stride")]
            own = known.STAGE if call.text == "stage" else known.STAGE[2:]
            return tuple(
                {a.name: a for a in (*inherited, *own)}[n] for n in dict.fromkeys(a.name for a in (*own, *inherited))
            )
        return ()

    def _reached(self, call: Token) -> Iterator[BlockInfo]:
        """The blocks to which an argument of a stage or of `defaults` can go."""
        statements = self.scan.statements
        near = statements[call.statement : call.statement + 1] if call.text == "stage" else statements
        names = dict.fromkeys(t.text for s in near if s.keyword.text != "block" for t in s.tokens if t.role == "block")
        pending, seen = list(names or prelude.letters()), set[str]()  # before blocks are written, any may come
        while pending:
            name = pending.pop(0)
            if name in seen:
                continue
            seen.add(name)
            info = self.block(name)
            if info is not None and info.origin != "structure":
                yield info
            elif info is None and (let := self.defined.get(name)):
                pending += [t.text for t in self.content(let) if t.role == "block"]


def arguments(scan: Scan, content: list[Token]) -> list[tuple[str | None, str]]:
    """What is written between the parentheses after the first token: names (None for positions) and texts."""
    found: list[tuple[str | None, str]] = []
    for part in parts(content[2:]) if len(content) > 1 and content[1].text == "(" else ():
        named = part[0].role == "argument" and len(part) > 2
        said = part[2:] if named else part
        found.append((part[0].text if named else None, scan.text[said[0].start : said[-1].end]))
    return found


def _closes(tokens: list[Token]) -> int | None:
    """The index of the bracket that closes the first token, None when nothing does."""
    return next((i for i, level in enumerate(itertools.accumulate(map(depth, tokens))) if level == 0), None)
