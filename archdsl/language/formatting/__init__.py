"""Formats a `.arch` text: the same words and comments, spaced as they should be.

The style, in the spirit of gofmt and black (there are no options):

- One statement a line, in the order of the text; numbers, words and parentheses stay as they are written.
- `key=value` and `a, b` between parentheses, no comma at the end; arithmetic is tight (`width//2`), but `+` and `-`
  of a `require` stand apart, as comparisons, `and`, `or` and `not` do. Braces are tight: `{C|M}`, `{C M|}`,
  `{192..256 step 32}`, `{1e-4..1e-2 log}`.
- One space between blocks; `*3`, arguments and the bracket of `residual[…]` touch what stands before them, the bracket
  of `stage(64) […]` and the parentheses of `if k > 1 (…) else (…)` do not.
- The `[` of consecutive `stage` lines stand in one column, and so do the comments at the ends of consecutive lines (two
  spaces off at least); a line much longer than the others stays out of it. `stage[…]` without arguments touches its
  bracket unless a neighbour has some.
- What fits in 100 columns stands on one line. What does not is broken at its outermost bracket, two spaces further in;
  inside, the author's own line breaks stay and longer lines are filled. `let` and `block` break after the `=`, a
  `require` before `and` and `or`. Arguments continue below the first one. A value is never broken.
- A comment stays where it is: at the end of its line, or above what it precedes and as far in as that. Where no line
  can end (inside a value, before `*`), it moves on to the next place where one can. `#word` becomes `# word`. A comment
  inside a bracket breaks it; arguments with comments stand one a line.
- At most one blank line, and only between statements; no tabs, no carriage returns, no spaces at line ends, no byte
  order mark, one line feed at the end of the file.
"""

from __future__ import annotations

from lark.exceptions import UnexpectedInput

from archdsl.base.errors import Diagnostic, SpecError
from archdsl.language.brackets import MAX_CHARACTERS
from archdsl.language.formatting.columns import align
from archdsl.language.formatting.page import Page
from archdsl.language.formatting.statements import StatementReader
from archdsl.language.formatting.words import Comment, read_words
from archdsl.language.parser import parse_syntax


def format_text(text: str, path: str = "<text>") -> str:
    """The canonical form of a `.arch` text; names, types and shapes in it need not be right.

    Args:
        text: the whole file.
        path: how error messages call it.

    Raises:
        SpecError: the text does not follow the grammar, or would become too long.

    >>> print(format_text("stage(64,)[ C*2 {C | M} ] # mixed"), end="")
    stage(64) [C*2 {C|M}]  # mixed
    """
    text = text.removeprefix("\N{BYTE ORDER MARK}")
    try:
        formatted = _format(text, path)
    except (UnexpectedInput, RecursionError):
        parse_syntax(text, path)  # which explains all mistakes
        raise
    if len(formatted) > MAX_CHARACTERS:
        message = f"formatted, the file would have {len(formatted):,} characters"
        raise SpecError([Diagnostic(message, None, f"a spec has at most {MAX_CHARACTERS:,}")], text, path)
    return formatted


def _format(text: str, path: str) -> str:
    words = read_words(text, path)
    page, reader = Page(), StatementReader(words)
    for statement in words.statements:
        gap = words.before(statement)
        _comments(page, reader.finish(), gap.comments)
        if gap.blank:
            page.blank()
        reader.read(statement).write(page)
    _comments(page, reader.finish(), words.at_end.comments)
    return "\n".join(align(page.finish())) + "\n"


def _comments(page: Page, moved: list[str], comments: list[Comment]) -> None:
    """What stands between two statements; the first comment may belong to the line before.

    Args:
        page: is at the end of a statement, or empty.
        moved: comments of the statement before which found no place in it.
        comments: those that follow it.
    """
    at_end, above = list(moved), list(comments)
    if above and not above[0].own_line:
        at_end.append(above.pop(0).text)
    if at_end:
        page.end_line(at_end[0])
    page.newline(0)
    for text in at_end[1:]:
        page.comment_line(text, 0)
    if len(at_end) > 1:
        page.blank()  # they say nothing about the statement that follows
    for comment in above:
        if comment.blank:
            page.blank()
        page.comment_line(comment.text, 0)
