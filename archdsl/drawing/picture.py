"""Holds what a picture shows before anything has a place: rows of blocks, alternatives and repeats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias


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
class Frame:
    """Sequences of parts one above the other in a frame.

    Attributes:
        kind: a `hole` where blocks stand, whose sequences are its options; a `repeat` of the one sequence; a `block`
            that shows what it is made of, with a sequence per branch.
        label: of a hole its name, where several places share the decision; of a repeat how often: `×{1..3}`, or a
            number where a long run is folded.
        tile: the block.
    """

    kind: Literal["hole", "repeat", "block"]
    path: str
    sequences: tuple[tuple[Part, ...], ...]
    label: str = ""
    tile: Tile | None = None


Part: TypeAlias = Tile | Frame


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
    """

    name: str
    summary: tuple[str, ...]
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    legend: tuple[Entry, ...]
    shared: tuple[str, ...]


def walk(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Some parts and all that stands inside them, each before what it holds."""
    for part in parts:
        yield part
        if isinstance(part, Frame):
            if part.tile is not None:
                yield part.tile
            for inner in part.sequences:
                yield from walk(inner)


def tiles(parts: tuple[Part, ...]) -> list[Tile]:
    """All blocks and layers among some parts, those inside others too."""
    return [part for part in walk(parts) if isinstance(part, Tile)]


def fold(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Runs of equal blocks, or of equal groups of up to four, as one with a count.

    >>> fold((Tile("C", "a"), Tile("M", "b")) * 3)[0].label
    '×3'
    """
    found: list[Part] = []
    looks = [_look(part) for part in parts]
    at = 0
    while at < len(parts):
        best, saved = (1, 1), 0
        for period in (1, 2, 3, 4):
            times = 1
            while looks[at + times * period : at + (times + 1) * period] == looks[at : at + period]:
                times += 1
            if times > 1 and (times - 1) * period > saved:
                best, saved = (period, times), (times - 1) * period
        period, times = best
        run = parts[at : at + period]
        found += run if times == 1 else [Frame("repeat", f"run.{run[0].path}", (run,), f"×{times}")]
        at += period * times
    return tuple(found)


def _look(part: Part) -> object:
    """What makes two parts look the same: everything but where they stand."""
    if isinstance(part, Tile):
        return part.label, part.look, part.roles, part.shrinks, part.optional, part.notes
    tile = None if part.tile is None else _look(part.tile)
    return part.kind, part.label, tile, tuple(tuple(map(_look, sequence)) for sequence in part.sequences)
