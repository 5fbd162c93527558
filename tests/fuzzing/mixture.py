"""The mixture of inputs: which generator makes an input is drawn by chance, and the number of the input decides it all."""

from __future__ import annotations

import random
from collections.abc import Callable

from .attacks import attack
from .grammar import random_text
from .mutation import corpus, mutated, words_damaged

Generator = Callable[[random.Random], bytes]


def _attacked(rng: random.Random) -> bytes:
    return attack(rng).encode("utf-8", "replace")


def _written(rng: random.Random) -> bytes:
    return random_text(rng).encode("utf-8", "replace")


def _written_and_damaged(rng: random.Random) -> bytes:
    return words_damaged(random_text(rng), rng, rng.choice((1, 2, 4)))


def _attacked_and_damaged(rng: random.Random) -> bytes:
    return words_damaged(attack(rng)[:4000], rng, rng.choice((1, 2, 4)))


def _joined(rng: random.Random) -> bytes:
    """Statements of several known files in one."""
    lines = [line for data in rng.choices(corpus(), k=3) for line in data.split(b"\n")]
    return b"\n".join(rng.sample(lines, min(len(lines), rng.randrange(1, 12))))


# Each with its share of a hundred.
SHARES: dict[str, tuple[int, Generator]] = {
    "grammar": (33, _written),
    "grammar, damaged": (10, _written_and_damaged),
    "files, damaged": (42, mutated),
    "files, joined": (7, _joined),
    "attacks": (3, _attacked),
    "attacks, damaged": (5, _attacked_and_damaged),
}


def numbered(seed: int, number: int) -> tuple[str, bytes]:
    """One input and the name of its generator; the same for the same seed and number."""
    rng = random.Random(f"{seed}:{number}")
    name = rng.choices(list(SHARES), [share for share, _ in SHARES.values()])[0]
    return name, SHARES[name][1](rng)
