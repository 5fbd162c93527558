"""Makes the parts of a row of a sequence: blocks as tiles, choices as alternatives, open counts as repeats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from archdsl import ir
from archdsl.base.numbers import short as quantity
from archdsl.drawing.labels import Arguments, Labels, Names, has_holes, label_of
from archdsl.drawing.members import Members
from archdsl.drawing.picture import Frame, Part, Tile, fold
from archdsl.drawing.words import resolution, short, written
from archdsl.network import PlacedBlock

MOST_OPTIONS = 8  # of a choice
MOST_PARTS = 240  # of a sequence
DEEPEST = 4  # choices in choices


def flat(items: ir.Items) -> list[ir.BlockSpec] | None:
    """The blocks of a sequence one after the other, None where a hole decides which they are."""
    found: list[ir.BlockSpec] = []
    for item in items:
        if isinstance(item, ir.BlockSpec):
            found.append(item)
            continue
        if not isinstance(item, ir.RepeatSpec) or not isinstance(item.times, int):
            return None
        for copy in item.taken(item.times):
            inner = flat(copy)
            if inner is None:
                return None
            found += inner
    return found


@dataclass
class _Row:
    """Where a sequence stands.

    Attributes:
        stage: its number; 0 in stem and head.
        placed: the blocks there, none where members differ.
        common: arguments that are said for the whole stage.
        layers: by how much a label of the stem or head always shrinks the map, where that is known.
    """

    stage: int
    placed: tuple[PlacedBlock, ...]
    common: Arguments = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)


@dataclass
class Drawer:
    """Makes the parts of rows.

    Attributes:
        members: of the spec, for shapes and roles.
        labels: its words.
    """

    members: Members
    labels: Labels

    @property
    def names(self) -> Names:
        """Of the blocks."""
        return self.labels.names

    @cached_property
    def is_model(self) -> bool:
        """Whether no hole touches the network: shapes and costs are numbers."""
        spec = self.members.spec
        return not has_holes((spec.holes, spec.stem, spec.stages, spec.head))

    def ends(self, row: str, items: ir.Items, placed: list[tuple[PlacedBlock, ...]]) -> tuple[Part, ...]:
        """The parts of the stem or the head, given their blocks in each member."""
        shrinks: dict[str, set[int]] = {}
        for block in (block for blocks in placed for block in blocks):
            shrinks.setdefault(block.label, set()).add(_shrinks(block))
        always = {short(label): by.pop() for label, by in shrinks.items() if len(by) == 1}
        return self._sequence(row, items, _Row(0, _steady(placed), layers=always))

    def stage(self, number: int, common: Arguments) -> tuple[Part, ...]:
        """The parts of a stage, its downsampling layer first."""
        items = self.members.spec.stages[number - 1].items
        stages = [member.stages[number - 1] for member in self.members.seen]
        row = _Row(number, _steady([stage.blocks for stage in stages]), common)
        parts = self._sequence(f"stage{number}", items, row)
        if not row.placed:
            firsts = [stage.blocks[0] for stage in stages if stage.blocks]
            parts = _strided(parts, {self.names.shown(block.label): _shrinks(block) for block in firsts})
        down = self._down(number)
        return parts if down is None else (down, *parts)

    def _down(self, number: int) -> Tile | None:
        """The downsampling layer of a stage; dashed where it depends on what the first block is."""
        stages = [member.stages[number - 1] for member in self.members.seen]
        found = [stage for stage in stages if stage.downsampling]
        layers = [stage.downsampling for stage in found if stage.downsampling]
        if not layers:
            return None
        optional = len(found) < len(stages)
        shrinks = max(_shrinks(layer) for layer in layers)
        first = list(dict.fromkeys(self.names.shown(stage.blocks[0].label) for stage in found if stage.blocks))
        notes: tuple[str, ...] = (f"↓{shrinks}",) if shrinks > 1 else (f"→ {layers[0].cost.out.channels} ch",)
        if optional and first:
            notes = (*notes, short(f"before {' '.join(first)}", 20))
        word = short(written(self.members.spec.stages[number - 1].down), 16)
        title = _title(layers[0]) if self.is_model else "downsampling layer"
        return Tile(word, f"stage{number}.down", "layer", (), shrinks, optional, notes, title)

    # ---- sequences ----

    def _sequence(self, path: str, items: ir.Items, row: _Row, depth: int = 0) -> tuple[Part, ...]:
        blocks = flat(items)
        pieces = items if blocks is None else tuple(blocks)
        known = row.placed if depth == 0 and len(row.placed) == len(pieces) and blocks is not None else ()
        parts = tuple(
            self._item(f"{path}.{index}", item, row, depth, known[index - 1] if known else None)
            for index, item in enumerate(pieces, start=1)
        )
        if len(parts) <= MOST_PARTS:
            return parts
        parts = fold(parts)
        over = len(parts) - MOST_PARTS
        return parts if over <= 0 else (*parts[:MOST_PARTS], Tile(f"… {over:,} more", f"{path}.more", "layer"))

    def _item(self, path: str, item: ir.Item, row: _Row, depth: int, placed: PlacedBlock | None) -> Part:
        if isinstance(item, ir.BlockSpec):
            return self._block(path, item, row, depth, placed)
        if depth >= DEEPEST:
            return Tile("{…}", path, "layer")
        if isinstance(item, ir.RepeatSpec):
            shared = str(getattr(item.times, "name", ""))
            named = f"{shared} " if shared and not shared.endswith(".times") else ""
            parts = self._sequence(path, item.copies[0] if item.copies else (), row, depth + 1)
            return Frame("repeat", path, (parts,), short(f"×{named}{written(item.times)}", 24))
        if isinstance(item, ir.ChoiceSpec):
            return self._choice(path, item, lambda path, option: self._sequence(path, option, row, depth + 1))
        return Tile("if …", path, "layer")  # depends on the arguments of the block it stands in

    def _choice(self, path: str, choice: ir.ChoiceSpec, sequence: Callable[[str, ir.Items], tuple[Part, ...]]) -> Frame:
        options = [
            sequence(f"{path}.option{i}", option) or (Tile("", f"{path}.option{i}", "nothing"),)
            for i, option in enumerate(choice.options[:MOST_OPTIONS], start=1)
        ]
        over = len(choice.options) - MOST_OPTIONS
        if over > 0:
            options.append((Tile(f"… {over:,} more", f"{path}.more", "layer"),))
        label = short(choice.name) if choice.name in self.labels.shared else ""
        return Frame("hole", path, tuple(options), label)

    # ---- blocks ----

    def _block(self, path: str, block: ir.BlockSpec, row: _Row, depth: int, placed: PlacedBlock | None) -> Part:
        tile = self._tile(path, block, row, placed)
        items = block.items
        if items is None or depth >= DEEPEST:
            return tile
        # A structure has no name that says what is in it, and where there are holes inside, they are to be seen.
        if block.kind in ir.SIDE_BY_SIDE:
            branches = tuple(self._branch(f"{path}.{i}", (item,), depth) for i, item in enumerate(items, start=1))
        else:
            branches = (self._branch(path, items, depth, named=block.kind not in ir.STRUCTURES),)
        return Frame("block", tile.path, branches, tile=replace(tile, label=short(label_of(block), 24)))

    def _branch(self, path: str, items: ir.Items, depth: int, named: bool = False) -> tuple[Part, ...]:
        """What a frame holds; where it has the block's name, without a second frame around all of it."""
        only = items[0] if len(items) == 1 else None
        if isinstance(only, ir.BlockSpec) and only.kind in (("sequence", "residual") if named else ("sequence",)):
            items = only.items or ()
        return self._sequence(path, items, _Row(0, ()), depth + 1) or (Tile("", path, "nothing"),)

    def _tile(self, path: str, block: ir.BlockSpec, row: _Row, placed: PlacedBlock | None) -> Tile:
        label = label_of(block)
        if not row.stage:  # stem and head: layers, called by what they are
            tile = Tile(short(label), path, "layer", notes=self.labels.of_block(block, {}, placed is not None))
            tile = tile if placed else _shrinking(tile, row.layers)
        else:
            roles = self.members.roles_of(label, block.kind, placed)
            notes = self.labels.of_block(block, row.common | self.labels.alike(label), placed is not None)
            tile = Tile(self.names.shown(label), path, "block", roles, notes=notes)
        return tile if placed is None else self._known(tile, placed, row)

    def _known(self, tile: Tile, placed: PlacedBlock, row: _Row) -> Tile:
        """The tile with what its shapes tell."""
        shrinks = _shrinks(placed)
        notes: tuple[str, ...] = (f"↓{shrinks}",) if shrinks > 1 else ()
        x, out = placed.x, placed.cost.out
        usual = self.members.plain.stages[row.stage - 1].width if placed.index == 1 else x.channels
        last = placed.path.startswith("head.") and out.is_vector and out.channels == self.members.spec.classes
        if out.channels != usual and not last:
            notes = (*notes, f"→ {out.channels} ch")
        title = _title(placed) if self.is_model else ""
        return replace(tile, path=placed.path, shrinks=shrinks, notes=notes + tile.notes, title=title)


