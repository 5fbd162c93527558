"""Reads the shipped prelude: the built-in blocks and letters, said in the language, each lowered when first used."""

from __future__ import annotations

import functools

from archdsl import ir
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.definition import define
from archdsl.blocks.composites.kinds import Kind
from archdsl.language import prelude_text, syntax
from archdsl.language.definitions import define_block
from archdsl.language.parser import parse_syntax
from archdsl.language.prelude_text import names, parameters
from archdsl.language.sequences import lower_content
from archdsl.language.state import State
from archdsl.language.values import Scope, lower_value

__all__ = ["blocks", "definition", "letters", "names", "parameters"]


@functools.cache
def letters() -> dict[str, ir.Letter]:
    """What the lets of the prelude stand for (`C`, `M`, `T`), each one block; a file may redefine them."""
    found: dict[str, ir.Letter] = {}
    for statement in parse_syntax(prelude_text.lets(), prelude_text.PATH):
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
def definition(name: str) -> ir.BlockDefinition:
    """The definition of a block of the prelude; it speaks of no place in the reader's file."""

    def others(other: str) -> ir.BlockDefinition:
        raise KeyError(other)  # blocks of the prelude are made of primitives

    text = prelude_text.block(name)
    (statement,) = parse_syntax(text, prelude_text.PATH)
    state = State(Scope({}, {name: statement}), others, lower_content, text=text)
    define_block(state, name, None)
    if state.mistakes:
        raise ValueError(f"the prelude is mistaken: {state.mistakes[0]}")
    # Its places are left out on the way through JSON.
    found = ir.BlockDefinition.model_validate_json(state.definitions[name].model_dump_json())
    found._block = define(name, found, {})
    return found
