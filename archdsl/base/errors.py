"""Defines all errors, and renders them: place, underlined text, remedy."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Span(NamedTuple):
    """A stretch of text: line and column count from 1, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: what is wrong, where, and (when something helpful is known) how to mend it."""

    message: str
    span: Span | None = None
    help: str | None = None


MOST_SHOWN = 60  # mistakes of one file


class ArchdslError(Exception):
    """Base of every error a user can cause; the command line prints it without a traceback.

    Attributes:
        exit_code: what the process returns (1 spec, data or study wrong; 2 command line wrong; 3 the run failed).
        help: the remedy, or None.
        finished: what was done nonetheless, as the call would have returned it, or None.
    """

    exit_code = 1
    finished: Mapping[str, Any] | None = None

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(_visible(message))
        self.message = _visible(message)
        self.help = None if help is None else _visible(help)

    def __str__(self) -> str:
        return self.message if self.help is None else f"{self.message}\n  = help: {self.help}"


class SpecError(ArchdslError):
    """A `.arch` text is wrong; carries every mistake found, in the order of the text."""

    def __init__(self, diagnostics: Iterable[Diagnostic], source: str = "", path: str = "<text>") -> None:
        def place(diagnostic: Diagnostic) -> tuple[int, int]:
            span = diagnostic.span
            return (span.line, span.column) if span else (0, 0)

        self.diagnostics = tuple(sorted(diagnostics, key=place))
        self.source = source
        self.path = path
        lines = source.split("\n")
        shown = [render(d, lines, path) for d in self.diagnostics[:MOST_SHOWN]]
        if len(self.diagnostics) > MOST_SHOWN:
            shown.append(f"{path}: {len(self.diagnostics) - MOST_SHOWN:,} more mistakes; these are the first")
        super().__init__("\n\n".join(shown))


class DataError(ArchdslError):
    """A data set is absent, truncated, corrupt or does not fit the network."""


class StudyError(ArchdslError):
    """A run folder or study cannot be used as asked."""


class WeightsError(ArchdslError):
    """Weights do not fit the network they are meant for."""


class UsageError(ArchdslError):
    """The command line (or a call's options) is wrong."""

    exit_code = 2


class RunError(ArchdslError):
    """Training, an analysis or a search failed while it ran."""

    exit_code = 3


class DiskFullError(RunError):
    """There is no room for a file; what was written before is whole."""


class UnknownNameError(ArchdslError):
    """A name nobody registered; says what was meant if that is clear."""

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(f"unknown {noun} '{name}'", did_you_mean(name, names) or f"there are: {', '.join(names)}")


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The nearest known name as a question, or None when nothing is near.

    >>> did_you_mean("bottelneck", ["basic", "bottleneck"])
    "did you mean 'bottleneck'?"
    """
    return _nearest(name, tuple(dict.fromkeys(known)))


@functools.lru_cache(maxsize=256)  # a mistake in a definition is met again wherever that is used
def _nearest(name: str, names: tuple[str, ...]) -> str | None:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not near:  # one-letter names and wrong case: 'MM' for 'M', 'c' for 'C'
        near = [n for n in names if n.lower() == name.lower()] or [n for n in names if n and set(name) == set(n)]
    return f"did you mean '{near[0]}'?" if near else None


def _visible(text: str) -> str:
    """The text with spaces for what would disturb a terminal; some of it comes from files of strangers."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def render(diagnostic: Diagnostic, lines: Sequence[str], path: str) -> str:
    """One mistake as text: `path:line:column: error: …`, the line, carets beneath, and a help line.

    Args:
        diagnostic: the mistake.
        lines: of the source; only a line feed ends one, as in Lark's count.
        path: what the source is called.
    """
    span = diagnostic.span
    if span is None:
        head = f"{path}: error: {diagnostic.message}"
        return head if diagnostic.help is None else f"{head}\n  = help: {diagnostic.help}"
    number = str(span.line)
    gutter = " " * len(number)
    text = lines[span.line - 1].removesuffix("\r") if span.line <= len(lines) else ""
    stop = span.end_column if span.end_line == span.line else len(text) + 1
    shown, indent, width = _window(text, span.column, max(1, stop - span.column))
    out = [
        f"{path}:{span.line}:{span.column}: error: {diagnostic.message}",
        f"{gutter} |",
        f"{number} | {shown}".rstrip(),
        f"{gutter} | {indent}{'^' * width}",
    ]
    if diagnostic.help is not None:
        out.append(f"{gutter} = help: {diagnostic.help}")
    return "\n".join(out)


def _window(text: str, column: int, width: int, limit: int = 160) -> tuple[str, str, int]:
    """The part of a line around the mistake, what stands before the carets, and how many there are.

    Characters that would disturb a terminal show as spaces. Tabs stay tabs under the line, so that the carets stand
    where the reader's terminal puts the text.
    """
    start = 0 if len(text) <= limit else max(0, column - 1 - limit // 2)
    cut = "".join(c if c.isprintable() or c == "\t" else " " for c in text[start : start + limit])
    lead = "… " if start else ""
    tail = " …" if start + limit < len(text) else ""
    before = cut[: column - 1 - start]
    indent = " " * len(lead) + "".join("\t" if c == "\t" else " " for c in before)
    return f"{lead}{cut}{tail}", indent, max(1, min(width, limit - len(before)))
