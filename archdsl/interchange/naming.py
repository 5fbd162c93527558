"""Names the composite blocks that the text of an architecture defines; one that is decided twice gets two names."""

from __future__ import annotations

import itertools
from dataclasses import replace

from archdsl import ir
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.definition import scope_of
from archdsl.blocks.composites.kinds import FROM_STAGE, Use, construct
from archdsl.language import prelude
from archdsl.network import Architecture, PlacedBlock


class Naming:
    """Gives names to the blocks of an architecture that its text defines.

    Attributes:
        printed: the definitions to print, each after those it is made of; none of them has holes.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.printed: dict[str, ir.BlockDefinition] = {}
        self._architecture = architecture
        self._own = {
            name: definition
            for name, definition in architecture.definitions.items()
            if name not in prelude.names() or definition != prelude.definition(name)
        }
        self._taken = {*prelude.names(), *BLOCKS, *architecture.letters, *prelude.letters()}
        self._special: dict[tuple[str, ir.Items], str] = {}

    def architecture(self) -> Architecture:
        """The architecture with its blocks called as they are printed."""
        a = self._architecture
        stem, head = tuple(map(self._block, a.stem)), tuple(map(self._block, a.head))
        stages = tuple(replace(stage, blocks=tuple(map(self._block, stage.blocks))) for stage in a.stages)
        return replace(a, stem=stem, stages=stages, head=head, definitions=self._definitions())

    def _definitions(self) -> dict[str, ir.BlockDefinition]:
        """The prelude's that are in use, and those to print so far."""
        return {n: d for n, d in self._architecture.definitions.items() if n not in self._own} | self.printed

    def _block(self, block: PlacedBlock) -> PlacedBlock:
        if not isinstance(block.block, Use):
            return block
        items = block.block.items
        if block.kind in ir.STRUCTURES:
            return replace(block, block=replace(block.block, items=self._items(items)))
        if block.kind not in self._own:
            return block
        if items is block.block.kind.definition.items:
            self._plain(block.kind)
            return block
        name = self._decided(block.kind, items)
        kind = scope_of(self._definitions())[name]
        values = {name: value for name, value in block.values.items() if kind.takes(name)}
        return replace(block, kind=name, names=(name,), block=construct(kind, name, values))

    def _items(self, items: ir.Items) -> ir.Items:
        """Items whose blocks are called as they are printed."""
        return tuple(self._item(item) for item in items)

    def _item(self, item: ir.Item) -> ir.Item:
        match item:
            case ir.BlockSpec() if item.kind in ir.STRUCTURES:
                return item.model_copy(update={"items": self._items(item.items or ())})
            case ir.BlockSpec() if item.kind in self._own and item.items is not None:
                name = self._decided(item.kind, item.items)
                known = {p.name for p in self.printed[name].parameters} | {*FROM_STAGE}
                kept = {n: v for n, v in item.arguments.items() if n in known}
                return item.model_copy(update={"kind": name, "items": None, "arguments": kept})
            case ir.BlockSpec() if item.kind in self._own:
                self._plain(item.kind)
            case ir.IfSpec():
                sides = {"then": self._items(item.then), "otherwise": self._items(item.otherwise)}
                return item.model_copy(update=sides)
            case ir.RepeatSpec():
                return item.model_copy(update={"copies": tuple(map(self._items, item.copies))})
        return item

    def _plain(self, kind: str) -> None:
        """A block without holes keeps its name."""
        if kind not in self.printed:
            items = self._items(self._own[kind].items)
            self.printed[kind] = ir.BlockDefinition(
                parameters=self._own[kind].parameters, items=items, summary=self._own[kind].summary
            )

    def _decided(self, kind: str, items: ir.Items) -> str:
        """The name of a block whose holes are decided; parameters that only other options use are left out."""
        if (kind, items) not in self._special:
            written = self._items(items)
            numbered = (f"{kind}{i}" for i in itertools.count(2))
            others = self._taken | self._own.keys() | self.printed.keys()
            first = all(known != kind for known, _ in self._special)
            name = kind if first else next(other for other in numbered if other not in others)
            used = {node.name for node in ir.walk(written) if isinstance(node, ir.Variable)}
            definition = self._own[kind]
            kept = tuple(p for p in definition.parameters if p.name in used or p.name in FROM_STAGE)
            self.printed[name] = ir.BlockDefinition(
                parameters=kept, items=written, summary=definition.summary, at=definition.at
            )
            self._special[kind, items] = name
        return self._special[kind, items]
