"""Accuracy by epoch to lines and numbers: what all learning curves of the page share."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.report.chart import Frame, span, tick_format
from archdsl.report.markup import Markup
from archdsl.report.wording import number

COLUMNS_AT_MOST = 12  # epochs of a table


def points(curve: tuple[float, ...]) -> list[tuple[float, float]]:
    """(epoch, accuracy), epochs from 1."""
    return [(float(epoch), value) for epoch, value in enumerate(curve, 1)]


def curve_frame(curves: list[tuple[float, ...]]) -> Frame:
    """A frame that holds all of them."""
    longest = max(map(len, curves))
    return Frame.of((1.0, float(max(longest, 2))), span(value for curve in curves for value in curve))


def curve_axes(frame: Frame) -> Markup:
    """Its axes."""
    write = tick_format("accuracy", frame.y)
    return frame.axes("epoch", "validation accuracy, %", lambda v: f"{v:.0f}", write, whole=True)


def some_epochs(last: int) -> list[int]:
    """Epochs 1 to the last, or so many evenly between them as a table holds."""
    if last <= COLUMNS_AT_MOST:
        return list(range(1, last + 1))
    step = (last - 1) / (COLUMNS_AT_MOST - 1)
    return sorted({round(1 + step * i) for i in range(COLUMNS_AT_MOST)})


def at_epochs(curve: Sequence[float], epochs: Sequence[int]) -> list[str]:
    """The curve at these epochs as a table says it; nothing where it had ended."""
    return [number("accuracy", curve[e - 1], extra=1) if e <= len(curve) else "" for e in epochs]