def _steady(placed: list[tuple[PlacedBlock, ...]]) -> tuple[PlacedBlock, ...]:
    """The blocks of a row where all members have the same shapes there."""
    shapes = {tuple((block.kind, block.x, block.cost.out) for block in blocks) for blocks in placed}
    return placed[0] if len(shapes) == 1 else ()


def _shrinks(block: PlacedBlock) -> int:
    out = block.cost.out
    return 1 if out.is_vector or not out.height else max(1, round(block.x.height / out.height))


def _shrinking(tile: Tile, factors: dict[str, int]) -> Tile:
    """The tile, marked where its label is one that shrinks the map."""
    factor = factors.get(tile.label, 1)
    return tile if factor == 1 else replace(tile, shrinks=factor, notes=(f"↓{factor}", *tile.notes))


def _strided(parts: tuple[Part, ...], factors: dict[str, int]) -> tuple[Part, ...]:
    """The parts with the stride marked on whatever may stand first."""
    if not parts:
        return parts
    first = parts[0]
    if isinstance(first, Tile):
        first = _shrinking(first, factors)
    elif first.tile is not None:
        first = replace(first, tile=_shrinking(first.tile, factors))
    elif first.kind == "hole":
        first = replace(first, sequences=tuple(_strided(option, factors) for option in first.sequences))
    return (first, *parts[1:])


def _title(block: PlacedBlock) -> str:
    """What hovering says: the path, the block, what leaves it, what it costs."""
    out = block.cost.out
    size = f"{out.channels}" if out.is_vector else f"{out.channels} × {resolution(out)}"
    params, macs = quantity(block.cost.params), quantity(block.cost.macs)
    return f"{block.path}: {block.kind} → {size}, {params} parameters, {macs} MACs"
