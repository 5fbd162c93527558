"""Measures how large a space is: exactly where it can be counted, else estimated with an interval."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from archdsl import ir
from archdsl.ir.decisions import Hole, options
from archdsl.network import Architecture
from archdsl.space.counted import Counted, counted
from archdsl.space.enumeration import attempt, fillings, is_feasible
from archdsl.space.listing import DRAWS
from archdsl.space.sizing import size

# How many fillings are looked at one by one where they cannot be counted; larger spaces are estimated from draws.
EXACT_LIMIT = 20_000
NETWORK_DRAWS, FEWEST_DRAWS = 400, 100
MAX_READING = 300_000  # steps of reading words, to tell how many fillings are the same network
_Z = 1.96


@dataclass(frozen=True)
class Extent:
    """How large a space is.

    Attributes:
        size: fillings, exactly.
        feasible: fillings that fit together and satisfy `require`; None where they could not be counted.
        networks: different networks among those; None likewise.
        feasible_estimate: where `feasible` is None.
        feasible_interval: lowest and highest plausible number, in 95 of 100 cases.
        draws: how many draws the estimates rest on.
        networks_estimate: where `networks` is None; None too where there is nothing to estimate it from.
        networks_interval: as for `feasible`.
    """

    size: int
    feasible: int | None
    networks: int | None
    feasible_estimate: int | None = None
    feasible_interval: tuple[int, int] | None = None
    draws: int | None = None
    networks_estimate: int | None = None
    networks_interval: tuple[int, int] | None = None


def measure_extent(spec: ir.Spec, seed: int = 0) -> Extent:
    """Count a space; what cannot be counted is estimated from draws."""
    total, known, rng = size(spec), counted(spec), random.Random(seed)
    if known is not None and known.is_exact:
        if not known.total:
            return Extent(total, 0, 0)
        if known.networks is not None:
            return Extent(total, known.total, known.networks.total)
    if total <= EXACT_LIMIT:
        return _enumerated(spec, total)
    if known is None:
        return _estimated_by_weights(spec, total, rng)
    return _estimated(spec, known, total, rng)


def _enumerated(spec: ir.Spec, total: int) -> Extent:
    # The members themselves are not kept: they would take more memory than all else.
    hashes = [f.hash for f in fillings(spec) if isinstance(f, Architecture) and is_feasible(spec, f)]
    return Extent(total, len(hashes), len(set(hashes)))


def _estimated(spec: ir.Spec, known: Counted, total: int, rng: random.Random) -> Extent:
    """From fillings drawn evenly among those that meet what could be counted.

    A filling that is one of n of its network counts as 1/n of a network, so that the sum over all fillings is the
    number of networks.
    """
    most = NETWORK_DRAWS if known.is_exact else min(DRAWS, draws_for(spec))
    hits: list[bool] = []
    parts: list[float] = []
    while len(hits) < most and (len(hits) < FEWEST_DRAWS or known.words is None or known.words.steps < MAX_READING):
        member, word = known.draw(rng)
        hits.append(member is not None)
        parts.append(1 / known.words.ways(word) if known.words is not None and member is not None else 0.0)
    draws = len(hits)
    networks = _mean(parts, known.total, none=not any(parts))
    if known.is_exact:
        return Extent(total, known.total, None, None, None, draws, *networks)
    return Extent(total, None, None, *_share(sum(hits), draws, known.total), draws, *networks)


def _share(hits: int, draws: int, total: int) -> tuple[int, tuple[int, int]]:
    """Estimate and interval from so many hits (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share, spread = hits / draws, _Z * _Z / draws
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / draws + spread / draws / 4)
    low, high = (0.0 if not hits else middle - half), (1.0 if hits == draws else middle + half)
    return _times(share, total), (_times(max(0.0, low), total), _times(min(1.0, high), total))


def _mean(parts: Sequence[float], total: int, none: bool) -> tuple[int, tuple[int, int]]:
    """The mean of draws times `total`, and its interval; `none` where no draw was a success."""
    mean = min(1.0, max(0.0, math.fsum(parts) / len(parts)))
    half = _Z * math.sqrt(math.fsum((p - mean) ** 2 for p in parts) / (len(parts) - 1) / len(parts))
    low, high = max(0.0, mean - half), min(1.0, mean + half)
    if none:
        high = 1 - 0.05 ** (1 / len(parts))  # the exact bound for no success in so many draws
    return _times(mean, total), (_times(low, total), _times(high, total))


def _times(share: float, total: int) -> int:
    """A share of the whole: a large space has more fillings than a float can hold."""
    return math.ceil(Fraction(share) * total)


def _estimated_by_weights(spec: ir.Spec, total: int, rng: random.Random) -> Extent:
    """From fillings with every hole decided evenly, weighted to be even over fillings."""
    draws = draws_for(spec)
    weights: list[int] = []
    hits: list[bool] = []
    for _ in range(draws):
        weights.append(1)

        def choose(hole: Hole) -> float:
            if isinstance(hole, ir.FloatRange):
                return hole.low
            weights[-1] *= options(hole)
            return rng.randrange(options(hole))

        hits.append(attempt(spec, choose) is not None)
    # Decided evenly, a filling comes up with probability 1/weight, so that the mean of the weights estimates how many
    # there are (Knuth 1975, on estimating the size of a search tree). That number is known: what is estimated is the
    # share of the feasible ones, a ratio of two means, which is never outside of 0 and 1; its interval is that of its
    # linear part (Cochran 1977, Sampling Techniques, section 6.3).
    mean = Fraction(sum(weights), draws)
    relative = [float(weight / mean) for weight in weights]
    share = min(1.0, math.fsum(w for w, hit in zip(relative, hits, strict=True) if hit) / draws)
    parts = [share + w * (hit - share) for w, hit in zip(relative, hits, strict=True)]
    estimate, (low, high) = _mean(parts, total, none=not any(hits))
    if all(hits) and len(set(weights)) > 1:
        # The linear part says nothing here; the heaviest fillings stand for many that nobody drew. As many draws of
        # equal weight as tell as much (Kish 1965, Survey Sampling), and the exact bound for no failure in so many.
        low = _times(0.05 ** (math.fsum(w * w for w in relative) / draws**2), total)
    return Extent(total, None, None, estimate, (low, high), draws)


def draws_for(spec: ir.Spec) -> int:
    """How many draws to make: 2,000, fewer of very deep networks, which take longer each."""
    blocks = sum(isinstance(node, ir.BlockSpec) for node in ir.walk(spec))
    return max(100, min(DRAWS, 100_000 // max(1, blocks)))
