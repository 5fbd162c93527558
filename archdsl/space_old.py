"""The members of a spec with holes: how many there are, how many satisfy its requirements, drawing and listing them."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

from archdsl import ir
from archdsl.architecture import Architecture, Misfit, holds, measured, resolve, resolve_model
from archdsl.arguments import calculate, show
from archdsl.errors import Diagnostic, SpecError
from archdsl.wording import option_labels

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
            yield from _unconditional((part.arguments, part.items or ()))
        case ir.StageSpec():
            yield from _unconditional((part.holes, part.width, part.stride, part.down, part.items))


# ---- size ------------------------------------------------------------------------------------------------

# What is decided so far among the holes that have to be remembered, and in how many ways one got there.
_States: TypeAlias = dict[tuple[tuple[str, int], ...], int]

MAX_STATES = 100_000
MAX_SIZE = 10**1000


def size(spec: ir.Spec) -> int:
    """The number of ways to fill the holes, exactly, a hole counting only where it is met.

    Walks through the spec once, counting ways. Only holes that stand in several places (and those of repeat counts) are
    remembered, and no longer than they are needed: a thousand independent choices cost no more than a thousand steps.

    Raises:
        SpecError: too many shared holes depend on each other to count the ways, or there are more than 10^1000.
    """
    parts: tuple[Any, ...] = (spec.holes, spec.stem, *spec.stages, spec.head, tuple(spec.train.values()))
    counting = _Counting(spec)
    names = [{hole.name for hole in ir.holes_in(part)} & counting.shared for part in parts]
    states: _States = {(): counting.factor}
    for number, part in enumerate(parts, start=1):
        later = set().union(*names[number:])
        states = counting.through(part, states)
        states = _sum({tuple(d for d in decided if d[0] in later): ways} for decided, ways in states.items())
    total = sum(states.values())
    if total > MAX_SIZE:
        raise SpecError([Diagnostic("this space has more than 10^1000 members", None, "use fewer holes")])
    return total


class _Counting:
    """What has to be remembered while counting.

    Attributes:
        factor: ways to decide the shared holes that nothing else depends on.
        settled: their names.
        shared: names of the other holes that stand in several places, and of those in repeat counts.
    """

    def __init__(self, spec: ir.Spec) -> None:
        places = Counter(hole.name for hole in ir.holes_in(spec))
        counts = {hole.name for repeat in ir.repeats(spec) for hole in ir.holes_in(repeat.times)}
        self.settled: set[str] = set()
        self.shared = {name for name, count in places.items() if count > 1} | counts
        self.factor = 1
        for hole in _unconditional((spec.holes, spec.stem, spec.stages, spec.head, spec.train)):
            if places[hole.name] == 1 or hole.name in self.settled or isinstance(hole, ir.FloatRange):
                continue
            inside = Counter(inner.name for inner in ir.holes_in(_alternatives(hole)))
            alone = all(places[name] == count * places[hole.name] for name, count in inside.items())
            if alone and not counts & {hole.name, *inside}:
                # Always met, and what it holds stands nowhere else: its ways multiply those of all the rest.
                self.settled.add(hole.name)
                ways = _sum(self.through(alternative, {(): 1}) for alternative in _alternatives(hole))
                self.factor *= sum(ways.values())
        self.shared -= self.settled

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
                return self.through((*part.arguments.values(), *(part.items or ())), states)
            case ir.Arithmetic():
                return self.through((part.left, part.right), states)
            case ir.Pick() | ir.ChoiceSpec() | ir.IntRange():
                return self._branch(part, states)
            case ir.RepeatSpec():
                return _sum(
                    self.through(part.taken(_times(part.times, dict(decided))), {decided: ways})
                    for decided, ways in self.through(part.times, states).items()
                )
        return states

    def _branch(self, hole: ir.Pick | ir.ChoiceSpec | ir.IntRange, states: _States) -> _States:
        name, alternatives = hole.name, _alternatives(hole)
        if name in self.settled:
            return states
        if name not in self.shared:
            if isinstance(hole, ir.IntRange):
                return {state: ways * hole.count() for state, ways in states.items()}
            return _sum(self.through(alternative, states) for alternative in alternatives)
        results: list[_States] = []
        for state, ways in states.items():
            taken = dict(state).get(name)
            for index, alternative in enumerate(alternatives):
                if taken is None or taken == index:
                    decided = state if taken is not None else (*state, (name, index))
                    results.append(self.through(alternative, {decided: ways}))
            if len(results) > MAX_STATES:
                help = "use fewer lets with holes, or write them where they are used"
                raise SpecError([Diagnostic("shared holes depend on each other in too many ways", hole.at, help)])
        return _sum(results)


def _alternatives(hole: Hole) -> tuple[Any, ...]:
    """What each option of a hole holds, as far as holes in it go."""
    if isinstance(hole, (ir.Pick, ir.ChoiceSpec)):
        return hole.options
    return ((),) * options(hole)


def _times(value: ir.Value, decided: dict[str, int]) -> int:
    """A repeat count, its holes being decided."""
    match value:
        case ir.Pick():
            return _times(value.options[decided[value.name]], decided)
        case ir.IntRange():
            return value.low + decided[value.name] * value.step
        case ir.Arithmetic():
            return int(calculate(value.op, _times(value.left, decided), _times(value.right, decided)))
    return int(value) if isinstance(value, (int, float)) else 0


def _sum(many: Iterable[_States]) -> _States:
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


def members(spec: ir.Spec, key: Callable[[Architecture], str] = lambda a: a.hash) -> Iterator[Architecture]:
    """Every feasible member, lazily, each network once (or whatever else `key` tells apart)."""
    seen: set[str] = set()
    for found in fillings(spec):
        if isinstance(found, Architecture) and all(holds(c, found) for c in spec.require) and key(found) not in seen:
            seen.add(key(found))
            yield found


def sample(spec: ir.Spec, count: int, seed: int) -> list[Architecture]:
    """Different feasible members, drawn at random; fewer than `count` when there are no more, or no more are found."""
    rng = random.Random(seed)
    if size(spec) <= DRAWS:
        everyone = list(members(spec))
        return rng.sample(everyone, min(count, len(everyone)))
    found: dict[str, Architecture] = {}
    misses = 0
    while len(found) < count and misses < DRAWS:
        member = draw(spec, rng)
        misses += 1
        if member is not None and member.hash not in found:
            found[member.hash] = member
            misses = 0
    return list(found.values())


@dataclass(frozen=True)
class Extent:
    """How large a space is.

    Attributes:
        size: fillings, exactly.
        feasible: fillings that fit together and satisfy `require`; None where there are too many to look at each.
        networks: different networks among those; None likewise.
        feasible_estimate: where `feasible` is None.
        feasible_interval: lowest and highest plausible number, in 95 of 100 cases.
        draws: how many draws the estimate rests on.
    """

    size: int
    feasible: int | None
    networks: int | None
    feasible_estimate: int | None = None
    feasible_interval: tuple[int, int] | None = None
    draws: int | None = None


def extent(spec: ir.Spec, seed: int = 0) -> Extent:
    """Count a space: one by one up to 20,000 fillings, else by draws weighted to be even over fillings."""
    total = size(spec)
    if total <= EXACT_LIMIT:
        feasible, networks = 0, set()
        for found in fillings(spec):
            if isinstance(found, Architecture) and all(holds(condition, found) for condition in spec.require):
                feasible += 1
                networks.add(found.hash)
        return Extent(total, feasible, len(networks))
    # Shares of the whole rather than numbers: a large space has more fillings than a float can hold.
    draws = _draws(spec)
    shares = _shares(spec, total, random.Random(seed), draws)
    mean = math.fsum(shares) / draws
    spread = math.sqrt(math.fsum((share - mean) ** 2 for share in shares) / (draws - 1) / draws)
    low, high = mean - 1.96 * spread, mean + 1.96 * spread
    if not any(shares):
        high = 1 - 0.05 ** (1 / draws)  # the exact bound for no success in so many draws
    estimate, lowest, highest = (math.ceil(Fraction(min(1.0, max(0.0, share))) * total) for share in (mean, low, high))
    return Extent(total, None, None, estimate, (lowest, highest), draws)


def _draws(spec: ir.Spec) -> int:
    """How many draws to make: 2,000, fewer of very deep networks, which take longer each."""
    blocks = sum(isinstance(node, ir.BlockSpec) for node in ir.walk(spec))
    return max(100, min(DRAWS, 100_000 // max(1, blocks)))


def _shares(spec: ir.Spec, total: int, rng: random.Random, draws: int) -> list[float]:
    """For each draw its weight as a share of the space, 0 where it is not feasible."""
    shares = []
    for _ in range(draws):
        weight = [1]

        def choose(hole: Hole, weight: list[int] = weight) -> float:
            if isinstance(hole, ir.FloatRange):
                return hole.low
            weight[0] *= options(hole)
            return rng.randrange(options(hole))

        # Decided evenly, a filling comes up with probability 1/weight, so the mean of the weights of the feasible
        # ones estimates how many there are (Knuth 1975, on estimating the size of a search tree).
        shares.append(weight[0] / total if attempt(spec, choose) is not None else 0.0)
    return shares


def check(spec: ir.Spec, text: str = "", path: str = "<spec>") -> Architecture:
    """One feasible member of a space, or the model itself, or why there is none.

    Raises:
        SpecError: no filling fits together, or none satisfies `require`, with what can be reached. A space too large
            to look at every filling passes when nothing feasible turned up but something fits together.
    """
    if ir.first_hole(spec) is None:
        return resolve_model(spec, text, path)
    first: Misfit | None = None
    fitting: Architecture | None = None
    reached = [_Reach(condition) for condition in spec.require]
    try:
        exhaustive = size(spec) <= EXACT_LIMIT
    except SpecError as error:
        raise SpecError(error.diagnostics, text, path) from None
    for found in fillings(spec) if exhaustive else _drawn(spec):
        if isinstance(found, Misfit):
            first = first or found
            continue
        fitting = fitting or found
        met = [reach.add(found) for reach in reached]  # every condition is to see it
        if all(met):
            return found
    if fitting is None and first is not None:
        others = "no other filling fits" if exhaustive else f"none of {_draws(spec):,} drawn fillings fits"
        message = f"{first.diagnostic.message} (and {others} together either)"
        raise SpecError([Diagnostic(message, first.diagnostic.span, first.diagnostic.help)], text, path)
    if fitting is not None and not exhaustive:
        return fitting
    raise SpecError(_unreachable(reached), text, path)


def _drawn(spec: ir.Spec) -> Iterator[Architecture | Misfit]:
    rng = random.Random(0)
    for _ in range(_draws(spec)):
        try:
            yield resolve(
                spec, lambda hole: hole.low if isinstance(hole, ir.FloatRange) else rng.randrange(options(hole))
            )
        except Misfit as misfit:
            yield misfit


class _Reach:
    """What a space can reach of the measures a condition speaks of, and whether it meets the condition."""

    def __init__(self, condition: ir.Condition) -> None:
        self.condition = condition
        self.met = False
        self.ranges: dict[str, tuple[float, float]] = {}

    def add(self, architecture: Architecture) -> bool:
        """Look at one more member; whether it meets the condition."""
        for name, value in measured(self.condition, architecture).items():
            low, high = self.ranges.get(name, (value, value))
            self.ranges[name] = min(low, value), max(high, value)
        met = holds(self.condition, architecture)
        self.met = self.met or met
        return met

    def __str__(self) -> str:
        return ", ".join(
            f"{name} is {low:,}" if low == high else f"{name} goes from {low:,} to {high:,}"
            for name, (low, high) in self.ranges.items()
        )


def _unreachable(reached: list[_Reach]) -> list[Diagnostic]:
    never = [reach for reach in reached if not reach.met]
    if never:
        message = "no member of this space meets this requirement"
        return [Diagnostic(message, reach.condition.at, f"here {reach}") for reach in never]
    message = "no member of this space meets this requirement and the others at once"
    help = f"one by one they can be met: {'; '.join(map(str, reached))}"
    return [Diagnostic(message, reached[-1].condition.at, help)]
