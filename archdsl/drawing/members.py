"""Finds a few members that together show each block of a spec: its kind, the shapes that flow, the costs.

A picture of a space needs facts that only members have (the resolution of a stage, what a block computes), but not all
of its members: the plainest, one per option, and one for each block that none of these holds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from archdsl import ir, space
from archdsl.base.errors import SpecError
from archdsl.ir.conditions import allows
from archdsl.network import Architecture, Choose, Misfit, PlacedBlock, first_option, resolve

KINDS = ("conv", "msa", "mlp")
OPTIONS = 8  # members that take the i-th option everywhere
DRAWS = 200
ENUMERATED = 512  # spaces up to this size are looked at member by member for their range of costs
BLOCKS_ENUMERATED = 100


@dataclass(frozen=True)
class Members:
    """Some members of a spec.

    Attributes:
        spec: what they are members of.
        seen: those that fit together, the plainest first; at least one.
        size: how many fillings there are; None where they cannot be counted.
    """

    spec: ir.Spec
    seen: tuple[Architecture, ...]
    size: int | None

    @property
    def plain(self) -> Architecture:
        """The plainest member."""
        return self.seen[0]

    @cached_property
    def roles(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """What the blocks of stages do (`conv`, `msa`, `mlp`), by label and registered name."""
        found: dict[tuple[str, str], set[str]] = {}
        for member in self.seen:
            kinds = _kinds(member)
            for stage in member.stages:
                for block in stage.blocks:
                    found.setdefault((block.label, block.kind), set()).update(kinds.get(block.path, ()))
        return {key: tuple(kind for kind in KINDS if kind in kinds) for key, kinds in found.items()}

    @cached_property
    def _plain_kinds(self) -> dict[str, set[str]]:
        return _kinds(self.plain)

    def roles_of(self, label: str, kind: str, placed: PlacedBlock | None) -> tuple[str, ...]:
        """What one block does, by its place where that is known."""
        if placed is None:
            return self.roles.get((label, kind), ())
        here = tuple(kind for kind in KINDS if kind in self._plain_kinds.get(placed.path, ()))
        return here or self.roles.get((label, kind), ())  # no unit where a block cannot be residual

    @cached_property
    def feasible(self) -> tuple[Architecture, ...]:
        """Members that satisfy `require`: all of a small space, else the first one met (none is an answer, too)."""
        blocks = sum(isinstance(node, ir.BlockSpec) for node in ir.walk(self.spec))
        if self.size is not None and 1 < self.size <= ENUMERATED and blocks <= BLOCKS_ENUMERATED:
            everyone = (m for m in space.fillings(self.spec) if isinstance(m, Architecture))
            return tuple(m for m in everyone if _meets(m, self.spec))
        met = next((m for m in self.seen if _meets(m, self.spec)), None)
        rng = random.Random(0)
        for _ in range(DRAWS if met is None and self.size != 1 else 0):
            met = space.draw(self.spec, rng)
            if met is not None:
                break
        return () if met is None else (met,)


def _kinds(member: Architecture) -> dict[str, set[str]]:
    """The kinds of the residual units in each block, by its path."""
    kinds: dict[str, set[str]] = {}
    for unit in member.units:  # `stage1.block2`, or a part of it: `stage1.block2.attn`
        kinds.setdefault(".".join(unit.path.split(".")[:2]), set()).add(unit.kind)
    return kinds


def _meets(member: Architecture, spec: ir.Spec) -> bool:
    return all(allows(condition, member) for condition in spec.require)


def look(spec: ir.Spec) -> Members:
    """Members of a spec that together hold each of its blocks, as far as that can be had.

    Raises:
        SpecError: no filling that was tried fits together.
    """
    seen: list[Architecture] = []
    wrong: Misfit | None = None
    for choose in _ways(spec, seen):
        try:
            seen.append(resolve(spec, choose))
        except Misfit as misfit:
            wrong = wrong or misfit
    if not seen and wrong is not None:
        raise SpecError([wrong.diagnostic])
    return Members(spec, tuple(seen), _size(spec))


def _size(spec: ir.Spec) -> int | None:
    try:
        return space.size(spec)
    except SpecError:
        return None


def _ways(spec: ir.Spec, seen: list[Architecture]) -> Iterator[Choose]:
    """Ways to fill the holes; the later ones only where `seen` still lacks something."""
    yield first_option
    holes = list(ir.holes(spec))
    most = max((space.options(hole) for hole in holes), default=1)
    for i in sorted({*range(1, min(most, OPTIONS)), most - 1} - {0}):
        yield _always(i, {})
    met = {(b.label, b.kind) for member in seen for b in member.blocks()}
    for block, needed in _blocks((spec.stem, spec.stages, spec.head), {}):
        key = (block.names[0] if block.names else block.kind, block.kind)
        if key not in met:
            met.add(key)
            yield from (_always(other, needed) for other in (0, 1))
    rng = random.Random(0)
    for _ in range(DRAWS if holes else 0):
        if seen:
            return
        yield lambda hole: hole.low if isinstance(hole, ir.FloatRange) else rng.randrange(space.options(hole))


def _always(index: int, needed: dict[str, float]) -> Choose:
    """Take what is `needed`, by a hole's name, and elsewhere the option of this index or the last one."""

    def choose(hole: space.Hole) -> float:
        usual = hole.low if isinstance(hole, ir.FloatRange) else min(index, space.options(hole) - 1)
        return needed.get(hole.name, usual)

    return choose


def _blocks(part: object, needed: dict[str, float]) -> Iterator[tuple[ir.BlockSpec, dict[str, float]]]:
    """Every block with the choices that lead to it."""
    match part:
        case tuple():
            for item in part:
                yield from _blocks(item, needed)
        case ir.StageSpec():
            yield from _blocks(part.items, needed)
        case ir.BlockSpec():
            yield part, needed
        case ir.ChoiceSpec():
            for index, option in enumerate(part.options):
                yield from _blocks(option, needed | {part.name: index})
        case ir.RepeatSpec():
            longest = {hole.name: space.options(hole) - 1.0 for hole in ir.holes_in(part.times)}
            yield from _blocks(part.copies[:1], needed | longest)
