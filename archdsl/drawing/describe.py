"""A spec and some of its members in, a `Picture` out: what stands in every row, and which words say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from archdsl import ir
from archdsl.base import colours
from archdsl.blocks.shapes import Shape
from archdsl.drawing.labels import Labels, Names, has_holes
from archdsl.drawing.members import Members
from archdsl.drawing.picture import Alternatives, Entry, Part, Picture, Row, Tile, tiles, walk
from archdsl.drawing.rows import Drawer
from archdsl.drawing.words import TIMES, argument, count, figures, resolution, short, written
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
    drawer = Drawer(members, labels)
    plain = members.plain
    rows = [_end("stem", spec.stem, [m.stem for m in members.seen], drawer, plain)]
    rows += [_stage(spec, number, members, drawer) for number in range(1, min(len(spec.stages), MOST_STAGES) + 1)]
    rows.append(_end("head", spec.head, [m.head for m in members.seen], drawer, plain))
    if len(spec.stages) > MOST_STAGES:
        rows.insert(-1, _left_out(len(spec.stages) - MOST_STAGES, plain))
    named = {part.name for row in rows for part in walk(row.parts) if isinstance(part, Alternatives)}
    drawn = tuple(name for name in shared if name in named)
    return Picture(
        short(spec.name, 36), _summary(members), _elsewhere(spec), tuple(rows), _legend(rows, labels), drawn, plain
    )


def _shared(spec: ir.Spec) -> tuple[str, ...]:
    """Holes that a `let` shares, by name; what a stage or the defaults hand to their blocks is not meant."""
    places = Counter(hole.name for hole in ir.holes_in((spec.stem, spec.stages, spec.head)))
    handed = {hole.name for holes in (spec.holes, *(stage.holes for stage in spec.stages)) for hole in holes}
    handed |= {hole.name for inner in _handed(spec) for hole in ir.holes_in(inner)}
    return tuple(name for name, number in places.items() if number > 1 and name not in handed)


def _handed(spec: ir.Spec) -> Iterator[Any]:
    """What `defaults(...)` and stages hand on."""
    yield spec.holes
    for stage in spec.stages:
        yield from (stage.holes, stage.width, stage.stride, stage.down)


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


def _end(name: str, items: ir.Items, placed: list[tuple[PlacedBlock, ...]], drawer: Drawer, plain: Architecture) -> Row:
    """The row of the stem or the head, with the network's input or its classes."""
    spec = drawer.members.spec
    parts = drawer.ends(name, items, placed)
    before = Shape(*plain.input)
    if name == "stem":
        input = Tile(TIMES.join(map(str, spec.input)), "input", "input", title="input: channels × height × width")
        parts = (input, *parts)
        outs = {blocks[-1].cost.out if blocks else before for blocks in placed}
    else:
        output = Tile(f"{spec.classes:,} classes", "output", "output", title="class scores")
        parts = (*parts, output)
        outs = {blocks[-1].cost.out if blocks else _last(plain) for blocks in placed}
    blocks = placed[0]
    out = blocks[-1].cost.out if blocks else before if name == "stem" else _last(plain)
    return _row(name, None, out, outs, (), parts, blocks if drawer.is_model else None)


def _last(plain: Architecture) -> Shape:
    """What flows into the head."""
    shape = Shape(*plain.input)
    for block in plain.blocks():
        if block.path.startswith("head."):
            return block.x
        shape = block.cost.out
    return shape


def _stage(spec: ir.Spec, number: int, members: Members, drawer: Drawer) -> Row:
    stage = spec.stages[number - 1]
    outs = {_outflow(member, number) for member in members.seen}
    out = _outflow(members.plain, number)
    width = written(stage.width)
    placed = members.plain.stages[number - 1]
    blocks = (*((placed.downsampling,) if placed.downsampling else ()), *placed.blocks) if drawer.is_model else None
    common = drawer.labels.common(stage)
    parts, notes = drawer.stage(number, common), drawer.labels.of_stage(stage, common)
    return _row(f"stage{number}", width, out, outs, notes, parts, blocks)


def _outflow(member: Architecture, number: int) -> Shape:
    """What leaves a stage: with no blocks and nothing to change, what came in."""
    shape = member.stem[-1].cost.out if member.stem else Shape(*member.input)
    for stage in member.stages[:number]:
        if stage.downsampling:
            shape = stage.downsampling.cost.out
        if stage.blocks:
            shape = stage.blocks[-1].cost.out
    return shape


def _row(
    name: str,
    width: str | None,
    out: Shape,
    outs: set[Shape],
    notes: tuple[str, ...],
    parts: tuple[Part, ...],
    blocks: Iterable[PlacedBlock] | None,
) -> Row:
    sizes = list(dict.fromkeys(resolution(s) for s in sorted(outs, key=lambda s: (-s.height, -s.width))))
    channels = sorted({shape.channels for shape in outs})
    said = width or (str(channels[0]) if len(channels) == 1 else f"{channels[0]} to {channels[-1]}")
    costs = None if blocks is None else [block.cost for block in blocks]
    return Row(
        name, said, sizes[0] if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}", out.channels,
        (max(1, out.height), max(1, out.width)), notes, parts,
        None if costs is None else sum(c.params for c in costs), None if costs is None else sum(c.macs for c in costs),
    )  # fmt: skip


def _left_out(number: int, plain: Architecture) -> Row:
    out = _last(plain)
    more = Tile(f"… {number:,} more stages", "more", "layer")
    return Row("stage…", str(out.channels), resolution(out), out.channels, (out.height, out.width), (), (more,))


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
    holes = [part for part in parts if isinstance(part, Alternatives)]
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
    if any(hole.name for hole in holes):
        yield Entry("shared", "decided once")
