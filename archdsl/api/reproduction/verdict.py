"""Numbers of several seeds in, a verdict out: seen, not seen, or unclear here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

from archdsl.base.statistics import LEVEL, Interval

Verdict = Literal["seen", "not seen", "unclear here"]

SEEDS_AT_LEAST: Final = 3
RULE: Final = (
    "For every claim there is a number per seed, positive where the paper is right: the difference of two networks "
    "trained with the same seed, or the share of blocks that do what the paper says, less one half. Student’s 95 % "
    "interval of its mean over the seeds decides. Seen: the interval lies above 0. Not seen: it lies below 0, the "
    "opposite was found. Unclear here: it holds 0, or there are fewer than three seeds. Claims are judged one by one, "
    "so of twenty that were all empty, one would be decided by chance."
)


def estimate(values: Sequence[float]) -> Interval:
    """The mean of independent values with its interval; infinite ends below two values.

    >>> found = estimate([1.0, 2.0, 3.0])
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (2.0, -0.484, 4.484)
    """
    n = len(values)
    if n == 0:
        return Interval(math.nan, -math.inf, math.inf, (0,))
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, -math.inf, math.inf, (1,))
    from scipy.special import stdtrit

    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * spread / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, (n,))


def judge(values: Sequence[float]) -> Verdict:
    """The verdict on a claim by `RULE`, from a number per seed, positive where the paper is right.

    >>> judge([0.2, 0.3, 0.25]), judge([-0.2, -0.3, -0.25]), judge([0.2, -0.3, 0.25]), judge([0.2, 0.2])
    ('seen', 'not seen', 'unclear here', 'unclear here')
    """
    found = estimate(values)
    if len(values) < SEEDS_AT_LEAST or not math.isfinite(found.value):
        return "unclear here"
    if found.low > 0:
        return "seen"
    return "not seen" if found.high < 0 else "unclear here"
