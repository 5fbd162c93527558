"""Lists the statements: errors, completion, hovers, the editor's scanner and the pages read one entry of each.

What a statement looks like, the grammar says; what it means, `lower` does.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

# What follows a keyword: a name, a value, blocks, a condition, or arguments in parentheses.
Follows: TypeAlias = Literal["name", "value", "items", "condition", "arguments"]


class Kind(NamedTuple):
    """One statement.

    Attributes:
        form: how it is written.
        meaning: what it is for, in Markdown.
        follows: what stands behind the keyword.
        naming: the role of that name, where it is one: what is defined, or referred to.
        often: whether it may stand more than once in a file.
        insert: what a completion writes, `$0` for the cursor; else the keyword and a space.
    """

    form: str
    meaning: str
    follows: Follows
    naming: str = ""
    often: bool = False
    insert: str = ""


_GOAL = "An objective of the search; several make it a Pareto search."
STATEMENTS: dict[str, Kind] = {
    "model": Kind("model NAME", "Names the model; the name is not part of its identity.", "name", "model"),
    "input": Kind("input CxHxW", "Channels x height x width of an image. Default: `3x32x32`.", "value"),
    "classes": Kind("classes N", "How many classes the head tells apart. Default: 10.", "value"),
    "defaults": Kind(
        "defaults(key=value, …)", "Arguments for every block that takes them; its stage and itself win.", "arguments",
        insert="defaults($0)",
    ),
    "let": Kind(
        "let NAME = …", "Names blocks or a value. Holes in it are decided once and shared.", "name", "let", often=True,
        insert="let $0 = ",
    ),
    "block": Kind(
        "block NAME(parameters) = …", "A block made of others; `width` and `stride` come from the stage.", "name",
        "definition", often=True, insert="block $0 = ",
    ),
    "stem": Kind("stem …", "Blocks before the first stage. Default: `conv(64)`.", "items"),
    "stage": Kind(
        "stage(width, stride=…, …) [ … ]",
        "A string of blocks at one resolution; the first block strides. By default the first stage has width 64 and "
        "stride 1, each further one twice the width and stride 2.",
        "arguments", often=True, insert="stage($0)[]",
    ),
    "head": Kind("head …", "Blocks after the last stage. Default: `norm act gap linear`.", "items"),
    "require": Kind(
        "require CONDITION", "What every model must satisfy: `params`, `macs`, `depth`, `latency_ms`, `count(NAME)`.",
        "condition", often=True,
    ),
    "maximize": Kind("maximize SCORE", _GOAL, "name", "score", often=True),
    "minimize": Kind("minimize SCORE", _GOAL, "name", "score", often=True),
    "data": Kind("data NAME", "The data set, so that the file is a whole experiment.", "name", "data"),
    "train": Kind(
        "train(key=value, …)", "How a network is trained; float ranges `{1e-4..1e-2 log}` may stand here.",
        "arguments", insert="train($0)",
    ),
}  # fmt: skip
ONCE = tuple(keyword for keyword, kind in STATEMENTS.items() if not kind.often)
IN_ORDER = ("stem", "stage", "head")  # the others may stand anywhere

# Where a statement begins, at the start of a line; `stage=2` among arguments is none.
STATEMENT_START = re.compile(rf"^[ \t]*((?:{'|'.join(STATEMENTS)})\b(?!\s*=))", re.MULTILINE)
