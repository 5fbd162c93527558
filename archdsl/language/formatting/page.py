"""Writes the page that statements go to, line by line, with the comments that end lines."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Line:
    """A line; `head` is the length of `stage(…)` on a line that holds a whole stage."""

    text: str
    comment: str | None = None
    head: int | None = None


class Page:
    """Lines, the last of them still being written. A comment ends its line, whatever is written next."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.head: int | None = None  # of the line being written, see `Line`
        self._text = ""
        self._comment: str | None = None
        self._indent = 0

    @property
    def fresh(self) -> bool:
        """Whether nothing stands on the line yet."""
        return not self._text and self._comment is None

    @property
    def column(self) -> int:
        """How many columns of the line are taken."""
        return len(self._text) if self._text else self._indent

    @property
    def indent(self) -> int:
        """How far in the line begins."""
        return self._indent

    def text(self, text: str) -> None:
        """Write on; a space is for between words, and left out where a line begins."""
        if self._comment is not None:
            self.newline(self._indent)
        if not self._text:
            text = " " * self._indent + text.lstrip(" ")
        self._text += text

    def newline(self, indent: int) -> None:
        """Begin a line, unless nothing stands on this one."""
        if not self.fresh:
            self.lines.append(Line(self._text.rstrip(" "), self._comment, self.head))
        self._text, self._comment, self._indent, self.head = "", None, indent, None

    def end_line(self, comment: str) -> None:
        """Put a comment at the end of the line; a second one gets a line of its own."""
        if self._text and self._comment is None:
            self._comment = comment
        else:
            self.comment_line(comment, self._indent)

    def comment_line(self, comment: str, indent: int) -> None:
        """Put a comment on a line of its own."""
        self.newline(indent)
        self.lines.append(Line(" " * indent + comment))

    def blank(self) -> None:
        """Leave a line blank, unless it is the first one or the one before is."""
        self.newline(0)
        if self.lines and self.lines[-1].text:
            self.lines.append(Line(""))

    def finish(self) -> list[Line]:
        """All lines, without blank ones at the end."""
        self.newline(0)
        while self.lines and not self.lines[-1].text:
            self.lines.pop()
        return self.lines


@dataclass(slots=True)
class Gap:
    """A place where a line can end: comments there, and whether the author ended a line.

    Attributes:
        at_end: whether the first comment stands at the end of the line before.
    """

    comments: list[str] = field(default_factory=list)
    at_end: bool = False
    newline: bool = False

    def write(self, page: Page, indent: int) -> None:
        """Write the comments, if there are any, and begin a line."""
        for number, comment in enumerate(self.comments):
            if number == 0 and self.at_end:
                page.end_line(comment)
            else:
                page.comment_line(comment, indent)
        if self.comments:
            page.newline(indent)
