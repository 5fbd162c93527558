"""Lists the members of a space lazily, each network once, or draws them at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from archdsl import ir
from archdsl.network import Architecture
from archdsl.space.counted import Counted, counted
from archdsl.space.enumeration import draw, fillings, is_feasible

# Fruitless draws in a row before one looks at what is left instead; and how many networks one looks at then.
DRAWS = 2_000


def list_members(spec: ir.Spec, key: Callable[[Architecture], str] | None = None) -> Iterator[Architecture]:
    """Every feasible member, lazily, each network once, without visiting what is not feasible.

    Args:
        spec: the space.
        key: what else tells members apart; by default their hash.
    """
    known = counted(spec)
    networks = known.listed_networks() if known is not None and key is None else None
    if networks is not None:
        yield from networks
        return
    found = known.listed() if known is not None else _enumerated(spec)
    seen: set[str] = set()
    for member in found:
        identity = member.hash if key is None else key(member)
        if identity not in seen:
            seen.add(identity)
            yield member


def _enumerated(spec: ir.Spec) -> Iterator[Architecture]:
    return (found for found in fillings(spec) if isinstance(found, Architecture) and is_feasible(spec, found))


def draw_members(spec: ir.Spec, count: int, seed: int) -> list[Architecture]:
    """Different feasible members, drawn at random; fewer than `count` when there are no more, or no more are found.

    Each is drawn evenly from the feasible fillings of the networks that are not there yet, so a network comes first
    the likelier the more fillings describe it. Only where a space is too large to be counted (`extent` says so) holes
    are decided evenly one by one, which is not the same.
    """
    rng = random.Random(seed)
    known = counted(spec)
    everyone = known.networks.total if known is not None and known.networks is not None else None
    wanted = count if everyone is None else min(count, everyone)
    found: dict[str, Architecture] = {}
    misses = 0
    while len(found) < wanted and misses < DRAWS:
        member = known.draw(rng)[0] if known is not None else draw(spec, rng)
        misses += 1
        if member is not None and member.hash not in found:
            found[member.hash] = member
            misses = 0
        if known is not None and not known.total:
            break
    if len(found) < wanted and known is not None and everyone is not None and everyone <= 10 * DRAWS:
        found |= _rest(known, found, wanted - len(found), rng)
    return list(found.values())


def draw_endlessly(spec: ir.Spec, seed: int) -> Iterator[Architecture]:
    """Feasible members without end, each drawn like the first of `draw_members`, so that members come again.

    It ends only where `DRAWS` draws in a row gave none.
    """
    rng = random.Random(seed)
    known = counted(spec)
    misses = 0
    while misses < DRAWS:
        member = known.draw(rng)[0] if known is not None else draw(spec, rng)
        misses += 1
        if member is not None:
            misses = 0
            yield member


def _rest(known: Counted, found: dict[str, Architecture], count: int, rng: random.Random) -> dict[str, Architecture]:
    """Networks that are so rare among the fillings that they do not turn up, drawn from the list of what is left."""
    left = [(m, ways) for m, ways in known.weighted_networks() if m.hash not in found]
    drawn: dict[str, Architecture] = {}
    for _ in range(min(count, len(left))):
        ticket = rng.randrange(sum(ways for _, ways in left))
        for place, (member, ways) in enumerate(left):
            ticket -= ways
            if ticket < 0:
                drawn[member.hash] = member
                del left[place]
                break
    return drawn
