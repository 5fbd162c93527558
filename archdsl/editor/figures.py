"""Puts figures of the network or space a text means into words, for hovers, hints and outlines."""

from __future__ import annotations

import functools
from collections.abc import Callable

from archdsl import ir
from archdsl.editor.analysis import Analysis, StageFacts, short, sides
from archdsl.ir.conditions import value_of
from archdsl.ir.measures import MEASURES, is_counted
from archdsl.network import Architecture

ENDS = "With every hole at its first option, and at its last one; other members may lie outside."


def whole(analysis: Analysis) -> str:
    """What the file comes to: the size of its space, parameters, MACs, depth."""
    if analysis.spec is None:
        return "Not known while the file has mistakes."
    lines = []
    if analysis.is_space:
        size = analysis.size
        lines.append("A space too large to count while typing." if size is None else f"A space of {_size(size)}.")
    if (plain := analysis.plain) is not None:
        # With holes, the figures are those of two members: the plainest one that fits, and one at the other end.
        spans = [
            f"{_span(analysis, lambda a: a.params)} parameters",
            f"{_span(analysis, lambda a: a.macs)} MACs",
            f"depth {_span(analysis, lambda a: a.depth)}",
        ]
        lines.append(
            f"{', '.join(spans)}; {plain.input[0]}x{plain.input[1]}x{plain.input[2]} to {plain.classes} classes."
        )
        lines += [ENDS] if analysis.is_space else []
    return "\n\n".join(lines) or "No member of the space is known yet."


def stage(analysis: Analysis, number: int) -> str:
    """What a stage comes to, counted from 1; empty when that is not known."""
    ends = _ends(analysis, number)
    if not ends:
        return ""
    text = (
        f"`-> {shape(analysis, number)}`, {_counts([f.params for f in ends])} parameters, "
        f"{_counts([f.macs for f in ends])} MACs, depth {_counts([f.depth for f in ends])}"
    )
    return f"{text}\n\n{ENDS}" if analysis.is_space else text


def shape(analysis: Analysis, number: int) -> str:
    """The output shape of a stage, in a space those of its two ends; empty when it is not known."""
    return _between([sides(facts.out) for facts in _ends(analysis, number)])


def params(analysis: Analysis, number: int) -> str:
    """The parameters of a stage in three digits."""
    return _counts([facts.params for facts in _ends(analysis, number)])


def measure(analysis: Analysis, name: str) -> str:
    """What a measure of the whole network is here; empty for those of a block, and those that only measuring tells."""
    if analysis.plain is None or MEASURES[name].of_block or not is_counted(name):
        return ""
    value = _span(analysis, functools.partial(value_of, ir.MeasureSpec(measure=name)))
    return f"Here: {value}.{f' {ENDS}' if analysis.is_space else ''}"


def _ends(analysis: Analysis, number: int) -> list[StageFacts]:
    return analysis.stages[number - 1] if 0 < number <= len(analysis.stages) else []


def _members(analysis: Analysis) -> list[Architecture]:
    return [member for member in (analysis.plain, analysis.full) if member is not None]


def _span(analysis: Analysis, figure: Callable[[Architecture], int]) -> str:
    return _between([f"{number:,}" for number in sorted(figure(member) for member in _members(analysis))])


def _counts(numbers: list[int]) -> str:
    return _between([short(number) for number in sorted(numbers)])


def _between(words: list[str]) -> str:
    return " .. ".join(dict.fromkeys(words))


def _size(size: int) -> str:
    return f"{size:,}" if size < 10**15 else f"about 10^{len(str(size)) - 1}"
