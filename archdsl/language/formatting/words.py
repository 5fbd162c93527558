"""Splits a text into all its words as the grammar reads them, and the comments and line ends between them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import lark

from archdsl.language import tables
from archdsl.language.brackets import check_text

Tree: TypeAlias = lark.Tree[lark.Token]

_COMMENT = re.compile(r"#[^\n]*")
_parser = functools.cache(tables.parser)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment; `own_line` when nothing stands before it on its line, `blank` when a blank line does above it."""

    text: str
    own_line: bool
    blank: bool


@dataclass(frozen=True, slots=True)
class Space:
    """What stands between two words; `newline` and `blank` tell of the last stretch, after the comments."""

    comments: list[Comment] = field(default_factory=list)
    newline: bool = False
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """A text, read.

    Attributes:
        statements: their trees, in which every word is a leaf.
        spaces: what stands before a word, by the place where the word begins, where it is more than spaces.
        at_end: what stands after the last word.
    """

    statements: list[Tree]
    spaces: dict[int, Space]
    at_end: Space

    def before(self, tree: Tree) -> Space:
        """What stands before the first word of a tree."""
        word = first_word(tree)
        return _NOTHING if word is None else self.spaces.get(word.start_pos or 0, _NOTHING)


_NOTHING = Space()


def read_words(text: str, path: str) -> Words:
    """Parse without looking anything up.

    Raises:
        SpecError: it is no text.
        UnexpectedInput: it does not follow the grammar.
    """
    check_text(text, path)
    tree = _parser().parse(text)
    spaces: dict[int, Space] = {}
    end = 0
    for word in _leaves(tree):
        start = word.start_pos or 0
        if (space := _space(text, end, start)) is not None:
            spaces[start] = space
        end = word.end_pos or start
    statements = [child for child in tree.children if isinstance(child, lark.Tree)]
    return Words(statements, spaces, _space(text, end, len(text)) or _NOTHING)


def first_word(part: Tree | lark.Token) -> lark.Token | None:
    """The word that a part of the text begins with, None when it has none."""
    while isinstance(part, lark.Tree):
        if not part.children:
            return None
        part = part.children[0]
    return part


def _leaves(tree: Tree) -> Iterator[lark.Token]:
    """The words of a tree in the order of the text; without recursion, as 1+1+1+… makes trees of any depth."""
    stack: list[Tree | lark.Token] = [tree]
    while stack:
        top = stack.pop()
        if isinstance(top, lark.Tree):
            stack.extend(reversed(top.children))
        else:
            yield top


def _space(text: str, start: int, end: int) -> Space | None:
    """What stands in a stretch of blanks and comments, None when it is blanks on one line."""
    stretch = text[start:end]
    if "\n" not in stretch and "#" not in stretch:
        return None
    comments, last, nothing_before = [], 0, start == 0
    for match in _COMMENT.finditer(stretch):
        ends = stretch.count("\n", last, match.start())
        comments.append(Comment(_tidy(match.group()), nothing_before or ends > 0, ends > 1))
        last = match.end()
    ends = stretch.count("\n", last)
    return Space(comments, ends > 0, ends > 1)


def _tidy(comment: str) -> str:
    """A comment without spaces at its end, and with one between `#` and a word."""
    return re.sub(r"^#(?=\w)", "# ", comment.rstrip())
