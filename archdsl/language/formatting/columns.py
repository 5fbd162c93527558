"""Aligns lines that belong together: their brackets and their comments get into one column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from archdsl.language.formatting.layout import WIDTH
from archdsl.language.formatting.page import Line

LONGER_STAGE = 24  # columns that a `stage(…)` may be longer than another one in line with it
LONGER_LINE = 40  # columns that a line with a comment may be longer than another one in line with it


def align(lines: Iterable[Line]) -> list[str]:
    """The text of the lines."""
    lines = list(lines)
    for run in _runs(lines, lambda line: line.head is not None, over=lambda line: line.text.startswith("#")):
        _align_stages(run)
    for run in _runs(lines, lambda line: line.comment is not None):
        column = _column([len(line.text) for line in run], LONGER_LINE)
        for line in run:
            width = column if column - LONGER_LINE <= len(line.text) <= column else 0
            line.text = f"{line.text:<{width}}  {line.comment}"
    return [line.text for line in lines]


def _align_stages(run: list[Line]) -> None:
    heads = [line.head or 0 for line in run]
    column = _column(heads, LONGER_STAGE)
    if column == len("stage"):
        return  # none has arguments: their brackets touch them
    for line, head in zip(run, heads, strict=True):
        rest = line.text[head:].lstrip(" ")
        if column - LONGER_STAGE <= head <= column and column + 1 + len(rest) <= WIDTH:
            line.text = f"{line.text[:head]:<{column}} {rest}"


def _column(lengths: list[int], longer: int) -> int:
    """The length that most others can be filled up to, without adding more than `longer`."""
    counts = Counter(lengths)

    def filled(column: int) -> int:
        return sum(count for length, count in counts.items() if column - longer <= length <= column)

    return max(counts, key=lambda column: (filled(column), -column))


def _runs(
    lines: list[Line], belongs: Callable[[Line], bool], over: Callable[[Line], bool] = lambda line: False
) -> Iterator[list[Line]]:
    """Stretches of lines that follow each other; `over` are lines that do not end a stretch."""
    run: list[Line] = []
    for line in lines:
        if belongs(line):
            run.append(line)
        elif run and not over(line):
            yield run
            run = []
    if run:
        yield run
