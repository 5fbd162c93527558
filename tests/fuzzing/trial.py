"""What one input goes through, as a stranger's file would; and what is wrong when it does not come through well.

`try_input(bytes)` decodes as the command line does, parses, hashes, counts, checks, prints a member and reads it again,
and formats. Allowed ends are: everything works, or an `ArchdslError` that can be shown.
"""

from __future__ import annotations

import io
import sys
import traceback
from collections import Counter
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import archdsl
from archdsl import ir, space
from archdsl.base.errors import ArchdslError, Span, SpecError
from archdsl.interchange.arch_text import write
from archdsl.language import parse
from archdsl.language.brackets import check_text
from archdsl.language.formatting import format_text
from archdsl.language.parser import parse_syntax
from archdsl.language.sources import read_file
from archdsl.network import Architecture
from archdsl.network.identity import spec_hash

from . import limits
from .limits import Clock, Overtime

Outcome: TypeAlias = Literal["not a text", "mistaken", "no member", "model", "space", "finding"]
LONGEST_MESSAGE = 100_000  # characters; mistakes that fill screens help nobody
_PACKAGE = str(Path(archdsl.__file__).parent)


class Wrong(Exception):
    """Something came out that should not."""


@dataclass(frozen=True)
class Finding:
    """Something wrong.

    Attributes:
        kind: traceback, slow, memory, wrong (or killed, by those who watch the process).
        step: which command it was in.
        place: the file and function of archdsl nearest to it, so that one mistake is reported once.
        detail: the message.
    """

    kind: str
    step: str
    place: str
    detail: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.step, self.place


@dataclass
class Trial:
    """How one input came through.

    Attributes:
        outcome: how far it got.
        seconds: processor time of its slowest step.
        megabytes: how far the memory grew at its peak.
        finding: what is wrong, None if nothing is.
        spent: seconds of all steps.
    """

    outcome: Outcome
    seconds: float
    megabytes: float
    finding: Finding | None = None
    spent: dict[str, float] = field(default_factory=dict)


def try_input(data: bytes, most_seconds: float = limits.SECONDS, most_megabytes: float = limits.MEGABYTES) -> Trial:
    """One input, all the way."""
    clock = Clock(most_seconds)
    outcome: Outcome = "finding"
    finding: Finding | None = None
    before = limits.forget_peak()
    try:
        outcome = _go(data, clock)
    except Overtime as error:
        finding = Finding(
            "slow", clock.now, place(error).split(":")[0], f"more than {most_seconds:g} s of processor time"
        )
    except Wrong as error:
        finding = Finding("wrong", clock.now, str(error).split(":")[0], str(error))
    except MemoryError as error:
        finding = Finding("memory", clock.now, place(error), "no more memory allowed")
    except Exception as error:  # whatever it is, it is a finding
        detail = "".join(traceback.format_exception_only(error)).strip()
        finding = Finding("traceback", clock.now, f"{type(error).__name__} in {place(error)}", detail[:500])
    grown = limits.peak() - before
    if finding is None and grown > most_megabytes:
        finding = Finding("memory", max(clock.spent, key=clock.spent.__getitem__), "", f"{grown:.0f} MB")
    return Trial("finding" if finding else outcome, clock.slowest, grown, finding, clock.spent)


