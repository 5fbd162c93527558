"""Writes `grammars/arch.tables.json`, the LALR tables of `grammars/arch.lark`, anew: to be run when that has changed.

    python benchmarks/tables.py

A test says when it has to be run.
"""

from __future__ import annotations

from archdsl.base import resources
from archdsl.language import tables

if __name__ == "__main__":
    (resources.folder("grammars") / tables.FILE).write_text(tables.built(), encoding="utf-8")
