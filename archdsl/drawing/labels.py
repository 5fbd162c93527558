"""Decides which words stand where: labels of blocks; arguments in the legend, beside a stage or below a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from archdsl import ir
from archdsl.drawing.words import argument, short, written

MOST_NOTES = 4  # below a block
IMPLIED = frozenset({"width", "out_features", "stride"})  # arguments that the shapes tell where they are known

Arguments = dict[str, ir.Value]


def label_of(block: ir.BlockSpec) -> str:
    """A block as the spec writes it."""
    return block.names[0] if block.names else block.kind


def blocks_in(items: ir.Items) -> Iterator[ir.BlockSpec]:
    """The blocks that may stand in a sequence, not what they are made of."""
    for item in items:
        if isinstance(item, ir.BlockSpec):
            yield item
        for inner in getattr(item, "options", ()) or getattr(item, "copies", ()):
            yield from blocks_in(inner)


def has_holes(part: object) -> bool:
    """Whether something in a part of the IR is still to be decided."""
    return next(ir.holes_in(part), None) is not None


def same(a: ir.Value, b: ir.Value) -> bool:
    """Whether two values are equal, 1 and True not being so."""
    return type(a) is type(b) and a == b


@dataclass(frozen=True)
class Names:
    """What blocks are called.

    Attributes:
        kinds: label to registered name, in the order of the text.
        letters: short labels for long ones, empty where the labels stand as they are.
    """

    kinds: dict[str, str]
    letters: dict[str, str]

    @classmethod
    def of(cls, spec: ir.Spec, brief: bool) -> Names:
        """The labels of the stages' blocks."""
        kinds: dict[str, str] = {}
        for stage in spec.stages:
            for block in blocks_in(stage.items):
                if label_of(block) not in ir.STRUCTURES:  # those say what they are
                    kinds.setdefault(label_of(block), block.kind)
        letters: dict[str, str] = {}
        for label in kinds:
            if brief and len(label) > 3:
                taken = set(kinds) | set(letters.values())
                first = label[0].upper()
                tries = [first, *(first + c for c in label[1:]), *map(str, range(len(kinds) + 1))]
                letters[label] = next(letter for letter in tries if letter not in taken)
        return cls(kinds, letters)

    def shown(self, label: str) -> str:
        """What stands in the tile of a block."""
        return self.letters.get(label) or short(label)


@dataclass
class Labels:
    """The arguments of a spec, each said where it says most with the fewest words.

    Attributes:
        names: of the blocks.
        shared: holes that a `let` shares.
    """

    spec: ir.Spec
    names: Names
    shared: frozenset[str]

    @cached_property
    def _alike(self) -> dict[str, Arguments]:
        found: dict[str, Arguments] = {}
        for stage in self.spec.stages:
            for block in blocks_in(stage.items):
                plain: Arguments = {n: v for n, v in block.arguments.items() if not isinstance(v, ir.Node)}
                known = found.setdefault(label_of(block), plain)
                found[label_of(block)] = {n: v for n, v in known.items() if n in plain and same(plain[n], v)}
        return found

    @cached_property
    def _everywhere(self) -> set[str]:
        return {hole.name for hole in self.spec.holes}

    def alike(self, label: str) -> Arguments:
        """Arguments that all blocks of a label have alike; they stand in the legend."""
        return self._alike.get(label, {})

    def common(self, stage: ir.StageSpec) -> Arguments:
        """Arguments of a stage as a whole: its own holes, and what at least two blocks and all of a kind share."""
        found: Arguments = {hole.name.rpartition(".")[2]: hole for hole in stage.holes}
        for name in ("width", "down", "stride"):  # they have places of their own
            found.pop(name, None)
        if isinstance(stage.stride, ir.Node):
            found["stride"] = stage.stride
        blocks = list(blocks_in(stage.items))
        for name in dict.fromkeys(name for block in blocks for name in block.arguments):
            have = [b for b in blocks if name in b.arguments and name not in self.alike(label_of(b))]
            kinds = {b.kind for b in have}
            if len(have) < 2 or any(name not in b.arguments for b in blocks if b.kind in kinds):
                continue
            value = have[0].arguments[name]
            known = getattr(value, "name", "") in self._everywhere
            if name not in found and not known and all(same(b.arguments[name], value) for b in have):
                found[name] = value
        return found

    def of_stage(self, stage: ir.StageSpec, common: Arguments) -> tuple[str, ...]:
        """The same in words, with the labels they are for: `M: heads 6`."""
        blocks = list(blocks_in(stage.items))
        labels = {label_of(block) for block in blocks}
        notes: dict[str, list[str]] = {}
        for name, value in common.items():
            takers = dict.fromkeys(
                label_of(b) for b in blocks if name in b.arguments and name not in self.alike(label_of(b))
            )
            every = len(takers) in (0, len(labels))
            prefix = "" if every else f"{', '.join(self.names.shown(label) for label in takers)}: "
            notes.setdefault(prefix, []).append(short(argument(name, value, self.shared), 60))
        return tuple(prefix + ", ".join(said) for prefix, said in notes.items())

    def of_block(self, block: ir.BlockSpec, elsewhere: Arguments, shapes_known: bool) -> tuple[str, ...]:
        """The arguments of a block that are said nowhere else."""
        notes = []
        for name, value in block.arguments.items():
            if (name in elsewhere and same(elsewhere[name], value)) or written(value) in ("classes", name):
                continue  # handed on as it is
            implied = getattr(value, "name", "") in self._everywhere if has_holes(value) else name in IMPLIED
            if implied and (shapes_known or has_holes(value)):
                continue
            notes.append(short(written(value) if name == "kind" else argument(name, value, self.shared), 26))
        return tuple(notes if len(notes) <= MOST_NOTES else [*notes[: MOST_NOTES - 1], "…"])
