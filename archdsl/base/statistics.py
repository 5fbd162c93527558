"""Estimates with intervals and tests: means, differences, errors over batches, rank correlation, adjusted effects."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95  # of every interval in the report
_NORMAL = 1.959964  # the standard normal distribution's quantile for it


@dataclass(frozen=True, slots=True)
class Mean:
    """A sample's mean, its standard deviation (n - 1; NaN for one value) and size."""

    value: float
    sd: float
    n: int


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95% interval (NaN ends: too few values to know) and the sizes of the samples behind it.

    `p` is the two-sided p-value of "it is 0" in the test that gives the interval; NaN where none was made.
    """

    value: float
    low: float
    high: float
    n: tuple[int, ...]
    p: float = math.nan

    @property
    def known(self) -> bool:
        """Whether there were enough values for an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def excludes_zero(self) -> bool:
        """Whether the data tell the estimate from 0."""
        return self.known and (self.low > 0 or self.high < 0)


def mean(values: Sequence[float]) -> Mean:
    """Mean and sample standard deviation of the finite values.

    >>> mean([1.0, 2.0, 3.0])
    Mean(value=2.0, sd=1.0, n=3)
    """
    finite = [value for value in values if math.isfinite(value)]
    n = len(finite)
    if n == 0:
        return Mean(math.nan, math.nan, 0)
    return Mean(float(np.mean(finite)), float(np.std(finite, ddof=1)) if n > 1 else math.nan, n)


def difference(left: Sequence[float], right: Sequence[float]) -> Interval:
    """mean(left) - mean(right) with Welch's interval (unequal variances); NaN ends below two values on a side."""
    a, b = mean(left), mean(right)
    gap = a.value - b.value
    if a.n < 2 or b.n < 2:
        return Interval(gap, math.nan, math.nan, (a.n, b.n))
    va, vb = a.sd**2 / a.n, b.sd**2 / b.n
    if va + vb == 0:
        return Interval(gap, gap, gap, (a.n, b.n), float(gap == 0))
    freedom = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
    return around(gap, math.sqrt(va + vb), freedom, (a.n, b.n))


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean with Student's interval; NaN ends for fewer than two values.

    >>> found = mean_interval([1.0, 2.0, 3.0])
    >>> round(found.low, 3), found.value, round(found.high, 3)
    (-0.484, 2.0, 4.484)
    """
    found = mean(values)
    if found.n < 2:
        return Interval(found.value, math.nan, math.nan, (found.n,))
    if found.sd == 0:
        return Interval(found.value, found.value, found.value, (found.n,), float(found.value == 0))
    return around(found.value, found.sd / math.sqrt(found.n), found.n - 1, (found.n,))


@dataclass(frozen=True, slots=True)
class Spread:
    """A standard error and over how many draws it was taken; NaN where nobody knows it."""

    error: float = math.nan
    draws: int = 0


def estimated(value: float, spread: Spread) -> Interval:
    """A value with Student's interval; NaN ends for fewer than two draws, or where they were all the same.

    >>> found = estimated(2.0, Spread(1 / 3**0.5, draws=3))
    >>> round(found.low, 3), round(found.high, 3)
    (-0.484, 4.484)
    >>> estimated(2.0, Spread(0.0, draws=3)).known
    False
    """
    if not spread.error > 0 or spread.draws < 2:
        return Interval(value, math.nan, math.nan, (spread.draws,))
    return around(value, spread.error, spread.draws - 1, (spread.draws,))


def estimated_difference(left: float, left_spread: Spread, right: float, right_spread: Spread) -> Interval:
    """left - right with Welch's interval, as if both were independent; NaN ends where `estimated` has some."""
    spreads, n = (left_spread, right_spread), (left_spread.draws, right_spread.draws)
    if not all(estimated(0.0, spread).known for spread in spreads):
        return Interval(left - right, math.nan, math.nan, n)
    variances = [spread.error**2 for spread in spreads]
    freedom = sum(variances) ** 2 / sum(v**2 / (draws - 1) for v, draws in zip(variances, n, strict=True))
    return around(left - right, math.sqrt(sum(variances)), freedom, n)


