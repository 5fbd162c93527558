"""Looks for a feasible member of a space whose plainest is none; says why there is none, and what can be reached."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress

from archdsl import ir
from archdsl.base.effort import TooLarge, left, limited
from archdsl.base.errors import Diagnostic, SpecError
from archdsl.ir.conditions import allows, countable, describe, figures, measures, reader
from archdsl.ir.decisions import Hole, options
from archdsl.network import Architecture, Misfit, resolve
from archdsl.space.conditions import Requirement
from archdsl.space.counted import Counted, counted
from archdsl.space.enumeration import draw, fillings
from archdsl.space.extents import EXACT_LIMIT, draws_for
from archdsl.space.graph import least_and_most

TRIED = 100  # members drawn before anything is counted
# Steps of `effort` for drawing these, for counting, for looking where nothing can be counted, and for saying why not.
DRAWING, COUNTING, LOOKING, SAYING = 30_000, 160_000, 40_000, 30_000
Ranges = dict[str, tuple[float, float]]


def find(spec: ir.Spec, total: int, plainest: Architecture | Misfit, text: str, path: str) -> Architecture:
    """One feasible member of a space of `total` fillings, by drawing, by counting, or by looking at some.

    Raises:
        SpecError: there is none, as far as can be told; see `archdsl.space.check`.
    """
    rng = random.Random(0)
    with suppress(TooLarge), limited(DRAWING):
        drawn = (draw(spec, rng) for _ in range(TRIED if total > EXACT_LIMIT else 0))
        if (member := next((m for m in drawn if m is not None), None)) is not None:
            return member
    try:
        with limited(COUNTING):
            known = counted(spec)
            member = _counted_member(spec, known, total) if known is not None else None
    except TooLarge:
        known = None
    if known is None:
        return _by_looking(spec, total, plainest, text, path)
    if known.fillings is None:
        first = next(fillings(spec))
        if isinstance(first, Misfit):
            raise _nothing_fits(first, "no other filling fits together either", text, path)
    if member is None:
        raise SpecError(_unreachable(known), text, path)
    return member


def _nothing_fits(first: Misfit, others: str, text: str, path: str) -> SpecError:
    message = f"{first.diagnostic.message} (and {others})"
    return SpecError([Diagnostic(message, first.diagnostic.span, first.diagnostic.help)], text, path)


def _counted_member(spec: ir.Spec, known: Counted, total: int) -> Architecture | None:
    """A feasible member; or else, where not all conditions could be counted, one that fits together.

    None where it is certain that there is no feasible one.
    """
    if known.is_exact:
        return next(known.listed(), None)
    if not known.total or _never(known):
        return None
    if total <= EXACT_LIMIT:
        return next(known.listed(), None)
    rng = random.Random(0)
    with suppress(TooLarge), limited(left() / 2):
        drawn = (known.draw(rng)[0] for _ in range(draws_for(spec)))
        if (member := next((member for member in drawn if member is not None), None)) is not None:
            return member
    return known.any()


# ---- what can be reached -----------------------------------------------------------------------------------


def _unreachable(known: Counted) -> list[Diagnostic]:
    """Which conditions cannot be met; or, where each can, that they cannot together."""
    if known.fillings is None:
        return []
    try:
        with limited(SAYING):
            if never := _never(known):
                message = "no member of this space meets this requirement"
                return [Diagnostic(message, c.at, f"here {_said(ranges(known, c))}") for c in never]
            reached = "; ".join(_said(ranges(known, condition)) for condition in known.conditions)
    except TooLarge:
        return [Diagnostic("no member of this space meets what it requires", known.conditions[-1].at)]
    message = "no member of this space meets this requirement and the others at once"
    return [Diagnostic(message, known.conditions[-1].at, f"one by one they can be met: {reached}")]


def _never(known: Counted) -> list[ir.Condition]:
    """The conditions that no filling meets, others aside."""
    found = []
    for condition in known.conditions:
        if condition in known.uncountable:
            continue
        try:
            with limited(left() / 2):
                alone = Requirement((condition,), known.measures)
                if known.fillings and not known.count_with(known.fillings, alone).total:
                    found.append(condition)
        except TooLarge:
            continue
    return found


def ranges(known: Counted, condition: ir.Condition) -> Ranges:
    """The least and the most that fillings have of each measure in a condition."""
    if known.fillings is None:
        return {}
    found: Ranges = {}
    for measure in measures(condition):
        low, high = least_and_most(known.fillings, [int(m == measure) for m in known.measures])
        found[describe(measure)] = low[0], high[0]
    return found


def _said(ranges: Ranges) -> str:
    return ", ".join(
        f"{name} is {low:,}" if low == high else f"{name} goes from {low:,} to {high:,}"
        for name, (low, high) in ranges.items()
    )


# ---- spaces without an automaton -----------------------------------------------------------------------------


def _by_looking(spec: ir.Spec, total: int, plainest: Architecture | Misfit, text: str, path: str) -> Architecture:
    """Look at all fillings, or at some that are drawn, however few there is time for; the plainest is known."""
    exhaustive = total <= EXACT_LIMIT
    fitting, first = (plainest, None) if isinstance(plainest, Architecture) else (None, plainest)
    required = countable(spec.require)
    reached: list[Ranges] = [{} for _ in required]
    met = [False] * len(required)
    looked = 0
    try:
        with limited(LOOKING):
            for found in fillings(spec) if exhaustive else _drawn(spec):
                looked += 1
                if isinstance(found, Misfit):
                    first = first or found
                    continue
                fitting = fitting or found
                now = [allows(condition, found) for condition in required]
                if all(now):
                    return found
                met = [a or b for a, b in zip(met, now, strict=True)]
                for condition, ranges in zip(required, reached, strict=True):
                    for name, value in figures(condition, reader(found)).items():
                        low, high = ranges.get(name, (value, value))
                        ranges[name] = min(low, value), max(high, value)
    except TooLarge:
        exhaustive = False
    if fitting is None and first is not None:
        others = "no other filling" if exhaustive else f"none of {looked:,} fillings that were tried"
        others += " fits together either"
        raise _nothing_fits(
            first, others if exhaustive or looked else "there is too much in it to try others", text, path
        )
    if fitting is not None and not exhaustive:
        return fitting
    raise SpecError(_unreached(required, met, reached), text, path)


def _unreached(required: Sequence[ir.Condition], met: list[bool], reached: list[Ranges]) -> list[Diagnostic]:
    if not all(met):
        message = "no member of this space meets this requirement"
        tried = zip(required, reached, met, strict=True)
        return [Diagnostic(message, condition.at, f"here {_said(r)}") for condition, r, ok in tried if not ok]
    message = "no member of this space meets this requirement and the others at once"
    help = f"one by one they can be met: {'; '.join(map(_said, reached))}"
    return [Diagnostic(message, required[-1].at, help)]


def _drawn(spec: ir.Spec) -> Iterator[Architecture | Misfit]:
    rng = random.Random(0)

    def choose(hole: Hole) -> float:
        return hole.low if isinstance(hole, ir.FloatRange) else rng.randrange(options(hole))

    for _ in range(draws_for(spec)):
        try:
            yield resolve(spec, choose)
        except Misfit as misfit:
            yield misfit
