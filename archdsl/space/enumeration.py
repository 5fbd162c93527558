"""Walks the fillings of a space one by one: all in order, one decided evenly, or one decided by the caller."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from archdsl import ir
from archdsl.ir.conditions import allows
from archdsl.ir.decisions import Hole, options
from archdsl.network import Architecture, Misfit, resolve


@dataclass
class Script:
    """Decides holes by a given list, and then always by the first option; remembers what it met.

    Attributes:
        choices: indices of options, for the holes in the order in which they are met; it grows as needed.
        rng: draws float ranges, evenly in their logarithm; None for their low end.
        met: the holes that were decided.
    """

    choices: list[int]
    rng: random.Random | None = None
    met: list[Hole] = field(default_factory=list)

    def __call__(self, hole: Hole) -> float:
        """How the next hole is decided."""
        if isinstance(hole, ir.FloatRange):
            return hole.low if self.rng is None else _between(hole, self.rng)
        self.met.append(hole)
        if len(self.met) > len(self.choices):
            self.choices.append(0)
        return self.choices[len(self.met) - 1]

    def next(self) -> list[int] | None:
        """The choices to try after these, the last hole turning fastest; None when these were the last."""
        choices = self.choices[: len(self.met)]
        while choices and choices[-1] + 1 >= options(self.met[len(choices) - 1]):
            choices.pop()
        if choices:
            choices[-1] += 1
        return choices or None


def fillings(spec: ir.Spec) -> Iterator[Architecture | Misfit]:
    """Every filling, lazily and in order, the last hole turning fastest; fillings that do not fit together too."""
    choices: list[int] | None = []
    while choices is not None:
        script = Script(choices)
        try:
            yield resolve(spec, script)
        except Misfit as misfit:
            yield misfit
        choices = script.next()


def draw(spec: ir.Spec, rng: random.Random) -> Architecture | None:
    """One filling with every hole decided evenly; None when it does not fit together or breaks a requirement."""
    return attempt(spec, lambda hole: random_choice(hole, rng))


def random_choice(hole: Hole, rng: random.Random) -> float:
    """One way to decide a hole, all as likely; a real range evenly in its logarithm."""
    return _between(hole, rng) if isinstance(hole, ir.FloatRange) else rng.randrange(options(hole))


def attempt(spec: ir.Spec, choose: Callable[[Hole], float]) -> Architecture | None:
    """The member `choose` decides on, None when it does not fit together or breaks a requirement."""
    try:
        architecture = resolve(spec, choose)
    except Misfit:
        return None
    return architecture if is_feasible(spec, architecture) else None


def is_feasible(spec: ir.Spec, architecture: Architecture) -> bool:
    """Whether an architecture satisfies all that a spec requires, as far as that is known without measuring."""
    return all(allows(condition, architecture) for condition in spec.require)


def _between(hole: ir.FloatRange, rng: random.Random) -> float:
    return math.exp(rng.uniform(math.log(hole.low), math.log(hole.high)))
