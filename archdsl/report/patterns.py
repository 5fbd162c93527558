"""Finds the patterns that tell good networks from bad ones.

Each has an effect, its interval, and a p-value that counts how many patterns were looked at.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from archdsl.base.statistics import Interval, around, difference, holm
from archdsl.report.rules import Effect, Slots, effects, free_slots, share, sided
from archdsl.study.results import Results, Trial

FEWEST = 3  # trials on either side of a pattern
LEVEL = 0.05  # of the adjusted p-value, below which a pattern is called found
DECISIONS_AT_MOST = 64  # paired with each other


@dataclass(frozen=True)
class Pattern:
    """One thing that some of the networks have and others have not.

    Attributes:
        title: what they have, in words.
        test: what the effect is the difference of.
        effect: on the score; `n` are the trials with and without.
        p: of the effect being chance, adjusted for all patterns that were tested (Holm); NaN before that.
    """

    title: str
    test: str
    effect: Interval
    p: float = math.nan

    @property
    def found(self) -> bool:
        """Whether it stands out from all that were looked at."""
        return self.p < LEVEL


PLAIN = "mean with it minus mean without"
STILL = "least squares, the other decisions held still"
TOGETHER = "beyond the sum of both, the other decisions held still"


def patterns(results: Results, score: str) -> list[Pattern]:
    """Every pattern these trials can test, the surest first."""
    trials = [trial for trial in results.complete if math.isfinite(trial.score(score))]
    values = [trial.score(score) for trial in trials]
    known = effects(results, score)
    candidates = [*_single(known, trials, score), *_structural(trials, results, values)]
    candidates += _pairs(known, trials, np.array(values))
    tested = [pattern for pattern in _different(candidates) if math.isfinite(pattern.effect.p)]
    adjusted = holm([pattern.effect.p for pattern in tested])
    ranked = [replace(pattern, p=p) for pattern, p in zip(tested, adjusted, strict=True)]
    return sorted(ranked, key=lambda pattern: (pattern.p, pattern.effect.p))


Candidate = tuple[Pattern, tuple[bool, ...] | None]  # with the trials that have it; None where it is no split of them


def _different(candidates: Sequence[Candidate]) -> list[Pattern]:
    """One of those that split the trials the same way, or the other way round: the first."""
    kept: list[Pattern] = []
    seen: set[tuple[bool, ...]] = set()
    for pattern, has in candidates:
        if has is not None:
            if has in seen:
                continue
            seen |= {has, tuple(not each for each in has)}
        kept.append(pattern)
    return kept


# ---------------------------------------------------------------- one decision


def _single(known: Sequence[Effect], trials: Sequence[Trial], score: str) -> Iterator[Candidate]:
    """`stage3.block2 is M`: the sides of a decision, or each alternative against the others where there are several."""
    for effect in known:
        name, pair, best = effect.decision.name, effect.pair, effect.fairest
        if pair is not None and best is not None:
            has = tuple(trial.decisions.get(name) in pair[1] for trial in trials)
            sides = all(trial.decisions.get(name) in (*pair[0], *pair[1]) for trial in trials)
            if effect.effect is not None and _enough(effect.effect.n):
                best = replace(best, n=effect.effect.n)
                title = f"{name} is {_either(pair[1])}, not {_either(pair[0])}"
                yield Pattern(title, STILL if effect.still else PLAIN, best), has if sides else None
            continue
        for choice in effect.decision.choices if len(effect.decision.choices) <= FEWEST * 4 else ():
            active = [trial for trial in trials if name in trial.decisions]
            split = tuple(trial.decisions[name] == choice for trial in active)
            pattern = _split(f"{name} is {choice or 'empty'}", split, [trial.score(score) for trial in active])
            if pattern is not None:
                yield pattern, split if len(active) == len(trials) else None


def _either(side: Sequence[str]) -> str:
    return " or ".join(choice or "empty" for choice in side)


def _split(title: str, has: Sequence[bool], values: Sequence[float]) -> Pattern | None:
    inside = [value for value, each in zip(values, has, strict=True) if each]
    outside = [value for value, each in zip(values, has, strict=True) if not each]
    if not _enough((len(inside), len(outside))):
        return None
    return Pattern(title, PLAIN, difference(inside, outside))


def _enough(n: Sequence[int]) -> bool:
    return len(n) == 2 and min(n) >= FEWEST


# ---------------------------------------------------------------- the shape of a layout


def _structural(trials: Sequence[Trial], results: Results, values: Sequence[float]) -> Iterator[Candidate]:
    """What a stage's free places look like, and two neighbouring stages beside each other."""
    slots = free_slots(trials, results)
    for title, has in _looks(slots):
        split = tuple(map(has, slots))
        pattern = _split(title, split, values)
        if pattern is not None:
            yield pattern, split


