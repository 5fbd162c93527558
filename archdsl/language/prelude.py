"""Reads the shipped prelude: the built-in blocks and letters, said in the language, each lowered when first used."""

from __future__ import annotations

import functools
import re

from archdsl import ir
from archdsl.base import resources
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.definition import define
from archdsl.blocks.composites.kinds import Kind
from archdsl.language import syntax
from archdsl.language.parser import parse_syntax
from archdsl.language.values import Scope, lower_value

_LET = re.compile(r"^let .*", re.M)
_BLOCK = re.compile(r"^block +([A-Za-z_]\w*)", re.M)


def names() -> tuple[str, ...]:
    """The blocks that the prelude defines."""
    return tuple(_texts())


@functools.cache
def _text() -> str:
    return (resources.folder("grammars") / "prelude.arch").read_text(encoding="utf-8")


@functools.cache
def _texts() -> dict[str, str]:
    """The text of each block with the comment above it; reading the whole prelude would cost every start."""
    pieces = re.split(r"\n\n+(?=#|block)", _text())
    return {found.group(1): piece for piece in pieces if (found := _BLOCK.search(piece))}


@functools.cache
def letters() -> dict[str, ir.Letter]:
    """What the lets of the prelude stand for (`C`, `M`, `T`), each one block; a file may redefine them."""
    found: dict[str, ir.Letter] = {}
    for statement in parse_syntax("\n".join(_LET.findall(_text())), "prelude.arch"):
        match statement:
            case syntax.Statement(name=str(name), items=(syntax.BlockCall(kind, arguments),)):
                given = {a.name: lower_value(a.value, Scope({}), "") for a in arguments}
                found[name] = ir.Letter.model_validate({"kind": kind, "arguments": given})
    return found


def blocks() -> dict[str, Kind]:
    """Every block that a file knows without defining it: the prelude's and the primitives."""
    known: dict[str, Kind] = {name: definition(name)._block for name in names()}
    return dict(sorted((known | {name: BLOCKS[name] for name in BLOCKS if not name.startswith("down_")}).items()))


@functools.cache
def parameters(name: str) -> tuple[str, ...]:
    """What a block of the prelude takes."""
    signature = _BLOCK.split(_texts()[name])[2].partition(")")[0].lstrip("(")
    return tuple(part.partition("=")[0].strip() for part in signature.split(",") if part.strip())


@functools.cache
def definition(name: str) -> ir.BlockDefinition:
    """The definition of a block of the prelude; it speaks of no place in the reader's file."""
    from archdsl.language.definitions import define_block
    from archdsl.language.state import State

    def others(other: str) -> ir.BlockDefinition:
        raise KeyError(other)  # blocks of the prelude are made of primitives

    text = _texts()[name]
    (statement,) = parse_syntax(text, "prelude.arch")
    state = State(Scope({}, {name: statement}), others, text=text)
    define_block(state, name, None)
    if state.mistakes:
        raise ValueError(f"the prelude is mistaken: {state.mistakes[0]}")
    # Its places are left out on the way through JSON.
    found = ir.BlockDefinition.model_validate_json(state.definitions[name].model_dump_json())
    found._block = define(name, found, {})
    return found
