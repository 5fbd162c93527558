"""Reads `.arch` texts: `parse` turns one into the IR.

`archdsl.language.formatting` puts a text into canonical form.
"""

from __future__ import annotations

from archdsl import ir
from archdsl.language.lower import lower
from archdsl.language.parser import parse_tree, read


def parse(text: str, path: str = "<text>") -> ir.Spec:
    """The IR of a `.arch` text.

    Args:
        text: the whole file.
        path: how error messages call it.

    Raises:
        SpecError: with every mistake found, each with its place and remedy.

    >>> spec = parse("stage[C C C M]")
    >>> [block.kind for block in spec.stages[0].items]
    ['basic', 'basic', 'basic', 'msa']
    """
    return lower(read(text, path), text, path)


__all__ = ["parse", "parse_tree"]
