"""Holds a network without holes: blocks placed at their shapes, parameters, MACs, residual units, hash."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic.fields import FieldInfo

from archdsl import ir
from archdsl.blocks import Block
from archdsl.blocks.base import Tree
from archdsl.blocks.composites.kinds import Use
from archdsl.blocks.shapes import Shape
from archdsl.network.fitting import digest
from archdsl.network.units import Unit


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block at its place in a network.

    Attributes:
        path: module path (`stage2.block3`).
        names: what it was called, outermost first, ending with its kind.
        block: with its arguments.
        tree: the primitives it stands for, with the shapes that flow in and out, parameters and MACs.
        meaning: what it computes, for the hash.
        stage: from 1, 0 for stem and head.
        index: position in its stage, from 1; 0 for a downsampling layer.
    """

    path: str
    kind: str
    names: tuple[str, ...]
    block: Block | Use
    tree: Tree
    meaning: str
    stage: int
    index: int

    @property
    def label(self) -> str:
        """As the spec writes it."""
        return self.names[0]

    @property
    def x(self) -> Shape:
        """What flows in."""
        return self.tree.x

    @property
    def cost(self) -> Tree:
        """What flows out, parameters and MACs."""
        return self.tree

    @property
    def fields(self) -> Mapping[str, FieldInfo]:
        """What it takes."""
        return self.block.kind.model_fields if isinstance(self.block, Use) else type(self.block).model_fields

    @property
    def values(self) -> Mapping[str, ir.Scalar]:
        """All of its arguments."""
        return self.block.values


@dataclass(frozen=True, slots=True)
class PlacedStage:
    """A stage with its blocks; `down` is the downsampling layer put before them, if any."""

    width: int
    stride: int
    down: str
    downsampling: PlacedBlock | None
    blocks: tuple[PlacedBlock, ...]


@dataclass(frozen=True)
class Architecture:
    """A network without holes.

    Attributes:
        letters: lets that name one block, by name.
        definitions: the composite blocks in use, by name.
        decisions: what was decided for each hole that was met, in words.
        choices: the same as the index of the option (the number itself for a float range).
        train: arguments of `train(…)`; data: the data set the file names.
        tuned: those of `train` that holes decided: what tells two members of one network apart.
    """

    name: str
    input: tuple[int, int, int]
    classes: int
    stem: tuple[PlacedBlock, ...]
    stages: tuple[PlacedStage, ...]
    head: tuple[PlacedBlock, ...]
    letters: dict[str, ir.Letter]
    definitions: dict[str, ir.BlockDefinition]
    decisions: dict[str, str]
    choices: dict[str, float]
    train: dict[str, ir.Scalar] = field(default_factory=dict)
    data: str | None = None
    tuned: tuple[str, ...] = ()

    def blocks(self) -> Iterator[PlacedBlock]:
        """All blocks in order, downsampling layers among them."""
        yield from self.stem
        for stage in self.stages:
            if stage.downsampling:
                yield stage.downsampling
            yield from stage.blocks
        yield from self.head

    @property
    def params(self) -> int:
        """Learnable parameters."""
        return sum(block.cost.params for block in self.blocks())

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(block.cost.macs for block in self.blocks())

    @property
    def depth(self) -> int:
        """Blocks in the stages."""
        return sum(len(stage.blocks) for stage in self.stages)

    @property
    def layout(self) -> list[list[str]]:
        """The labels of the blocks, stage by stage."""
        return [[block.label for block in stage.blocks] for stage in self.stages]

    def count(self, name: str, stage: int | None = None) -> int:
        """How many blocks of the stages (or of one stage) go by a name."""
        chosen = self.stages if stage is None else self.stages[stage - 1 : stage]
        return sum(name in block.names for s in chosen for block in s.blocks)

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of what the network computes: no names, no comments, no spelled-out defaults."""
        content = {
            "language": ir.LANGUAGE_VERSION,
            "input": self.input,
            "classes": self.classes,
            "stem": [b.meaning for b in self.stem],
            "stages": [
                [b.meaning for b in ((s.downsampling,) if s.downsampling else ()) + s.blocks] for s in self.stages
            ],
            "head": [b.meaning for b in self.head],
        }
        return digest(content)

    @functools.cached_property
    def units(self) -> tuple[Unit, ...]:
        """The residual units of the stages, for the analyses; bare convolutions count as such."""
        found = []
        for stage in self.stages:
            for b in stage.blocks:
                units = list(b.tree.units(b.path)) or ([(b.path, "conv", b.cost.out)] if b.kind == "conv" else [])
                found += [
                    Unit(path, b.label, role, b.stage, (out.height, out.width), out.prefix) for path, role, out in units
                ]
        return tuple(found)

    def table(self) -> dict[str, Any]:
        """The network as plain data, as `archdsl compile --json` prints it."""
        return {
            "name": self.name,
            "hash": self.hash,
            "params": self.params,
            "macs": self.macs,
            "input": list(self.input),
            "classes": self.classes,
            "blocks": [
                {
                    "path": b.path,
                    "stage": b.stage,
                    "index": b.index,
                    "kind": b.kind,
                    "label": b.label,
                    "out": b.cost.out.dims,
                    "params": b.cost.params,
                    "macs": b.cost.macs,
                }
                for b in self.blocks()
            ],
        }
