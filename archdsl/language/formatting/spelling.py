"""Spells values and conditions: decides what stands between their words."""

from __future__ import annotations

from collections.abc import Iterator

import lark

from archdsl.language.formatting.words import Tree


def in_context(part: Tree | lark.Token, apart: bool) -> Iterator[tuple[lark.Token, str, bool]]:
    """Each word, the rule it stands in, and whether `+` and `-` stand apart there, which they do not in arguments.

    There is no recursion, as values can be long.
    """
    stack = [(part, "", apart)]
    while stack:
        top, rule, apart = stack.pop()
        if isinstance(top, lark.Tree):
            inside = apart and top.data not in ("positional", "named")
            stack.extend((child, str(top.data), inside) for child in reversed(top.children))
        else:
            yield top, rule, apart


class Spelling:
    """A text that grows word by word."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def text(self) -> str:
        """All of it."""
        return "".join(self._parts).strip(" ")

    def add(self, word: lark.Token, rule: str, apart: bool) -> None:
        """Add a word; `rule` and `apart` as `in_context` says."""
        kind = word.type
        if kind in ("COMPARE", "STEP") or (kind == "SIGN" and rule == "binary" and apart):
            self._parts.append(f" {word} ")
        elif kind in ("AND", "OR", "NOT"):
            self._parts.append(f"{word} ")
        elif kind == "LOG":
            self._parts.append(f" {word}")
        elif kind == "COMMA":
            self._parts.append(", ")
        else:
            if kind == "RPAR" and self._parts and self._parts[-1] == ", ":
                self._parts.pop()
            self._parts.append(str(word))
