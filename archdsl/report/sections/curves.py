"""Accuracy by epoch to lines: the frame that all learning curves of the page share."""

from __future__ import annotations

from archdsl.report.chart import Frame, span, tick_format
from archdsl.report.markup import Markup


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
