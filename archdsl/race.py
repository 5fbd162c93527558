"""Trained networks in; their Hessians, batch by batch, until it is settled which has the larger eigenvalues, out.

The rule is a sign test that may be looked at after every batch. On each batch either the first network or the other has
the higher average positive eigenvalue. If neither were more likely to, whatever came before, the evidence below would
exceed 1/alpha at any time with probability alpha at most (Ville's inequality); nothing is assumed of the eigenvalues.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from archdsl.analyses import ANALYSES, hessian
from archdsl.analyses.exact import device_of
from archdsl.analyses.hessian import HessianResult
from archdsl.analyses.parts import Parts
from archdsl.analyses.sample import sampled
from archdsl.errors import UsageError
from archdsl.subject import Options, Subject

NAME = "hessian"


@dataclass(frozen=True)
class Race:
    """How a race went.

    Attributes:
        results: of each network, on the batches that were needed.
        verdicts: of each network but the first: whether it is flatter or sharper than the first, None while open.
        wins: on how many batches each network but the first was the sharper, and on how many the first was.
        batches: how many were measured.
        limit: how many there might have been.
        alpha: probability of any wrong verdict, at most, where all are alike.
    """

    results: tuple[HessianResult, ...]
    verdicts: tuple[Literal["flatter", "sharper"] | None, ...]
    wins: tuple[tuple[int, int], ...]
    batches: int
    limit: int
    alpha: float

    def document(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain data, with sentences for readers under `notes`."""
        first, *others = names
        notes = [f"Hessian measured on {self.batches} of {self.limit} batches, until settled at {self.alpha:g}"]
        for name, verdict, (more, less) in zip(others, self.verdicts, self.wins, strict=True):
            said = f"is {verdict} than {first}" if verdict else f"is not told from {first}"
            notes.append(
                f"{name} {said}: higher average positive eigenvalue on {more} batches, lower on {less}; the intervals "
                "of eigenvalues do not allow for the stopping"
            )
        return {
            "alpha": self.alpha,
            "batches": self.batches,
            "limit": self.limit,
            "verdicts": dict(zip(others, self.verdicts, strict=True)),
            "wins": {name: list(pair) for name, pair in zip(others, self.wins, strict=True)},
            "notes": notes,
        }


def check_alpha(alpha: float) -> None:
    """Raises UsageError where it is no probability of a mistake."""
    if not 0 < alpha < 1:
        raise UsageError(f"--race {alpha:g} is no probability of a mistake", "it lies between 0 and 1, such as 0.05")


def evidence(wins: int, losses: int) -> float:
    """The e-value of so many wins and losses against a fair coin, whichever side it favours.

    A bet on every batch, with the share of wins so far (and half a win and a loss more) as its odds: the mixture of all
    biased coins under Jeffreys's prior (Krichevsky & Trofimov 1981). It starts at 1 and is a martingale for fair coins.

    >>> evidence(0, 0), round(evidence(7, 0), 1), round(evidence(4, 3), 2)
    (1.0, 26.8, 0.33)
    """
    n = wins + losses
    mixture = math.lgamma(wins + 0.5) + math.lgamma(losses + 0.5) - math.lgamma(n + 1) - math.log(math.pi)
    return math.exp(n * math.log(2) + mixture)


def settled(wins: int, losses: int, alpha: float) -> bool:
    """Whether the evidence is enough."""
    return evidence(wins, losses) >= 1 / alpha


def tally(first: HessianResult, other: HessianResult) -> tuple[int, int]:
    """On how many batches the other has the higher average positive eigenvalue, and on how many the first; no ties."""
    gaps = [_log_ape(b) - _log_ape(a) for a, b in zip(first.eigenvalues, other.eigenvalues, strict=True)]
    return sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)


def _log_ape(eigenvalues: np.ndarray) -> float:
    """Of one batch; finite and below any other where none is positive, so that two such are a tie."""
    positive = eigenvalues[eigenvalues > 0]
    return float(np.log(positive.mean())) if positive.size else -1e9


def race(
    subjects: Sequence[Subject],
    options: Options,
    alpha: float,
    parts: Sequence[Parts],
    on_batch: Callable[[int, int], None] | None = None,
) -> Race:
    """Measure the networks on one batch after the other until each is settled against the first, or batches run out.

    With K networks each is settled at alpha / (K - 1).

    Args:
        subjects: on the same data, the one that others are compared with first.
        options: seed, number of batches at most, images per batch.
        alpha: probability of any wrong verdict, at most.
        parts: of each network, batches from before an interruption.
        on_batch: told (done, at most).

    Raises:
        UsageError: alpha is not between 0 and 1.
        RunError: a network's Hessian cannot be measured.
    """
    check_alpha(alpha)
    if len(subjects) < 2:
        raise UsageError("a race takes two networks or more")
    each = alpha / (len(subjects) - 1)
    first = subjects[0]
    batches = sampled(
        first.data, ANALYSES[NAME].sample, seed=options.seed, device=device_of(first.network), count=options.batches,
        size=options.size,
    )  # fmt: skip
    results: list[HessianResult] = []
    wins: list[tuple[int, int]] = []
    count = 0
    for count in range(1, len(batches) + 1):
        results = [
            hessian.measure(
                subject.network, batches[:count], weight_decay=subject.weight_decay, seed=options.seed, parts=kept
            )
            for subject, kept in zip(subjects, parts, strict=True)
        ]
        wins = [tally(results[0], other) for other in results[1:]]
        if on_batch is not None:
            on_batch(count, len(batches))
        if all(settled(*pair, each) for pair in wins):
            break
    return Race(
        results=tuple(results),
        verdicts=tuple(_verdict(pair, each) for pair in wins),
        wins=tuple(wins),
        batches=count,
        limit=len(batches),
        alpha=alpha,
    )


def _verdict(wins: tuple[int, int], alpha: float) -> Literal["flatter", "sharper"] | None:
    if not settled(*wins, alpha):
        return None
    return "sharper" if wins[0] > wins[1] else "flatter"
