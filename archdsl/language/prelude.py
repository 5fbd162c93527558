"""Reads the prelude: the built-in blocks that are said in the language, each lowered when it is first used."""

from __future__ import annotations

import functools
import re

from archdsl import ir
from archdsl.base import resources
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.definition import define
from archdsl.blocks.composites.kinds import Kind
from archdsl.language.parser import parse_syntax

_BLOCK = re.compile(r"^block +([A-Za-z_]\w*)", re.M)


def names() -> tuple[str, ...]:
    """The blocks that the prelude defines."""
    return tuple(_texts())


@functools.cache
def _texts() -> dict[str, str]:
    """The text of each block with the comment above it; reading the whole prelude would cost every start."""
    text = (resources.folder("grammars") / "prelude.arch").read_text(encoding="utf-8")
    pieces = re.split(r"\n\n+(?=#|block)", text)
    return {found.group(1): piece for piece in pieces if (found := _BLOCK.search(piece))}


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
    from archdsl.language.values import Scope

    def others(other: str) -> ir.BlockDefinition:
        raise KeyError(other)  # blocks of the prelude are made of primitives

    text = _texts()[name]
    (statement,) = parse_syntax(text, "prelude.arch")
    state = State(Scope({}, {name: statement}), others, (), text)
    define_block(state, name, None)
    if state.mistakes:
        raise ValueError(f"the prelude is mistaken: {state.mistakes[0]}")
    # Its places are left out on the way through JSON.
    found = ir.BlockDefinition.model_validate_json(state.definitions[name].model_dump_json())
    found._block = define(name, found, {})
    return found
