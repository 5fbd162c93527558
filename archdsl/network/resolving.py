"""Resolves a spec to its architecture: one walk through stem, stages and head decides holes and places blocks."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl import ir
from archdsl.base.errors import Diagnostic, SpecError
from archdsl.blocks.composites.kinds import Composite
from archdsl.blocks.names import free_name
from archdsl.ir.arguments import say
from archdsl.ir.conditions import unmet
from archdsl.network.deciding import Choose, Misfit, first_option
from archdsl.network.placed import Architecture, PlacedBlock, PlacedStage
from archdsl.network.placing import Placing


def resolve(spec: ir.Spec, choose: Choose = first_option) -> Architecture:
    """The architecture of a spec, its holes decided by `choose` (each shared hole once).

    Raises:
        Misfit: the blocks do not fit together.
    """
    return Resolving(spec, choose).architecture()


def resolve_model(spec: ir.Spec, text: str = "", path: str = "<spec>") -> Architecture:
    """The architecture of a spec without holes, its `require`s checked.

    Raises:
        SpecError: it has holes, does not fit together, or breaks a requirement.
    """
    hole = ir.first_hole(spec)
    if hole is not None:
        message = f"this file is a space: '{hole.name}' is still to be decided"
        help = "take a member with 'archdsl space FILE --sample 1', or search it with 'archdsl search FILE'"
        raise SpecError([Diagnostic(message, hole.at, help)], text, path)
    return resolve_without_holes(spec, text, path)


def resolve_without_holes(spec: ir.Spec, text: str = "", path: str = "<spec>") -> Architecture:
    """The same for a spec that is known to have no holes."""
    try:
        architecture = resolve(spec)
    except Misfit as error:
        raise SpecError([error.diagnostic], text, path) from None
    broken = [d for c in spec.require if (d := unmet(c, architecture)) is not None]
    if broken:
        raise SpecError(broken, text, path)
    return architecture


class Resolving(Placing):
    """The walk through stem, stages and head.

    `archdsl.space` derives from it to take single steps of such a walk, so that both mean the same by a filling. In a
    stage these are `open`, then `enter` and `place` for the first block and `place` for each of the others, or
    `pass_through` where there is none; `end` comes after the head.
    """

    def architecture(self) -> Architecture:
        """All of its steps."""
        spec = self.spec
        self.meet(spec.holes)
        stem = tuple(self.place(b, f"stem.{name}") for b, name in _named(self.flat(spec.stem)))
        stages = tuple(self._stage(stage, i) for i, stage in enumerate(spec.stages, start=1))
        self.width = None
        head = tuple(self.place(b, f"head.{name}") for b, name in _named(self.flat(spec.head)))
        self.end()
        train = {name: self.value(value) for name, value in spec.train.items()}
        tuned = tuple(name for name, value in spec.train.items() if next(ir.holes_in(value), None) is not None)
        return Architecture(
            spec.name, spec.input, spec.classes, stem, stages, head, spec.letters, spec.blocks, self.decisions,
            self.choices, train, spec.data, tuned,
        )  # fmt: skip

    def end(self) -> None:
        """See that what flows out is one number for each class.

        Raises:
            Misfit: it is not.
        """
        spec = self.spec
        if self.shape.is_vector is False or self.shape.channels != spec.classes:
            last = spec.head[-1].at if spec.head else None
            help = "end the head with: gap linear" if not self.shape.is_vector else "end the head with: linear"
            raise Misfit(Diagnostic(f"the network ends in {self.shape}, not in {spec.classes} classes", last, help))

    def _stage(self, stage: ir.StageSpec, number: int) -> PlacedStage:
        width, stride, down = self.open(stage)
        downsampling: PlacedBlock | None = None
        blocks: list[PlacedBlock] = []
        for index, block in enumerate(self.flat(stage.items), start=1):
            path = f"stage{number}.block{index}"
            if index == 1:
                downsampling, own = self.enter(block, stage, number, stride, down)
                blocks.append(self.place(block, path, number, index, own))
            else:
                blocks.append(self.place(block, path, number, index))
        if not blocks:
            downsampling = self.pass_through(stage, number, stride, down)
        return PlacedStage(width, stride, down, downsampling, tuple(blocks))

    def open(self, stage: ir.StageSpec) -> tuple[int, int, str]:
        """Begin a stage: its width, from now on that of the walk, its stride and its kind of downsampling."""
        self.meet(stage.holes)
        self.width = None
        self.width = width = self._stage_number(stage, "width", 1_000_000)
        return width, self._stage_number(stage, "stride", 1_000_000), str(self.value(stage.down))

    def enter(
        self, first: ir.BlockSpec, stage: ir.StageSpec, number: int, stride: int, down: str
    ) -> tuple[PlacedBlock | None, int]:
        """What a stage's first block cannot do, change the resolution or the width, a layer before it does.

        Args:
            first: the block.
            stage: its stage, the `number`th, with `stride` and the kind of downsampling `down`.

        Returns:
            The layer, if there is one, and the stride that is left to the block.
        """
        kind = self.block_kind(first)
        own, widens = stride if kind.takes("stride") else 1, kind.takes("width")
        if isinstance(kind, Composite) and (own > 1 or self.shape.channels != self.width):
            own, widens = self._done_by(first, number, own, widens)
        if own < stride or (self.shape.channels != self.width and not widens):
            return self._downsample(stage, number, stride // own, down), own
        return None, own

    def _done_by(self, first: ir.BlockSpec, number: int, stride: int, widens: bool) -> tuple[int, bool]:
        """The stride that a composite block really does, and whether it changes the width: holes and `if`s decide."""
        before = self.shape
        try:
            after = self.place(first, f"stage{number}.block1", number, 1, stride).cost.out
        except Misfit:
            return stride, widens  # which will be said where it is placed
        finally:
            self.shape = before
        # A stride that is written on the block is meant; and a map of one pixel cannot tell.
        still = (
            "stride" not in first.arguments
            and before.height > 1
            and (after.height, after.width) == (before.height, before.width)
        )
        return 1 if still else stride, widens and after.channels != before.channels

    def pass_through(self, stage: ir.StageSpec, number: int, stride: int, down: str) -> PlacedBlock | None:
        """A stage without blocks is a downsampling layer where it changes the shape, else nothing."""
        if stride > 1 or self.shape.channels != self.width:
            return self._downsample(stage, number, stride, down)
        return None

    def _stage_number(self, stage: ir.StageSpec, name: str, most: int) -> int:
        value = self.value(getattr(stage, name))
        if type(value) is not int or not 1 <= value <= most:
            raise Misfit(
                Diagnostic(f"'{name}' must be an integer from 1, not {say(value)}", stage.places.get(name, stage.at))
            )
        return value

    def _downsample(self, stage: ir.StageSpec, number: int, stride: int, down: str) -> PlacedBlock:
        block = ir.BlockSpec(
            kind=f"down_{down}", arguments={}, names=(f"down_{down}",), at=stage.at, places=stage.places
        )
        return self.place(block, f"stage{number}.down", number, 0, stride)


def _named(blocks: Iterator[ir.BlockSpec]) -> Iterator[tuple[ir.BlockSpec, str]]:
    """Names for the modules of stem and head: the kind, numbered from the second of a kind on."""
    taken: dict[str, int] = {}
    for block in blocks:
        yield block, free_name(block.kind, taken)
