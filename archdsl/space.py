"""The members of a spec with holes: how many there are, how many satisfy its requirements, drawing and listing them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from archdsl import ir
from archdsl.architecture import Architecture, Misfit, holds, measures_of, option_labels, resolve
from archdsl.arguments import show
from archdsl.errors import Diagnostic, SpecError

# How many fillings are looked at one by one; larger spaces are estimated from draws.
EXACT_LIMIT = 20_000
DRAWS = 2_000

Hole: TypeAlias = ir.Pick | ir.IntRange | ir.FloatRange | ir.ChoiceSpec
Filling: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Decision:
    """One hole as samplers and tables see it.

    Attributes:
        name: its place in the spec (`stage2.block3`), or the `let` that shares it.
        choices: the options in words; for a float range its two ends.
        hole: the IR node.
    """

    name: str
    choices: tuple[str, ...]
    hole: Hole

    @property
    def is_real(self) -> bool:
        """Whether it takes any number between its ends."""
        return isinstance(self.hole, ir.FloatRange)


def options(hole: Hole) -> int:
    """How many ways there are to decide a hole; 1 for a float range, which does not count in a space's size."""
    if isinstance(hole, ir.IntRange):
        return hole.count()
    return 1 if isinstance(hole, ir.FloatRange) else len(hole.options)


def decisions(spec: ir.Spec) -> tuple[Decision, ...]:
    """All holes of a spec in the order of the text."""

    def words(hole: Hole) -> tuple[str, ...]:
        if isinstance(hole, ir.IntRange):
            return tuple(str(hole.low + i * hole.step) for i in range(hole.count()))
        if isinstance(hole, ir.FloatRange):
            return show(hole.low), show(hole.high)
        return option_labels(hole)

    return tuple(Decision(hole.name, words(hole), hole) for hole in ir.holes(spec))


def has_conditional_holes(spec: ir.Spec) -> bool:
    """Whether some holes count only where an option of another is taken."""
    always = {hole.name for hole in _unconditional((spec.holes, spec.stem, spec.stages, spec.head, spec.train))}
    return any(hole.name not in always for hole in ir.holes(spec))


def _unconditional(part: Any) -> Iterator[Hole]:
    """Holes that are met whatever the others decide."""
    match part:
        case tuple():
            for item in part:
                yield from _unconditional(item)
        case dict():
            yield from _unconditional(tuple(part.values()))
        case ir.Pick() | ir.IntRange() | ir.FloatRange() | ir.ChoiceSpec():
            yield part
        case ir.Arithmetic():
            yield from _unconditional((part.left, part.right))
        case ir.RepeatSpec():
            yield from _unconditional(part.times)
        case ir.BlockSpec():
            yield from _unconditional(part.arguments)
        case ir.StageSpec():
            yield from _unconditional((part.holes, part.width, part.stride, part.down, part.items))


# ---- size ------------------------------------------------------------------------------------------------

# What is decided so far among the holes that stand in several places, and in how many ways one got there.
_States: TypeAlias = dict[tuple[tuple[str, int], ...], int]


def size(spec: ir.Spec) -> int:
    """The number of ways to fill the holes, exactly, a hole counting only where it is met.

    Walks through the spec once, counting ways; of the holes only those that stand in several places are remembered,
    so a thousand independent choices cost no more than a thousand steps.
    """
    places: dict[str, int] = {}
    for hole in ir.holes_in(spec):
        places[hole.name] = places.get(hole.name, 0) + 1
    counting = _Counting({name for name, count in places.items() if count > 1})
    parts: tuple[Any, ...] = (spec.holes, spec.stem, spec.stages, spec.head, tuple(spec.train.values()))
    return sum(counting.through(parts, {(): 1}).values())