def _looks(slots: Sequence[Slots]) -> Iterator[tuple[str, Callable[[Slots], bool]]]:
    stages = [s for s in range(max(map(len, slots), default=0)) if any(len(each) > s and each[s] for each in slots)]
    for s in stages:
        for words, looks in _STAGE:
            yield f"stage {s + 1} {words}", lambda each, s=s, looks=looks: looks(_stage(each, s))  # type: ignore[misc]
    for a, b in itertools.pairwise(stages):
        words = f"stage {b + 1} has a larger share of MSAs than stage {a + 1}"
        yield words, lambda each, a=a, b=b: share(_stage(each, b)) > share(_stage(each, a))  # type: ignore[misc]


def _stage(slots: Slots, s: int) -> tuple[str, ...]:
    return slots[s] if s < len(slots) else ()


_STAGE: tuple[tuple[str, Callable[[tuple[str, ...]], bool]], ...] = (
    ("ends with an MSA", lambda places: places[-1:] == ("msa",)),
    ("begins with an MSA", lambda places: places[:1] == ("msa",)),
    ("has no MSA", lambda places: "msa" not in places),
    ("is all MSA", lambda places: set(places) == {"msa"}),
    ("is MSA by more than half", lambda places: share(places) > 0.5),
    ("has two MSAs in a row", lambda places: ("msa", "msa") in itertools.pairwise(places)),
    ("changes kind at every block", lambda places: _alternates(places)),
)


def _alternates(places: Sequence[str]) -> bool:
    return len(places) > 1 and all(a != b for a, b in itertools.pairwise(places))


# ---------------------------------------------------------------- two decisions together


def _pairs(known: Sequence[Effect], trials: Sequence[Trial], values: NDArray[np.float64]) -> list[Candidate]:
    """What two decisions do together beyond what each does alone: products in the additive model of all decisions."""
    model = sided(trials, {effect.decision.name: effect.pair for effect in known})
    if model is None or not 2 <= len(model[0]) <= DECISIONS_AT_MOST:
        return []
    names, columns = model
    second = {effect.decision.name: _either(effect.pair[1]) for effect in known if effect.pair}
    found: list[Candidate] = []
    for (i, j), effect in interactions(columns, values).items():
        title = f"{names[i]} is {second[names[i]]} and {names[j]} is {second[names[j]]}"
        found.append((Pattern(title, TOGETHER, effect), None))
    return found


def interactions(columns: NDArray[np.float64], values: NDArray[np.float64]) -> dict[tuple[int, int], Interval]:
    """For pairs of 0/1 columns (n, p), the coefficient of their product in least squares on all columns and it.

    By the Frisch-Waugh theorem the columns are taken out of products and values once, for all pairs. Pairs are left out
    where fewer than three rows have both (or all but fewer than three), where the columns explain the product, or where
    fewer than five degrees of freedom are left.
    """
    n, p = columns.shape
    freedom = n - p - 2
    if freedom < 5:
        return {}
    basis, _ = np.linalg.qr(np.hstack([np.ones((n, 1)), columns]))
    rest = values - basis @ (basis.T @ values)
    found = {}
    for i, j in itertools.combinations(range(p), 2):
        product = columns[:, i] * columns[:, j]
        both = int(product.sum())
        left = product - basis @ (basis.T @ product)
        size = float(left @ left)
        if min(both, n - both) < FEWEST or size < 1e-8 * n:
            continue
        value = float(left @ rest) / size
        off = rest - value * left
        found[i, j] = around(value, math.sqrt(float(off @ off) / freedom / size), freedom, (both, n - both))
    return found
