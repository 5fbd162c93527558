"""Outlines a file: statements, shapes after stages as hints, help inside parentheses, quick fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from archdsl.base.errors import Diagnostic
from archdsl.editor import figures
from archdsl.editor.analysis import Analysis
from archdsl.editor.known import Argument
from archdsl.editor.positions import Stretch
from archdsl.editor.scanner import Scan, Token
from archdsl.editor.surroundings import Context, current, written

_MEANT = re.compile(r"did you mean (?:'([^']+)'|(\{[^}]*\}|[0-9]+))\?")


@dataclass(frozen=True)
class Symbol:
    """One statement of the outline."""

    name: str
    detail: str
    keyword: str
    whole: Stretch
    selected: Stretch


def symbols(analysis: Analysis) -> Iterator[Symbol]:
    """Every statement in order; stages are numbered and say their output shape."""
    stage = 0
    for statement in analysis.scan.statements:
        keyword, whole = statement.keyword.text, statement.stretch
        content = " ".join(analysis.text[statement.keyword.end : whole.end].split())
        if statement.name is not None:
            name = statement.name.text
            selected = statement.name.stretch
            detail = keyword if keyword in ("let", "block", "model", "data") else f"{keyword} {name}"
            yield Symbol(name, detail, keyword, whole, selected)
            continue
        name, detail = keyword, content[:60]
        if keyword == "stage":
            stage += 1
            name = f"stage {stage}"
            shape = figures.shape(analysis, stage)
            detail = f"-> {shape}" if shape else detail
        yield Symbol(name, detail, keyword, whole, statement.keyword.stretch)


@dataclass(frozen=True)
class Hint:
    """A few words shown after a place in the text."""

    offset: int
    label: str
    help: str


def hints(analysis: Analysis) -> Iterator[Hint]:
    """After each stage its output shape and parameters."""
    stages = [statement.span for statement in analysis.statements if statement.keyword == "stage"]
    for number, span in enumerate(stages, start=1):
        if shape := figures.shape(analysis, number):
            label = f"-> {shape}, {figures.params(analysis, number)} params"
            yield Hint(analysis.lines.stretch(span).end, label, figures.stage(analysis, number))


@dataclass(frozen=True)
class Signature:
    """What is called around the cursor.

    Attributes:
        active: the index of the argument that is being written, None when it has none of that name.
    """

    label: str
    arguments: tuple[Argument, ...]
    active: int | None


def signature(analysis: Analysis, offset: int) -> Signature | None:
    """The arguments of the call whose parentheses are open at an offset."""
    before = Scan(analysis.text[:offset])
    frame = next((f for f in reversed(before.frames) if f.call is not None and f.mode == "arguments"), None)
    if frame is None or frame.call is None:
        return None
    here = Context(before, analysis.names, "")
    arguments = analysis.names.takes(frame.call)
    if not arguments:
        return None
    label = f"{frame.call.text}({', '.join(argument.label for argument in arguments)})"
    fresh = here.last is not None and here.last.text == ","
    given = written(here, frame.call)
    now = None if fresh and given and before.frames[-1] is frame else current(here, frame.call)
    places = analysis.names.block(frame.call.text)
    if now is None and not any(name for name, _ in given) and frame.call.role == "block" and places is not None:
        names = places.positional[len(given) : len(given) + 1]
        now = next((a for a in arguments if a.name in names), None)
    return Signature(label, arguments, arguments.index(now) if now in arguments else None)


def fix(analysis: Analysis, mistake: Diagnostic) -> tuple[Stretch, str] | None:
    """The edit that a mistake's help line asks about (`did you mean 'M'?`), if it is clear where."""
    found = _MEANT.search(mistake.help or "")
    if found is None or mistake.span is None:
        return None
    whole = analysis.lines.stretch(mistake.span)
    if found.group(2):  # a range or number stands for all that is marked
        return whole, found.group(2)
    # What is marked can be more than the word: of `down=ptch` only what the message speaks of is replaced.
    said = [word.removesuffix("(…)") for word in re.findall(r"'([^']+)'", mistake.message)]
    inside = [t for t in analysis.scan.tokens if whole.start <= t.start and t.end <= whole.end]
    wrong: list[Token] = [token for token in inside if token.text in said]
    found_at = inside if len(inside) == 1 else wrong[-1:]
    return (found_at[0].stretch, found.group(1)) if found_at and found_at[0].text != found.group(1) else None
