"""Gives the parser of the language; its LALR tables lie beside the grammar as JSON, so that no start builds them.

After a change of `grammars/arch.lark`, `python benchmarks/tables.py` writes `grammars/arch.tables.json` anew.

The tables are those of one grammar and one release of Lark, and say so by a digest. Where they are of another, or are
not there at all, the parser is built from the grammar: that takes longer and gives the same.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from archdsl.base import resources

FILE = "arch.tables.json"
# All tokens are kept: places follow from them, and the formatter writes them again.
OPTIONS: dict[str, Any] = {"parser": "lalr", "maybe_placeholders": False, "keep_all_tokens": True}


@functools.cache
def grammar() -> str:
    """The text of `grammars/arch.lark`."""
    return (resources.folder("grammars") / "arch.lark").read_text(encoding="utf-8")


def parser(transformer: lark.Transformer[Any, Any] | None = None) -> lark.Lark:
    """A parser that leaves no word out of its trees.

    Args:
        transformer: makes something else of each rule, in place of a tree.
    """
    if (stored := _stored()) is None:
        return lark.Lark(grammar(), transformer=transformer, **OPTIONS)
    loaded: lark.Lark = lark.Lark._load_from_dict(*stored, transformer=transformer)  # type: ignore[no-untyped-call]
    return loaded


@functools.cache
def plain_parser() -> lark.Lark:
    """A parser whose trees hold what the grammar names, and no brackets, commas and keywords."""
    return lark.Lark(grammar(), **OPTIONS | {"keep_all_tokens": False})


def built() -> str:
    """The tables of the grammar as JSON."""
    data, memo = lark.Lark(grammar(), **OPTIONS).memo_serialize([TerminalDef, Rule])
    return (
        json.dumps({"digest": digest(), "lark": lark.__version__, "data": data, "memo": memo}, separators=(",", ":"))
        + "\n"
    )


def _stored() -> tuple[dict[str, Any], dict[int, Any]] | None:
    """The shipped tables, None where they do not fit."""
    try:
        found = json.loads((resources.folder("grammars") / FILE).read_text(encoding="utf-8"))
        if found["digest"] != digest():
            return None
        table = found["data"]["parser"]["parser"]
        # Lark numbers states and tokens, and JSON knows texts alone as keys.
        table["tokens"] = _numbered(table["tokens"])
        table["states"] = {state: _numbered(actions) for state, actions in _numbered(table["states"]).items()}
        return found["data"], _numbered(found["memo"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def digest() -> str:
    """What tables have to be of to fit: the grammar and the release of Lark."""
    return hashlib.sha256(f"{lark.__version__}\n{grammar()}".encode()).hexdigest()


def _numbered(table: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in table.items()}
