"""Compares two specs, with holes or without: their decisions and their plainest members."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from archdsl import ir, space
from archdsl.base.errors import SpecError
from archdsl.network import Misfit, resolve
from archdsl.network.comparison import Change, Difference, difference
from archdsl.network.identity import spec_hash

Fate: TypeAlias = Literal["changed", "added", "removed"]


@dataclass(frozen=True)
class DecisionChange:
    """A decision by name, with its choices in each space; empty where it is not."""

    name: str
    status: Fate
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class SpaceDifference:
    """What differs between two spaces, or between a space and a network.

    Attributes:
        before, after: their names.
        hashes: of both; equal for the same space.
        sizes: how many fillings each has; None where they cannot be counted.
        decisions: those that differ, in the order of the text.
        kept: how many do not.
        plain: the difference of the plainest members, None where one of them does not fit together.
    """

    before: str
    after: str
    hashes: tuple[str, str]
    sizes: tuple[int | None, int | None]
    decisions: tuple[DecisionChange, ...]
    kept: int
    plain: Difference | None

    @property
    def same(self) -> bool:
        """Whether both are the same space of networks."""
        return self.hashes[0] == self.hashes[1]

    def table(self) -> dict[str, Any]:
        """The difference as plain data, as `archdsl diff --json` prints it."""
        return {
            "same": self.same,
            "before": {"name": self.before, "hash": self.hashes[0], "size": self.sizes[0]},
            "after": {"name": self.after, "hash": self.hashes[1], "size": self.sizes[1]},
            "decisions": [dataclasses.asdict(decision) for decision in self.decisions],
            "plain": None if self.plain is None else self.plain.table(),
        }

    @property
    def size(self) -> Change | None:
        """Of the space, where it changed."""
        return None if self.sizes[0] == self.sizes[1] else Change("size", *self.sizes)


def compare(a: ir.Spec, b: ir.Spec) -> Difference | SpaceDifference:
    """The difference of two networks, or of two spaces where either has holes.

    Raises:
        Misfit: the blocks of a network do not fit together.
    """
    if ir.first_hole(a) is None and ir.first_hole(b) is None:
        return difference(resolve(a), resolve(b))
    before, after = ({d.name: d.choices for d in space.decisions(spec)} for spec in (a, b))
    changed = tuple(
        DecisionChange(name, _fate(name, before, after), before.get(name, ()), after.get(name, ()))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )
    kept = sum(before[name] == after.get(name) for name in before)
    return SpaceDifference(
        a.name, b.name, (spec_hash(a), spec_hash(b)), (_size(a), _size(b)), changed, kept, _plain(a, b)
    )


def _fate(name: str, before: dict[str, tuple[str, ...]], after: dict[str, tuple[str, ...]]) -> Fate:
    return "changed" if name in before and name in after else "added" if name in after else "removed"


def _size(spec: ir.Spec) -> int | None:
    try:
        return space.size(spec)
    except SpecError:
        return None


def _plain(a: ir.Spec, b: ir.Spec) -> Difference | None:
    """The difference of the members that take the first option everywhere."""
    try:
        return difference(resolve(a), resolve(b))
    except Misfit:
        return None
