"""Writes scores as a reader sees them: names, digits, signs, units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.base.numbers import MINUS as MINUS
from archdsl.base.numbers import MISSING as MISSING
from archdsl.base.numbers import decimals
from archdsl.base.numbers import duration as duration
from archdsl.base.numbers import listing as listing
from archdsl.base.numbers import plural as plural
from archdsl.base.numbers import short as short
from archdsl.ir.arguments import show
from archdsl.ir.scores import SCORES


@dataclass(frozen=True, slots=True)
class ScoreWords:
    """How one score is written.

    Attributes:
        label: its name in headings.
        digits: decimals shown.
        percent: it is a fraction that is shown times 100, and its differences are points.
    """

    label: str
    digits: int = 3
    percent: bool = False

    @property
    def heading(self) -> str:
        """The label with its unit, for axes and columns."""
        return f"{self.label}, %" if self.percent else self.label

    @property
    def column(self) -> str:
        """The heading as the first words of a column."""
        first = self.heading[:1]
        return (first.upper() if first.isascii() else first) + self.heading[1:]


_WORDS = {
    "accuracy": ScoreWords("accuracy", 1, percent=True),
    "nll": ScoreWords("NLL"),
    "ece": ScoreWords("ECE", 1, percent=True),
    "ape": ScoreWords("APE", 2),
    "log_ape": ScoreWords("log APE", 2),
    "nep": ScoreWords("NEP", 1, percent=True),
    "ncr": ScoreWords("NCR"),
    "lambda_max": ScoreWords("λ max", 1),
    "high_freq": ScoreWords("high freq.", 2),
    "smoothing_contrast": ScoreWords("smoothing", 2),
    "latency_ms": ScoreWords("latency (ms)", 2),
    "params": ScoreWords("parameters", 0),
    "macs": ScoreWords("MACs", 0),
}


def words(score: str) -> ScoreWords:
    """The way to write a score; a score nobody described is shown under its own name."""
    return _WORDS.get(score) or ScoreWords(score.replace("_", " "))


def meaning(score: str) -> str | None:
    """What a score is, in one line, where it is one of ours."""
    known = SCORES.get(score)
    if known is None:
        return None
    better = {"minimize": "; lower is better", "maximize": "; higher is better", None: ""}[known.direction]
    unit = f" ({known.unit})" if known.unit in ("nats", "ln") else ""
    return f"{known.what}{unit}{better}"


def number(score: str, value: float | None, *, unit: bool = False, extra: int = 0) -> str:
    """A score's value; `extra` asks for more decimals, `unit` for the unit behind it.

    >>> number("accuracy", 0.8634, unit=True), number("nll", None), number("params", 1234567)
    ('86.3 %', '–', '1.23 M')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    style = words(score)
    tail = " %" if unit and style.percent else ""
    return fixed(score, value, style.digits + extra) + tail


def fixed(score: str, value: float, digits: int) -> str:
    """A score's value with just so many decimals; counts stay counts."""
    if score in ("params", "macs"):
        return short(value)
    return decimals(100 * value if words(score).percent else value, digits)


def spread(score: str, value: float | None, *, extra: int = 0) -> str:
    """`± sd`, or nothing where one training leaves no spread."""
    return "" if value is None or not math.isfinite(value) else f"± {number(score, value, extra=extra)}"


def signed(score: str, value: float | None, *, extra: int = 0) -> str:
    """A difference with its sign (a true minus); differences of percentages are points.

    >>> signed("accuracy", -0.0042, extra=1), signed("accuracy", 0.00001)
    ('−0.42', '0.0')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = number(score, abs(value), extra=extra)
    if not any(c in "123456789" for c in text):
        return text
    return f"{MINUS if value < 0 else '+'}{text}"


def unit(score: str) -> str:
    """What a difference of this score is counted in, with a leading space: " points" or ""."""
    return " points" if words(score).percent else ""


def settings(values: Mapping[str, bool | int | float | str | None]) -> str:
    """What was decided of a recipe.

    >>> settings({"lr": 0.0227341, "epochs": 6, "flip": True})
    'lr=0.0227, epochs=6, flip=true'
    """
    shown = (float(f"{value:.3g}") if isinstance(value, float) else value for value in values.values())
    return ", ".join(f"{name}={show(value)}" for name, value in zip(values, shown, strict=True))
