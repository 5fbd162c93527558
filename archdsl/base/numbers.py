"""Writes numbers the way a person reads them: counts in three figures, durations, plurals, lists."""

from __future__ import annotations

import math
from collections.abc import Sequence

MISSING = "–"
MINUS = "\u2212"
MOST_OPTIONS = 12  # side by side
_SUFFIXES = ((" T", 1e12), (" G", 1e9), (" M", 1e6), (" K", 1e3))


def short(value: float | None) -> str:
    """A count in three figures and a suffix.

    >>> short(940), short(73_984), short(999_999), short(None)
    ('940', '74.0 K', '1.00 M', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    for suffix, scale in _SUFFIXES:
        if abs(value) >= 0.9995 * scale:
            size = abs(value) / scale
            return f"{decimals(value / scale, 2 if size < 9.995 else 1 if size < 99.95 else 0)}{suffix}"
    return f"{value:.0f}"


def decimals(value: float, digits: int) -> str:
    """Fixed decimals with a true minus sign; a huge or tiny value falls back to an exponent."""
    size = abs(value)
    if size >= 1e7 or (0 < size < 0.5 * 10.0**-digits and digits >= 3 and size < 1e-4):
        return f"{value:.2e}".replace("-", MINUS)
    text = f"{value:.{digits}f}"
    if text.startswith("-"):
        text = text[1:] if float(text) == 0 else MINUS + text[1:]
    return text


def duration(seconds: float | None) -> str:
    """Seconds as a person says them.

    >>> duration(301.2), duration(4.25), duration(90061)
    ('5 min 1 s', '4.2 s', '25 h 1 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 seed`, `3 seeds`, `2,000 images`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def listing(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return "".join(items) if len(items) < 2 else f"{', '.join(items[:-1])} and {items[-1]}"


def options(words: Sequence[str], *, ends: bool = False) -> str:
    """What there is to choose from: side by side, or the first and the last where there are many.

    >>> options(["C", "M"]), options(["0.001", "0.1"], ends=True), options([str(n) for n in range(2000)])
    ('C | M', '0.001 .. 0.1 (log)', '0 .. 1999 (2,000 values)')

    Args:
        words: the options.
        ends: whether they are the two ends of a logarithmic range.
    """
    if ends:
        return f"{words[0]} .. {words[1]} (log)"
    return " | ".join(words) if len(words) <= MOST_OPTIONS else f"{words[0]} .. {words[-1]} ({len(words):,} values)"
