"""Compares two architectures by parts, blocks and arguments, not by lines of text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from archdsl import ir
from archdsl.blocks.composites.kinds import Use
from archdsl.ir.arguments import show
from archdsl.network import Architecture, PlacedBlock, PlacedStage
from archdsl.network.alignment import align

# Arguments that say nothing of their own: a width or stride that comes from the stage, the head's number of classes.
FOLLOWS, CLASSES = "as the stage", "classes"

Status: TypeAlias = Literal["kept", "changed", "replaced", "added", "removed"]


@dataclass(frozen=True)
class Change:
    """Something with a name that has another value."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Side:
    """A block of one of the networks: its module path, its name there, and what it is (`msa(heads=6)`)."""

    path: str
    label: str
    kind: str
    written: str


@dataclass(frozen=True)
class BlockChange:
    """A block of the one, of the other, or of both.

    Attributes:
        status: `kept`, `changed` (arguments), `replaced` (by one of another kind), `added` or `removed`.
        before, after: the block in each network, None where it is not.
        arguments: those that differ.
    """

    status: Status
    before: Side | None
    after: Side | None
    arguments: tuple[Change, ...] = ()


@dataclass(frozen=True)
class PartDifference:
    """The stem, a stage or the head.

    Attributes:
        name: `stem`, `stage2`, `head`.
        status: `added` or `removed` for a stage that only one of the two has.
        changes: width, stride, downsampling layer, resolution that leaves it.
        blocks: all of them, aligned.
    """

    name: str
    status: Status
    changes: tuple[Change, ...]
    blocks: tuple[BlockChange, ...]

    @property
    def differs(self) -> bool:
        """Whether there is anything to say of it."""
        return self.status != "kept"


@dataclass(frozen=True)
class Total:
    """Parameters, MACs or depth of both; `ratio` is after/before, None where there was nothing before."""

    name: str
    before: int
    after: int

    @property
    def ratio(self) -> float | None:
        """How many times as much there is after."""
        return self.after / self.before if self.before else None


@dataclass(frozen=True)
class Difference:
    """What differs between two networks.

    Attributes:
        before, after: their names.
        hashes: of both; equal for the same network, whatever its parts are called.
        changes: input and classes, where they differ.
        parts: stem, stages, head, those without difference too.
        totals: parameters, MACs, depth.
    """

    before: str
    after: str
    hashes: tuple[str, str]
    changes: tuple[Change, ...]
    parts: tuple[PartDifference, ...]
    totals: tuple[Total, ...]

    @property
    def same(self) -> bool:
        """Whether both are the same network."""
        return self.hashes[0] == self.hashes[1]

    def table(self) -> dict[str, Any]:
        """The difference as plain data, as `archdsl diff --json` prints it."""
        return {
            "same": self.same,
            "before": {"name": self.before, "hash": self.hashes[0]},
            "after": {"name": self.after, "hash": self.hashes[1]},
            "changes": [dataclasses.asdict(change) for change in self.changes],
            "parts": [dataclasses.asdict(part) for part in self.parts],
            "totals": [dataclasses.asdict(total) | {"ratio": total.ratio} for total in self.totals],
        }


def difference(a: Architecture, b: Architecture) -> Difference:
    """What one has to change to get from `a` to `b`.

    Stages are compared by their number; blocks within a stage, the stem and the head are aligned so that as little as
    possible changes.
    """
    own = [Change("input", list(a.input), list(b.input))] if a.input != b.input else []
    own += [Change("classes", a.classes, b.classes)] if a.classes != b.classes else []
    parts = [_part("stem", (), _Blocks(a.stem), _Blocks(b.stem))]
    parts += [_stage(number, a, b) for number in range(1, max(len(a.stages), len(b.stages)) + 1)]
    parts.append(_part("head", (), _Blocks(a.head, classes=a.classes), _Blocks(b.head, classes=b.classes)))
    totals = tuple(Total(name, getattr(a, name), getattr(b, name)) for name in ("params", "macs", "depth"))
    return Difference(a.name, b.name, (a.hash, b.hash), tuple(own), tuple(parts), totals)


def _stage(number: int, a: Architecture, b: Architecture) -> PartDifference:
    name = f"stage{number}"
    before, after = (x.stages[number - 1] if number <= len(x.stages) else None for x in (a, b))
    blocks = [_Blocks(() if stage is None else stage.blocks, stage) for stage in (before, after)]
    if before is None or after is None:
        alone = _part(name, (), *blocks)
        return dataclasses.replace(alone, status="added" if before is None else "removed")
    changes = [
        Change(what, getattr(before, what), getattr(after, what))
        for what in ("width", "stride")
        if getattr(before, what) != getattr(after, what)
    ]
    down = [stage.downsampling.kind if stage.downsampling else None for stage in (before, after)]
    if down[0] != down[1]:
        changes.append(Change("downsampling", *down))
    sizes = [_size(stage) for stage in (before, after)]
    if None not in sizes and sizes[0] != sizes[1]:
        changes.append(Change("resolution", *sizes))
    return _part(name, tuple(changes), *blocks)


