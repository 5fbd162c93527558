"""Turns the tree of a statement into pieces to lay out; comments go along to where a line can end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lark

from archdsl.language.formatting.layout import (
    INDENT,
    WIDTH,
    Arguments,
    Bracket,
    Choice,
    Piece,
    Row,
    Sequence,
    Word,
    write,
)
from archdsl.language.formatting.page import Gap, Page
from archdsl.language.formatting.spelling import Spelling, in_context
from archdsl.language.formatting.words import Tree, Words, first_word


@dataclass
class Statement:
    """A statement, ready to be written: what begins it, and blocks or conditions that no bracket surrounds.

    Attributes:
        named: whether the body is what a name stands for; it begins on a line of its own where it does not fit on one.
        stage: the length of `stage(…)`, if it is one and that fits on a line.
    """

    header: Row
    body: Sequence | None = None
    named: bool = False
    stage: int | None = None

    def write(self, page: Page) -> None:
        """Write it at the start of a line; the page is left at its end."""
        before = len(page.lines)
        head, tail = self.header.flat, "" if self.body is None else self.body.flat
        if head is not None and tail is not None and len(f"{head} {tail}".rstrip()) <= WIDTH:
            page.text(f"{head} {tail}".rstrip())
        else:
            write(self.header, page, 0)
            if self.body is not None:
                if self.named and self.body.items and not self.body.items[0][0].comments:
                    page.newline(INDENT)
                self.body.spread(page, INDENT)
        page.head = self.stage if len(page.lines) == before else None


class StatementReader:
    """Reads the statements of a text one after the other.

    A comment where no line can end waits for the next place where one can; what is left over at the end of a statement,
    `finish` hands out.
    """

    def __init__(self, words: Words) -> None:
        self._spaces = dict(words.spaces)
        self._moved: list[str] = []

    def finish(self) -> list[str]:
        """The comments of the statement that found no place in it."""
        moved, self._moved = self._moved, []
        return moved

    def read(self, tree: Tree) -> Statement:
        """One statement; the comments before it are not looked at."""
        if (first := first_word(tree)) is not None:
            self._spaces.pop(first.start_pos or 0, None)
        if tree.data == "stage":
            return self._stage(tree)
        if tree.data == "require":
            keyword, condition = tree.children
            return Statement(Row([Word(str(keyword))]), self._condition(condition))
        pieces: list[Piece] = []
        children: list[Any] = tree.children
        for child in children:
            if _is(child, "arguments", "parameters"):
                pieces.append(self._arguments(child.children))
            elif _is(child, "sequence"):
                named = pieces[-1].flat == " ="
                return Statement(Row(pieces), self._sequence(child), named)
            else:
                pieces.append(Word((" " if pieces else "") + self._value(child)))
        return Statement(Row(pieces))

    def _stage(self, tree: Tree) -> Statement:
        children: list[Any] = tree.children
        keyword, *arguments, opening, blocks, closing = children
        head = Row([Word(str(keyword)), *(self._arguments(child.children) for child in arguments)])
        gap = [Word(" ")] if arguments else []
        row = Row([*head.pieces, *gap, self._bracket(opening, blocks, closing)])
        return Statement(row, stage=None if head.flat is None else len(head.flat))

    # ---- blocks ----

    def _sequence(self, tree: Tree, closing: lark.Token | None = None) -> Sequence:
        items: list[tuple[Gap, Piece]] = [(self._gap(child), self._item(child)) for child in tree.children]
        return Sequence(items, Gap() if closing is None else self._gap(closing))

    def _item(self, tree: Any) -> Row:
        """One block, group, choice, … with what repeats it; chains of repeats are unrolled, they can be long."""
        repeats: list[list[Any]] = []
        while _is(tree, "repeat"):
            tree, *times = tree.children
            repeats.append(times)
        pieces: list[Piece]
        if _is(tree, "choice"):
            pieces = [self._choice(tree.children)]
        elif _is(tree, "conditional"):
            pieces = self._conditional(tree.children)
        else:
            pieces = self._call(tree.children)
        if repeats:
            pieces.append(Word("".join(self._value(part) for times in reversed(repeats) for part in times)))
        return Row(pieces, together=_is(tree, "conditional"))

    def _call(self, children: list[Any]) -> list[Piece]:
        """A block, a structure or a group: perhaps a name, perhaps arguments, perhaps blocks in brackets."""
        pieces: list[Piece] = []
        at = 0
        while at < len(children):
            if children[at] not in ("(", "["):
                pieces.append(Word(self._value(children[at])))
                at += 1
            elif _is(children[at + 1], "sequence"):
                pieces.append(self._bracket(*children[at : at + 3]))
                at += 3
            else:
                end = children.index(")", at) + 1
                pieces.append(self._arguments(children[at:end]))
                at = end
        return pieces

    def _conditional(self, children: list[Any]) -> list[Piece]:
        keyword, test, *rest = children
        pieces: list[Piece] = [Word(f"{self._value(keyword)} {self._value(test)} "), self._bracket(*rest[:3])]
        if len(rest) > 3:
            pieces += [Word(f" {self._value(rest[3])} "), self._bracket(*rest[4:])]
        return pieces

    def _bracket(self, opening: lark.Token, blocks: Tree, closing: lark.Token) -> Bracket:
        return Bracket(self._value(opening), self._sequence(blocks, closing), self._value(closing))

    def _choice(self, children: list[Any]) -> Choice:
        options = []
        for mark, blocks, end in zip(children[::2], children[1::2], children[2::2], strict=False):
            self._value(mark)
            options.append(self._sequence(blocks, end))
        return Choice(options)

    # ---- arguments, values, conditions ----

    def _arguments(self, children: list[Any]) -> Arguments:
        opening, *inner, closing = children
        self._value(opening)
        parts: list[tuple[Gap, str]] = []
        for child in inner:
            if isinstance(child, lark.Token):
                self._value(child)  # a comma, whose comments go on to the next argument
            else:
                gap = self._gap(child)
                parts.append((gap, self._value(child)))
        return Arguments(parts, self._gap(closing))

    def _condition(self, tree: Any) -> Sequence:
        """A condition as the comparisons in it, each with the `and`, `or` and parentheses that touch it."""
        items: list[tuple[Gap, Piece]] = []
        gap, spelling = self._gap(tree), Spelling()
        for word, rule, apart in in_context(tree, apart=True):
            if word.type in ("AND", "OR"):
                _add_comparison(items, gap, spelling.text())
                gap, spelling = self._gap(word), Spelling()
            self._keep_comments(word)
            spelling.add(word, rule, apart)
        _add_comparison(items, gap, spelling.text())
        return Sequence(items)

    def _value(self, part: Any) -> str:
        """The text of a word, a value or an argument."""
        if isinstance(part, lark.Token):
            self._keep_comments(part)
            return str(part)
        spelling = Spelling()
        for word, rule, apart in in_context(part, apart=False):
            self._keep_comments(word)
            spelling.add(word, rule, apart)
        return spelling.text()

    # ---- comments ----

    def _keep_comments(self, word: lark.Token) -> None:
        if (space := self._spaces.pop(word.start_pos or 0, None)) is not None:
            self._moved += [comment.text for comment in space.comments]

    def _gap(self, part: Any) -> Gap:
        """What stands before a part, and the comments that waited for a place."""
        first = first_word(part)
        space = None if first is None else self._spaces.pop(first.start_pos or 0, None)
        if space is None and not self._moved:
            return _NO_GAP
        comments = [] if space is None else space.comments
        at_end = bool(self._moved) or (bool(comments) and not comments[0].own_line)
        return Gap(self.finish() + [c.text for c in comments], at_end, space is not None and space.newline)


_NO_GAP = Gap()


def _is(part: Any, *rules: str) -> bool:
    return isinstance(part, lark.Tree) and part.data in rules


def _add_comparison(items: list[tuple[Gap, Piece]], gap: Gap, text: str) -> None:
    """Add a comparison, to those before it as long as a parenthesis is open: lines rather end outside of it."""
    before = items[-1][1].flat if items and not gap.comments else None
    if before and before.count("(") > before.count(")") and len(before) + 1 + len(text) <= WIDTH - INDENT:
        items[-1] = (items[-1][0], Word(f"{before} {text}"))
    else:
        items.append((gap, Word(text)))