class _Counting:
    def __init__(self, shared: set[str]) -> None:
        self.shared = shared

    def through(self, part: Any, states: _States) -> _States:
        """The states after a part of the spec has been decided."""
        if isinstance(part, tuple):
            for item in part:
                states = self.through(item, states)
            return states
        match part:
            case ir.StageSpec():
                return self.through((part.holes, part.width, part.stride, part.down, part.items), states)
            case ir.BlockSpec():
                return self.through(tuple(part.arguments.values()), states)
            case ir.Arithmetic():
                return self.through((part.left, part.right), states)
            case ir.Pick() | ir.ChoiceSpec():
                return self._branch(part.name, list(part.options), states)
            case ir.IntRange():
                return self._branch(part.name, [()] * part.count(), states)
            case ir.RepeatSpec():
                return self._repeat(part, states)
        return states

    def _branch(self, name: str, alternatives: list[Any], states: _States) -> _States:
        if name not in self.shared:
            return _sum(self.through(alternative, states) for alternative in alternatives)
        results: list[_States] = []
        for state, ways in states.items():
            taken = dict(state).get(name)
            for index, alternative in enumerate(alternatives):
                if taken is None or taken == index:
                    decided = state if taken is not None else (*state, (name, index))
                    results.append(self.through(alternative, {decided: ways}))
        return _sum(results)

    def _repeat(self, repeat: ir.RepeatSpec, states: _States) -> _States:
        times = repeat.times
        if isinstance(times, ir.IntRange):
            # The hole may be shared: each count is an alternative that holds that many copies.
            counts = range(times.low, times.high + 1, times.step)
            return self._branch(times.name, [repeat.copies[:n] for n in counts], states)
        if isinstance(times, ir.Pick) and all(isinstance(o, int) for o in times.options):
            return self._branch(times.name, [repeat.copies[:n] for n in times.options if isinstance(n, int)], states)
        raise SpecError([Diagnostic("a repeat count is a number or one hole", repeat.at, "for example C*{1..3} or C*{1|3}")])


def _sum(many: Any) -> _States:
    total: _States = {}
    for states in many:
        for state, ways in states.items():
            total[state] = total.get(state, 0) + ways
    return total


# ---- members ---------------------------------------------------------------------------------------------


@dataclass
class _Script:
    """Decides holes by a given list, and then always by the first option; remembers what it met."""

    choices: list[int]
    met: list[Hole] = field(default_factory=list)

    def __call__(self, hole: Hole) -> float:
        if isinstance(hole, ir.FloatRange):
            return hole.low
        self.met.append(hole)
        if len(self.met) > len(self.choices):
            self.choices.append(0)
        return self.choices[len(self.met) - 1]


def fillings(spec: ir.Spec) -> Iterator[Architecture | Misfit]:
    """Every filling, lazily and in order, the last hole turning fastest; fillings that do not fit together too."""
    choices: list[int] = []
    while True:
        script = _Script(choices)
        try:
            yield resolve(spec, script)
        except Misfit as misfit:
            yield misfit
        choices = choices[: len(script.met)]
        while choices and choices[-1] + 1 >= options(script.met[len(choices) - 1]):
            choices.pop()
        if not choices:
            return
        choices[-1] += 1


def draw(spec: ir.Spec, rng: random.Random) -> Architecture | None:
    """One filling with every hole decided evenly; None when it does not fit together or breaks a requirement."""

    def choose(hole: Hole) -> float:
        if isinstance(hole, ir.FloatRange):
            return math.exp(rng.uniform(math.log(hole.low), math.log(hole.high)))
        return rng.randrange(options(hole))

    return attempt(spec, choose)


def attempt(spec: ir.Spec, choose: Callable[[Hole], float]) -> Architecture | None:
    """The member `choose` decides on, None when it does not fit together or breaks a requirement."""
    try:
        architecture = resolve(spec, choose)
    except Misfit:
        return None
    return architecture if all(holds(condition, architecture) for condition in spec.require) else None


def members(spec: ir.Spec) -> Iterator[Architecture]:
    """Every feasible member, lazily, each network once."""
    seen: set[str] = set()
    for found in fillings(spec):
        if isinstance(found, Architecture) and all(holds(c, found) for c in spec.require) and found.hash not in seen:
            seen.add(found.hash)
            yield found


def sample(spec: ir.Spec, count: int, seed: int, attempts: int = 200_000) -> list[Architecture]:
    """Different feasible members, drawn at random; fewer than `count` when no more were found in so many attempts."""
    rng = random.Random(seed)
    found: dict[str, Architecture] = {}
    for _ in range(attempts):
        if len(found) >= count:
            break
        if (member := draw(spec, rng)) is not None:
            found.setdefault(member.hash, member)
    return list(found.values())


