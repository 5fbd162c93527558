"""What a picture shows, before anything has a place: rows of blocks, alternatives and repeats, with their words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from archdsl.network import Architecture


@dataclass(frozen=True)
class Tile:
    """One block or layer.

    Attributes:
        label: what stands in it.
        path: tells it from all others in the picture.
        look: `block` in the colours of its roles, `layer` for everything else, `input` and `output` for the two ends,
            `nothing` for an empty alternative, `legend` for a sample of a block.
        roles: what the block does: `conv`, `msa`, `mlp`.
        shrinks: by how much it divides height and width.
        optional: whether only some members have it.
        notes: short lines below it.
        title: what hovering over it says.
    """

    label: str
    path: str
    look: Literal["block", "layer", "input", "output", "nothing", "legend"] = "block"
    roles: tuple[str, ...] = ()
    shrinks: int = 1
    optional: bool = False
    notes: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Alternatives:
    """A hole where blocks stand; `name` is set where several places share the decision."""

    path: str
    options: tuple[tuple[Part, ...], ...]
    name: str = ""


@dataclass(frozen=True)
class Repeated:
    """Parts that stand several times: `times` is a hole (`×{1..3}`), or a number where a long run is folded."""

    path: str
    parts: tuple[Part, ...]
    times: str


@dataclass(frozen=True)
class Group:
    """A block that shows what it is made of: the parts of each branch; one branch unless it is a sum or the like."""

    tile: Tile
    branches: tuple[tuple[Part, ...], ...]

    @property
    def path(self) -> str:
        """As of its tile."""
        return self.tile.path


Part: TypeAlias = Tile | Alternatives | Repeated | Group


@dataclass(frozen=True)
class Row:
    """The stem, a stage or the head.

    Attributes:
        name: as in module paths (`stage2`).
        width: channels that leave it, in words.
        resolution: height and width that leave it, in words.
        channels, side: the same as numbers, for the sketch of the feature map.
        notes: arguments of all its blocks.
        params, macs: None in spaces, where they are not one number.
    """

    name: str
    width: str
    resolution: str
    channels: int
    side: tuple[int, int]
    notes: tuple[str, ...]
    parts: tuple[Part, ...]
    params: int | None = None
    macs: int | None = None

    @property
    def is_stage(self) -> bool:
        """Whether it is neither stem nor head."""
        return self.name.startswith("stage")


Mark: TypeAlias = Literal["block", "kind", "shrinks", "optional", "hole", "nothing", "shared"]


@dataclass(frozen=True)
class Entry:
    """An entry of the legend: a mark and what it means.

    Attributes:
        label: what stands in the mark of a block, or which kind a colour is.
    """

    mark: Mark
    meaning: str
    label: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A whole picture.

    Attributes:
        name: of the model.
        summary: input, classes, size and cost, in words.
        notes: holes that stand in no block.
        legend: the labels, then the colours and outlines that occur.
        shared: names of the decisions that several places share, in the order of the text.
        member: the network the shapes are those of.
    """

    name: str
    summary: tuple[str, ...]
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    legend: tuple[Entry, ...]
    shared: tuple[str, ...]
    member: Architecture


def inside(part: Part) -> tuple[tuple[Part, ...], ...]:
    """The sequences a part holds."""
    match part:
        case Alternatives():
            return part.options
        case Repeated():
            return (part.parts,)
        case Group():
            return ((part.tile,), *part.branches)
    return ()


def walk(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Some parts and all that stands inside them, each before what it holds."""
    for part in parts:
        yield part
        for inner in inside(part):
            yield from walk(inner)


def tiles(parts: tuple[Part, ...]) -> list[Tile]:
    """All blocks and layers among some parts, those inside others too."""
    return [part for part in walk(parts) if isinstance(part, Tile)]