def _size(stage: PlacedStage) -> list[int] | None:
    """Height and width that leave a stage, None where it has no blocks."""
    last = stage.blocks[-1] if stage.blocks else stage.downsampling
    return None if last is None else [last.cost.out.height, last.cost.out.width]


def _part(name: str, changes: tuple[Change, ...], before: _Blocks, after: _Blocks) -> PartDifference:
    blocks = tuple(_aligned(before, after))
    kept = not changes and all(block.status == "kept" for block in blocks)
    return PartDifference(name, "kept" if kept else "changed", changes, blocks)


# ---- blocks --------------------------------------------------------------------------------------------------------


class _Blocks:
    """Blocks side by side, with what surrounds them: their arguments say only what does not follow from that."""

    def __init__(
        self, placed: Sequence[PlacedBlock], stage: PlacedStage | None = None, classes: int | None = None
    ) -> None:
        self.placed = placed
        self.arguments = [_arguments(block, stage, classes) for block in placed]
        written: dict[int, str] = {}  # definitions are shared by many blocks
        self.contents = [_content(block, written) for block in placed]
        self.keys = [
            (block.kind, content, tuple((name, type(value), value) for name, value in arguments.items()))
            for block, content, arguments in zip(placed, self.contents, self.arguments, strict=True)
        ]

    def equal(self, i: int, other: _Blocks, j: int) -> bool:
        """Whether two blocks are the same, each in its surroundings, or compute the same under other names."""
        meaning = getattr(self.placed[i], "meaning", None)
        same = meaning is not None and meaning == getattr(other.placed[j], "meaning", None)
        return same or self.keys[i] == other.keys[j]

    def cost(self, i: int, other: _Blocks, j: int) -> int:
        """Of having one for the other: equal, of one kind, of different kinds."""
        return 0 if self.equal(i, other, j) else 2 if self.placed[i].kind == other.placed[j].kind else 3

    def changes(self, i: int, other: _Blocks, j: int) -> tuple[Change, ...]:
        """The arguments in which two blocks of a kind differ."""
        mine, theirs = self.arguments[i], other.arguments[j]
        found = [
            Change(name, self.placed[i].values.get(name), other.placed[j].values.get(name))
            for name in dict.fromkeys((*mine, *theirs))
            if (type(mine.get(name)), mine.get(name)) != (type(theirs.get(name)), theirs.get(name))
        ]
        if self.contents[i] != other.contents[j]:
            found.append(Change("definition", "one", "another"))
        return tuple(found)

    def side(self, i: int) -> Side:
        """A block as text."""
        block, fields = self.placed[i], self.placed[i].fields
        said = [
            f"{name}={show(value)}"
            for name, value in self.arguments[i].items()
            if value not in (FOLLOWS, CLASSES) and (fields[name].is_required() or value != fields[name].default)
        ]
        written = f"{block.kind}({', '.join(said)})" if said else block.kind
        return Side(block.path, block.label, block.kind, written)


def _arguments(block: PlacedBlock, stage: PlacedStage | None, classes: int | None) -> dict[str, ir.Scalar]:
    found = dict(block.values)
    if stage is not None:
        if found.get("width") == stage.width:
            found["width"] = FOLLOWS
        if found.get("stride") == (stage.stride if block.index == 1 else 1):
            found["stride"] = FOLLOWS
    if classes is not None and found.get("out_features") == classes:
        found["out_features"] = CLASSES
    return found


def _content(block: PlacedBlock, written: dict[int, str]) -> str:
    """What a block that is said in the language is made of; empty for those that are not."""
    if not isinstance(block.block, Use):
        return ""
    items = block.block.items
    if id(items) not in written:
        written[id(items)] = "".join(item.model_dump_json() for item in items)
    return written[id(items)]


def _aligned(a: _Blocks, b: _Blocks) -> Iterator[BlockChange]:
    for i, j in align(len(a.placed), len(b.placed), lambda i, j: a.cost(i, b, j)):
        before, after = None if i is None else a.side(i), None if j is None else b.side(j)
        if i is None or j is None:
            yield BlockChange("added" if i is None else "removed", before, after)
        elif a.equal(i, b, j):
            yield BlockChange("kept", before, after)
        elif a.placed[i].kind != b.placed[j].kind:
            yield BlockChange("replaced", before, after)
        else:
            yield BlockChange("changed", before, after, a.changes(i, b, j))