@dataclass(frozen=True)
class Extent:
    """How large a space is.

    Attributes:
        size: fillings, exactly.
        feasible: fillings that fit together and satisfy `require`; None where there are too many to look at each.
        networks: different networks among those; None likewise.
        feasible_estimate: with its 95% interval, where `feasible` is None.
        feasible_interval: lowest and highest plausible number.
    """

    size: int
    feasible: int | None
    networks: int | None
    feasible_estimate: float | None = None
    feasible_interval: tuple[float, float] | None = None


def extent(spec: ir.Spec, seed: int = 0) -> Extent:
    """Count a space: one by one up to 20,000 fillings, else by 2,000 draws weighted to be even over fillings."""
    total = size(spec)
    if total <= EXACT_LIMIT:
        found = [a for a in fillings(spec) if isinstance(a, Architecture) and all(holds(c, a) for c in spec.require)]
        return Extent(total, len(found), len({a.hash for a in found}))
    rng = random.Random(seed)
    weights = []
    for _ in range(DRAWS):
        weight = [1.0]

        def choose(hole: Hole, weight: list[float] = weight) -> float:
            if isinstance(hole, ir.FloatRange):
                return hole.low
            weight[0] *= options(hole)
            return rng.randrange(options(hole))

        # Decided evenly, a filling comes up with probability 1/weight, so the mean of the weights of the feasible
        # ones estimates how many there are (Knuth 1975, on estimating the size of a search tree).
        weights.append(weight[0] if attempt(spec, choose) is not None else 0.0)
    mean = math.fsum(weights) / DRAWS
    spread = math.sqrt(math.fsum((w - mean) ** 2 for w in weights) / (DRAWS - 1) / DRAWS)
    low, high = max(0.0, mean - 1.96 * spread), min(float(total), mean + 1.96 * spread)
    if not any(weights):
        high = float(total) * (1 - 0.05 ** (1 / DRAWS))  # the exact bound for no success in so many draws
    return Extent(total, None, None, min(mean, float(total)), (low, high))


def check(spec: ir.Spec, text: str = "", path: str = "<spec>") -> Architecture:
    """One feasible member of a space, or why there is none.

    Raises:
        SpecError: no filling fits together, or none satisfies `require`, with what can be reached. A space too large
            to look at every filling passes when nothing feasible turned up but something fits together.
    """
    first: Misfit | None = None
    reached: dict[int, list[Architecture]] = {}
    fitting: Architecture | None = None
    exhaustive = size(spec) <= EXACT_LIMIT
    for found in fillings(spec) if exhaustive else _drawn(spec):
        if isinstance(found, Misfit):
            first = first or found
            continue
        fitting = fitting or found
        broken = [i for i, condition in enumerate(spec.require) if not holds(condition, found)]
        if not broken:
            return found
        for i in broken:
            reached.setdefault(i, []).append(found)
    if fitting is None and first is not None:
        help = first.diagnostic.help
        message = first.diagnostic.message
        if ir.first_hole(spec) is not None:
            message += " (and no other filling fits together either)"
        raise SpecError([Diagnostic(message, first.diagnostic.span, help)], text, path)
    if fitting is not None and not exhaustive:
        return fitting
    raise SpecError([_unreachable(spec.require[i], architectures) for i, architectures in reached.items()], text, path)


def _drawn(spec: ir.Spec) -> Iterator[Architecture | Misfit]:
    rng = random.Random(0)
    for _ in range(DRAWS):
        try:
            yield resolve(spec, lambda hole: hole.low if isinstance(hole, ir.FloatRange) else rng.randrange(options(hole)))
        except Misfit as misfit:
            yield misfit


def _unreachable(condition: ir.Condition, architectures: list[Architecture]) -> Diagnostic:
    """What a space can reach of the measures a condition speaks of."""
    said = []
    for name, values in measures_of(condition, architectures).items():
        low, high = min(values), max(values)
        said.append(f"{name} is {low:,}" if low == high else f"{name} goes from {low:,} to {high:,}")
    return Diagnostic("no member of this space meets this requirement", condition.at, f"here {', '.join(said)}")
