"""Reads the words and signs of the language off its grammar, so that what editors see cannot drift from it."""

from __future__ import annotations

import functools

import lark

from archdsl.language import tables


@functools.cache
def patterns() -> dict[str, str]:
    """Every terminal of the grammar that stands for varying text, as a regular expression by its name."""
    return {t.name: t.pattern.to_regexp() for t in _terminals() if t.pattern.type == "re" and t.name != "GOAL"}


@functools.cache
def words() -> tuple[str, ...]:
    """Every word of the grammar: `stage`, `if`, `maximize` and so on."""
    found = [t.pattern.value for t in _terminals() if t.pattern.type == "str" and t.pattern.value.isalpha()]
    (goal,) = (t.pattern.value for t in _terminals() if t.name == "GOAL")
    return tuple(sorted([*found, *goal.strip(r"()\b").split("|")]))


@functools.cache
def signs() -> tuple[str, ...]:
    """Every terminal that is a fixed sign: `[`, `..` and so on; those with several forms are among the patterns."""
    return tuple(
        sorted(t.pattern.value for t in _terminals() if t.pattern.type == "str" and not t.pattern.value.isalpha())
    )


@functools.cache
def _terminals() -> tuple[lark.lexer.TerminalDef, ...]:
    return tuple(tables.parser().terminals)
