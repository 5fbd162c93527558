"""Describes a spec as a `Picture`: what stands in every row, and which words say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from archdsl import ir
from archdsl.base import colours
from archdsl.blocks.shapes import Shape
from archdsl.drawing.labels import Labels, Names, has_holes
from archdsl.drawing.members import Members
from archdsl.drawing.picture import Entry, Frame, Part, Picture, Row, Tile, tiles, walk
from archdsl.drawing.rows import Drawer
from archdsl.drawing.words import TIMES, argument, between, count, figures, resolution, short, written
from archdsl.network import Architecture, PlacedBlock

MOST_STAGES = 100


def describe(members: Members, brief: bool = False) -> Picture:
    """The picture of a spec.

    Args:
        members: of the spec.
        brief: put letters for long names of blocks, which the legend explains.
    """
    spec = members.spec
    shared = _shared(spec)
    labels = Labels(spec, Names.of(spec, brief), frozenset(shared))
    rows = list(_rows(spec, members, Drawer(members, labels), labels))
    named = {part.label for row in rows for part in walk(row.parts) if isinstance(part, Frame) and part.kind == "hole"}
    drawn = tuple(name for name in shared if name in named)
    return Picture(short(spec.name, 36), _summary(members), _elsewhere(spec), tuple(rows), _legend(rows, labels), drawn)


def _shared(spec: ir.Spec) -> tuple[str, ...]:
    """Holes that a `let` shares, by name; what a stage or the defaults hand to their blocks is not meant."""
    places = Counter(hole.name for hole in ir.holes_in((spec.stem, spec.stages, spec.head)))
    parts = (spec.holes, *((stage.holes, stage.width, stage.stride, stage.down) for stage in spec.stages))
    handed = {hole.name for hole in ir.holes_in(parts)}
    return tuple(name for name, number in places.items() if number > 1 and name not in handed)


def _summary(members: Members) -> tuple[str, ...]:
    spec, plain = members.spec, members.plain
    first = f"input {TIMES.join(map(str, spec.input))} · {spec.classes:,} classes"
    if ir.first_hole(spec) is None:
        return (f"{first} · depth {plain.depth} · {figures([plain])}",)
    size = "too many fillings to count" if members.size is None else f"{count(members.size)} fillings"
    if not members.feasible:
        return (f"{first} · {size}", "no member that satisfies the requirements was met")
    # One member of many is an example; all of them are a range.
    whole = len(members.feasible) > 1 or members.size == 1
    return (f"{first} · {size}", ("" if whole else "for example ") + figures(list(members.feasible)))


def _elsewhere(spec: ir.Spec) -> tuple[str, ...]:
    """Holes that stand in no block: those of `train(...)` and of `defaults(...)`."""
    lines = []
    train = [argument(name, value) for name, value in spec.train.items() if has_holes(value)]
    if train:
        lines.append("training: " + " · ".join(train))
    if spec.holes:
        lines.append("everywhere: " + " · ".join(argument(h.name.rpartition(".")[2], h) for h in spec.holes))
    return tuple(lines)


def _rows(spec: ir.Spec, members: Members, drawer: Drawer, labels: Labels) -> Iterator[Row]:
    """The stem with the network's input, the stages, and the head with its classes."""
    flows = [list(outflows(member)) for member in members.seen]

    def row(index: int, name: str, parts: tuple[Part, ...], width: str = "", notes: tuple[str, ...] = ()) -> Row:
        blocks, out = flows[0][index]
        outs = sorted({flow[index][1] for flow in flows}, key=lambda s: (-s.height, -s.width))
        channels = between(sorted(shape.channels for shape in outs))
        costs = [block.cost for block in blocks]
        params, macs = (sum(c.params for c in costs), sum(c.macs for c in costs)) if drawer.is_model else (None, None)
        return Row(
            name, width or channels, between(map(resolution, outs)), out.channels,
            (max(1, out.height), max(1, out.width)), notes, parts, params, macs,
        )  # fmt: skip

    input = Tile(TIMES.join(map(str, spec.input)), "input", "input", title="input: channels × height × width")
    yield row(0, "stem", (input, *drawer.ends("stem", spec.stem, [m.stem for m in members.seen])))
    for number, stage in enumerate(spec.stages[:MOST_STAGES], 1):
        common = labels.common(stage)
        width, notes = written(stage.width), labels.of_stage(stage, common)
        yield row(number, f"stage{number}", drawer.stage(number, common), width, notes)
    if len(spec.stages) > MOST_STAGES:
        out = flows[0][-2][1]
        more = Tile(f"… {len(spec.stages) - MOST_STAGES:,} more stages", "more", "layer")
        yield Row("stage…", str(out.channels), resolution(out), out.channels, (out.height, out.width), (), (more,))
    output = Tile(f"{spec.classes:,} classes", "output", "output", title="class scores")
    yield row(-1, "head", (*drawer.ends("head", spec.head, [m.head for m in members.seen]), output))


def outflows(member: Architecture) -> Iterator[tuple[tuple[PlacedBlock, ...], Shape]]:
    """The blocks of the stem, of each stage and of the head, and what leaves them: without blocks, what came in."""
    shape = Shape(*member.input)
    stages = [(*((s.downsampling,) if s.downsampling else ()), *s.blocks) for s in member.stages]
    for blocks in (member.stem, *stages, member.head):
        shape = blocks[-1].cost.out if blocks else shape
        yield blocks, shape


def _legend(rows: list[Row], labels: Labels) -> tuple[Entry, ...]:
    """One entry per label of the stages: its letter, and the block with what all its places have alike."""
    names = labels.names
    shown = {tile.label: tile for row in rows if row.is_stage for tile in tiles(row.parts) if tile.look == "block"}
    entries = []
    for label, kind in names.kinds.items():
        tile = shown.get(names.shown(label)) or shown.get(short(label, 24))
        if tile is not None and (tile.label != kind or labels.alike(label)):
            said = ", ".join(f"{name}={written(value)}" for name, value in labels.alike(label).items())
            meaning = f"{short(kind, 24)}({short(said, 60)})" if said else short(kind, 24)
            called = "" if label in (kind, tile.label) else f"{short(label, 24)} = "
            entries.append(Entry("block", called + meaning, tile.label, tile.roles))
    return tuple(entries) + tuple(_key(rows))


def _key(rows: list[Row]) -> Iterator[Entry]:
    """What colours and outlines mean, those that occur."""
    parts = [part for row in rows for part in walk(row.parts)]
    blocks = [part for part in parts if isinstance(part, Tile)]
    holes = [part for part in parts if isinstance(part, Frame) and part.kind == "hole"]
    for kind, name in colours.KIND_NAMES.items():
        if any(kind in tile.roles for tile in blocks):
            yield Entry("kind", name, kind)
    if any(tile.shrinks > 1 for tile in blocks):
        yield Entry("shrinks", "shrinks height and width")
    if any(tile.optional for tile in blocks):
        yield Entry("optional", "where needed")
    if holes:
        yield Entry("hole", "one of these")
    if any(tile.look == "nothing" for tile in blocks):
        yield Entry("nothing", "nothing")
    if any(hole.label for hole in holes):
        yield Entry("shared", "decided once")