def place(error: BaseException) -> str:
    """The innermost file and function of archdsl in a traceback."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(_PACKAGE)]
    if not frames:
        return "?"
    if isinstance(error, RecursionError):  # where it ends is chance
        frames = [Counter(frames).most_common(1)[0][0]]
    return f"{Path(frames[-1].filename).relative_to(_PACKAGE)}:{frames[-1].name}"


def _go(data: bytes, clock: Clock) -> Outcome:
    try:
        with clock.step("read"):
            text = _decoded(data)
    except ArchdslError as error:
        _check_shown(error, "")
        return "not a text"
    outcome = _meaning(text, clock)
    _form(text, clock)
    return outcome


def _decoded(data: bytes) -> str:
    """As `archdsl check -` reads it."""
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
    try:
        return read_file("-").text
    finally:
        sys.stdin = before


# ---- meaning -------------------------------------------------------------------------------------------------


def _meaning(text: str, clock: Clock) -> Outcome:
    try:
        with clock.step("parse"):
            spec = parse(text)
    except ArchdslError as error:
        with clock.step("message"):
            _check_shown(error, text)
        return "mistaken"
    with clock.step("hash"):
        spec_hash(spec)
    try:
        with clock.step("check", clock.spent["parse"]):  # `archdsl check` does both
            member = space.check(spec, text)
        with clock.step("size"):
            number = space.size(spec)
    except ArchdslError as error:
        with clock.step("message"):
            _check_shown(error, text)
        return "no member"
    if number < 1:
        raise Wrong(f"size: a space of {number} members that has one")
    _check_member(member, clock)
    return "model" if ir.first_hole(spec) is None else "space"


def _check_member(member: Architecture, clock: Clock) -> None:
    """A member prints as a text that means the same."""
    with clock.step("write"):
        text = write(member)
    try:
        check_text(text)
    except ArchdslError:  # written out, a small text can be longer than a file may be
        return
    try:
        with clock.step("again"):
            again = space.check(parse(text), text)
    except ArchdslError as error:
        raise Wrong(f"a member that cannot be read: {str(error)[:300]}") from None
    if again.hash != member.hash:
        raise Wrong("a member that means something else when read again")


# ---- form ----------------------------------------------------------------------------------------------------


def _form(text: str, clock: Clock) -> None:
    try:
        with clock.step("syntax"):
            syntax = parse_syntax(text)
    except ArchdslError:
        syntax = None
    try:
        with clock.step("format"):
            formatted = format_text(text)
    except ArchdslError as error:
        if syntax is not None and "formatted, the file would have" not in str(error):
            raise Wrong(f"a text that can be read but not formatted: {error}") from None
        with clock.step("message"):
            _check_shown(error, text)
        return
    with clock.step("format again"):
        same = format_text(formatted) == formatted
    if not same:
        raise Wrong("format: formatted twice, it looks different")
    if syntax is not None and formatted != text and _bare(syntax) != _bare(parse_syntax(formatted)):
        raise Wrong("format: formatted, it means something else")


def _bare(tree: Any) -> list[Any]:
    """A syntax tree without its places: a flat list, as deep trees would need deep recursion to be compared."""
    found: list[Any] = []
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Span):
            continue
        if isinstance(part, (tuple, list)):
            found.append(len(part))
            waiting += part
        elif (names := _FIELDS.get(type(part), ())) or is_dataclass(part):
            found.append(type(part).__name__)
            names = names or tuple(f.name for f in fields(part))
            _FIELDS[type(part)] = names
            waiting += [getattr(part, name) for name in names]
        else:
            found.append(part)
    return found


_FIELDS: dict[type, tuple[str, ...]] = {}


# ---- messages --------------------------------------------------------------------------------------------------


def _check_shown(error: ArchdslError, text: str) -> None:
    """An error says something, at a place in the text, in characters that leave the terminal alone."""
    shown = str(error)
    if len(shown) > LONGEST_MESSAGE:
        raise Wrong(f"message: too long, {len(shown):,} characters")
    odd = next((c for c in shown if not c.isprintable() and c not in "\n\t"), None)
    if odd is not None:
        raise Wrong(f"message: holds the character {odd!r}")
    if not error.message.strip() or error.help == "":
        raise Wrong("message: empty")
    if not isinstance(error, SpecError):
        return
    if not error.diagnostics:
        raise Wrong("message: an error without a mistake")
    lines = text.split("\n")
    for mistake in error.diagnostics:
        if not mistake.message.strip() or mistake.help == "":
            raise Wrong("message: empty")
        if mistake.span is not None and not _is_inside(mistake.span, lines):
            raise Wrong(f"message: its place is outside the text: {mistake.span} of {mistake.message!r}")


def _is_inside(span: Span, lines: list[str]) -> bool:
    """One column past the end of a line is where something is missing."""
    if not 1 <= span.line <= span.end_line <= len(lines):
        return False
    if not 1 <= span.column <= len(lines[span.line - 1]) + 1:
        return False
    if span.line == span.end_line and span.end_column <= span.column:
        return False
    return span.end_column <= len(lines[span.end_line - 1]) + 2