def jackknife(statistic: Callable[[NDArray[np.int64]], float | None], count: int) -> float | None:
    """Standard error of a statistic of `count` batches, by leaving out one at a time; None where it is undefined.

    For a mean this is the usual standard error; for ratios and logarithms of means it needs no formula of its own
    (Efron & Stein 1981).

    >>> values = np.array([1.0, 2.0, 4.0])
    >>> round(jackknife(lambda kept: values[kept].mean(), 3), 6), round(float(values.std(ddof=1)) / 3**0.5, 6)
    (0.881917, 0.881917)
    """
    if count < 2:
        return None
    everyone = np.arange(count)
    left_out = [statistic(np.delete(everyone, index)) for index in range(count)]
    known = [value for value in left_out if value is not None and math.isfinite(value)]
    if len(known) < count:
        return None
    spread = np.asarray(known) - np.mean(known)
    return float(np.sqrt((count - 1) / count * np.sum(spread**2)))


def mean_error(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float | None:
    """Standard error of a weighted mean of independent values; None for fewer than two.

    >>> mean_error(np.array([1.0, 3.0]), np.array([16.0, 16.0]))
    1.0
    """
    count = len(values)
    if count < 2:
        return None
    shares = weights / weights.sum()
    spread = values - np.sum(shares * values)
    return float(np.sqrt(np.sum((shares * spread) ** 2) * count / (count - 1)))


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> Interval:
    """Spearman's rho over pairs where both are finite; the interval is Bonett & Wright's (2000), from n = 4 on."""
    from scipy.stats import spearmanr  # half a second, and only a report needs it

    pairs = [(x, y) for x, y in zip(left, right, strict=True) if math.isfinite(x) and math.isfinite(y)]
    n = len(pairs)
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    if n < 3 or len(set(xs)) < 2 or len(set(ys)) < 2:
        return Interval(math.nan, math.nan, math.nan, (n,))
    rho = float(spearmanr(xs, ys).statistic)
    if n < 4:
        return Interval(rho, math.nan, math.nan, (n,))
    if abs(rho) > 1 - 1e-12:
        return Interval(rho, rho, rho, (n,))
    half = _NORMAL * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return Interval(rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half), (n,))


def adjusted(columns: NDArray[np.float64], values: NDArray[np.float64]) -> list[Interval] | None:
    """Least-squares coefficients of `values` (n,) on `columns` (n, p) plus a constant, with intervals.

    This is the effect of each column with the others held still. None where the data cannot tell the columns apart
    or leave fewer than five degrees of freedom.
    """
    n, p = columns.shape
    freedom = n - p - 1
    if p == 0 or freedom < 5:
        return None
    design = np.hstack([np.ones((n, 1)), columns])
    solution, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    if rank < p + 1:
        return None
    residual = values - design @ solution
    variance = float(residual @ residual) / freedom * np.diag(np.linalg.inv(design.T @ design))
    errors = np.sqrt(np.maximum(variance, 0))
    return [around(float(solution[j]), float(errors[j]), freedom, (n,)) for j in range(1, p + 1)]


def around(value: float, error: float, freedom: float, n: tuple[int, ...]) -> Interval:
    """The interval of an estimate whose standard error is known, by Student's t."""
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(freedom, 0.5 + LEVEL / 2)) * error  # the quantile that leaves the level inside
    p = 2 * float(stdtr(freedom, -abs(value) / error)) if error > 0 else float(value == 0)
    return Interval(value, value - half, value + half, n, p)


def holm(ps: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979): calling those below 0.05 real errs at all in 5% of cases.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted_ps = [math.nan] * len(ps)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted_ps[i] = largest
    return adjusted_ps


def running_best(values: Sequence[float], *, maximize: bool) -> list[float]:
    """The best value so far at each place; NaN until the first finite one."""
    best = math.nan
    out = []
    for value in values:
        if math.isfinite(value) and (math.isnan(best) or (value > best if maximize else value < best)):
            best = value
        out.append(best)
    return out
