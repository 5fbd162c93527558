"""Draws charts as SVG: scales with round ticks, and a frame with axes and lines.

Colours are classes of the page's style sheet, so that one drawing serves light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from archdsl.report.markup import Child, Markup, element, fragment
from archdsl.report.wording import MISSING, fixed

Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Scale:
    """Values low..high to pixels start..stop, linear or logarithmic.

    >>> Scale(0, 10, 100, 200)(5.0)
    150.0
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        at = math.log(value) if self.log else value
        return self.start + (at - low) / (high - low) * (self.stop - self.start)

    def inside(self, value: float) -> float:
        """The value, or the nearest end of the scale."""
        return min(max(value, self.low), self.high)

    def ticks(self, most: int = 6) -> list[float]:
        """At most `most` (at least two, where the scale allows) round values inside the scale."""
        return _log_ticks(self.low, self.high, most) if self.log else linear_ticks(self.low, self.high, most)


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values from `low` to `high`: steps of 1, 2 or 5 times a power of ten.

    >>> linear_ticks(0.62, 0.87)
    [0.65, 0.7, 0.75, 0.8, 0.85]
    """
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(i * step, digits) + 0.0 for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(found) <= most:
            break
    if len(found) >= 3:
        return found[:: math.ceil(len(found) / most)]
    return linear_ticks(low, high, most - 1)


def span(values: Iterable[float], pad: float = 0.06, *, log: bool = False) -> tuple[float, float]:
    """Ends of a scale that holds the finite values with some air; (0, 1) for none."""
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not finite:
        return (1.0, 10.0) if log else (0.0, 1.0)
    low, high = min(finite), max(finite)
    if log:
        air = max((high / low) ** pad, 1.02)
        return low / air, high * air
    air = (high - low) * pad or abs(high) * 0.05 or 0.5
    return low - air, high + air


def tick_format(score: str, scale: Scale) -> Format:
    """How ticks of a score are written: with as many decimals as neighbours need to differ."""
    ticks = scale.ticks()
    digits = next((d for d in range(7) if len({fixed(score, tick, d) for tick in ticks}) == len(ticks)), 6)
    return lambda value: fixed(score, value, digits)


@dataclass(frozen=True, slots=True)
class Frame:
    """A plotting area: pixel size, and the scales of both axes (y grows upwards)."""

    width: float
    height: float
    x: Scale
    y: Scale

    @classmethod
    def of(
        cls,
        xs: tuple[float, float],
        ys: tuple[float, float],
        *,
        size: tuple[float, float] = (520, 300),
        margins: tuple[float, float, float, float] = (26, 14, 40, 46),
        log_x: bool = False,
        log_y: bool = False,
    ) -> Frame:
        """A frame for the ranges `xs` and `ys`; margins are top, right, bottom, left."""
        width, height = size
        top, right, bottom, left = margins
        x = Scale(*xs, left, width - right, log_x)
        return cls(width, height, x, Scale(*ys, height - bottom, top, log_y))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point, moved to the border where it lies outside."""
        return self.x(self.x.inside(x)), self.y(self.y.inside(y))

    def axes(self, xlabel: str, ylabel: str, xformat: Format, yformat: Format, *, whole: bool = False) -> Markup:
        """Grid lines, tick labels and titles; the y title lies flat above the axis. `whole`: integer x only."""
        left, right, bottom = self.x.start, self.x.stop, self.y.start
        xticks = [tick for tick in self.x.ticks() if not whole or tick == int(tick)]
        rows = [
            fragment(
                element("line", x1=left, x2=right, y1=self.y(tick), y2=self.y(tick), class_="grid"),
                element("text", yformat(tick), x=left - 7, y=self.y(tick) + 4, class_="tick end"),
            )
            for tick in self.y.ticks()
        ]
        columns = [
            fragment(
                element("line", x1=self.x(tick), x2=self.x(tick), y1=bottom, y2=bottom + 4, class_="axis"),
                element("text", xformat(tick), x=self.x(tick), y=bottom + 17, class_="tick mid"),
            )
            for tick in xticks
        ]
        return fragment(
            rows,
            columns,
            element("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"),
            element("text", xlabel, x=right, y=self.height - 6, class_="title end"),
            element("text", ylabel, x=4, y=13, class_="title"),
        )

    def path(
        self,
        points: Sequence[tuple[float, float]],
        class_: str,
        *,
        step: bool = False,
        trial: int | None = None,
        final: int | None = None,
    ) -> Markup:
        """A line through the finite points, horizontal first where it is a step line; it may be a network's."""
        commands: list[str] = []
        before: tuple[float, float] | None = None
        for x, y in points:
            if not (math.isfinite(x) and math.isfinite(y)):
                before = None
                continue
            px, py = self.at(x, y)
            if before is None:
                commands.append(f"M{px:.1f} {py:.1f}")
            elif step:
                commands.append(f"H{px:.1f}" + ("" if py == before[1] else f"V{py:.1f}"))
            else:
                commands.append(f"L{px:.1f} {py:.1f}")
            before = (px, py)
        if not commands:
            return fragment()
        return element("path", d="".join(commands), class_=class_, data_trial=trial, data_final=final)

    def draw(self, label: str, *children: Child) -> Markup:
        """The whole drawing; `label` is what a screen reader says instead of it."""
        return svg(self.width, self.height, label, *children)


def svg(width: float, height: float, label: str, *children: Child, class_: str = "chart") -> Markup:
    """An inline SVG that shrinks with the page but does not grow beyond its size."""
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
        class_=class_,
    )


def range_text(low: float, high: float, write: Callable[[float], str]) -> str:
    """`[low, high]` in a score's digits, or a dash where it is unknown."""
    return f"[{write(low)}, {write(high)}]" if math.isfinite(low) and math.isfinite(high) else MISSING
