"""Races networks: their Hessians are measured batch by batch, until it is settled which has larger eigenvalues.

The rule is a sign test that may be looked at after every batch. On each batch either the first network or the other has
the higher average positive eigenvalue. If neither were more likely to, whatever came before, the evidence below would
exceed 1/alpha at any time with probability alpha at most (Ville's inequality); nothing is assumed of the eigenvalues.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from archdsl.analyses import ANALYSES, hessian
from archdsl.analyses.measuring.exact import Batch, device_of
from archdsl.analyses.measuring.parts import Parts
from archdsl.analyses.measuring.sample import sampled
from archdsl.analyses.results.hessian import HessianResult
from archdsl.analyses.subjects.subject import Options, Subject
from archdsl.base.errors import RunError, UsageError

NAME = "hessian"


Verdict = Literal["flatter", "sharper"]


@dataclass(frozen=True)
class Race:
    """How a race went.

    Attributes:
        results: of each network, on the batches that it took; None where its Hessian cannot be measured.
        verdicts: of each network but the first: whether it is flatter or sharper than the first, None while open.
        wins: on how many batches each network but the first was the sharper, and on how many the first was, until this
            was settled.
        batches: how many the first was measured on, that is the most that any took.
        limit: how many there might have been.
        alpha: probability of any wrong verdict, at most, where all are alike.
        failures: why a network has no result, by its number from 0.
    """

    results: tuple[HessianResult | None, ...]
    verdicts: tuple[Verdict | None, ...]
    wins: tuple[tuple[int, int], ...]
    batches: int
    limit: int
    alpha: float
    failures: Mapping[int, str]

    def document(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain data, with sentences for readers under `notes`."""
        first, *others = names
        notes = [f"{names[number]} is left out of the race: {why}" for number, why in self.failures.items()]
        if self.results[0] is not None:
            notes.append(f"Hessian measured on {self.batches} of {self.limit} batches, until settled at {self.alpha:g}")
        for name, verdict, (more, less), result in zip(others, self.verdicts, self.wins, self.results[1:], strict=True):
            if result is None:
                continue
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

    >>> [round(evidence(*counts), 2) for counts in ((0, 0), (7, 0), (4, 3))]
    [1.0, 26.81, 0.31]
    """
    logarithm = log_evidence(wins, losses)
    return math.exp(logarithm) if logarithm < math.log(sys.float_info.max) else math.inf


def log_evidence(wins: int, losses: int) -> float:
    """Its logarithm, which has no largest value."""
    n = wins + losses
    mixture = math.lgamma(wins + 0.5) + math.lgamma(losses + 0.5) - math.lgamma(n + 1) - math.log(math.pi)
    return n * math.log(2) + mixture


def settled(wins: int, losses: int, alpha: float) -> bool:
    """Whether the evidence is enough."""
    return log_evidence(wins, losses) >= -math.log(alpha)


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
    *,
    strict: bool = True,
    on_batch: Callable[[int, int], None] | None = None,
) -> Race:
    """Measure the networks on one batch after the other until each is settled against the first, or batches run out.

    With K networks each is settled at alpha / (K - 1). A verdict is that of the batch on which it is reached: the
    network is not measured on further ones, whatever the others take.

    Args:
        subjects: on the same data, the one that others are compared with first.
        options: seed, number of batches at most, images per batch.
        alpha: probability of any wrong verdict, at most.
        parts: of each network, batches from before an interruption.
        strict: a Hessian that cannot be measured is an error; else that network is left out, and with the first all.
        on_batch: told (done, at most).

    Raises:
        UsageError: alpha is not between 0 and 1.
        RunError: a network's Hessian cannot be measured.
    """
    check_alpha(alpha)
    if len(subjects) < 2:
        raise UsageError("a race takes two networks or more")
    batches = sampled(
        subjects[0].data, ANALYSES[NAME].sample, seed=options.seed, device=device_of(subjects[0].network),
        count=options.batches, size=options.batch_size,
    )  # fmt: skip
    first, *others = racers = [_Racer(subject, kept) for subject, kept in zip(subjects, parts, strict=True)]
    open_, count = others, 0
    while open_ and count < len(batches) and first.failure is None:
        count += 1
        for racer in (first, *open_):
            racer.measure(batches[:count], options.seed, strict)
        open_ = [other for other in open_ if other.open(first, alpha / len(others))]
        if on_batch is not None:
            on_batch(count, len(batches))
    void = first.failure is not None  # nobody to be compared with
    return Race(
        results=tuple(None if void else racer.result for racer in racers),
        verdicts=tuple(None if void else other.verdict for other in others),
        wins=tuple(other.wins for other in others),
        batches=count,
        limit=len(batches),
        alpha=alpha,
        failures={number: racer.failure for number, racer in enumerate(racers) if racer.failure is not None},
    )


@dataclass
class _Racer:
    """A network in a race, and what is known of it so far."""

    subject: Subject
    parts: Parts
    result: HessianResult | None = None
    wins: tuple[int, int] = (0, 0)
    verdict: Verdict | None = None
    failure: str | None = None

    def measure(self, batches: Sequence[Batch], seed: int, strict: bool) -> None:
        """The Hessian on so many batches."""
        try:
            self.result = hessian.measure(
                self.subject.network, batches, weight_decay=self.subject.weight_decay, seed=seed, parts=self.parts
            )
        except (RunError, UsageError) as error:
            if strict:
                raise
            self.result, self.failure = None, error.message

    def open(self, first: _Racer, alpha: float) -> bool:
        """Whether a further batch could settle how it compares with the first."""
        if self.result is None or first.result is None:
            return False
        self.wins = tally(first.result, self.result)
        if settled(*self.wins, alpha):
            self.verdict = "sharper" if self.wins[0] > self.wins[1] else "flatter"
        return self.verdict is None
