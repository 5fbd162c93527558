"""Places a block where a walk through a spec stands, or says in the words of the text why it does not fit."""

from __future__ import annotations

import functools
from typing import Any

from archdsl import ir
from archdsl.base.effort import spend
from archdsl.base.errors import Diagnostic, Span
from archdsl.blocks.composites.definition import nameless, scope_of
from archdsl.blocks.composites.expansion import work
from archdsl.blocks.composites.kinds import Kind, Same, Scope, kind
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.network.alike import MOST_KEPT, alike_alone
from archdsl.network.deciding import Choose, Deciding, Misfit
from archdsl.network.fitting import Fit, fitted
from archdsl.network.placed import PlacedBlock

PLACING, PART = 15, 60  # steps of `effort` for a block, and for a part of one that is met for the first time
MAX_PARTS = 10_000  # parts of a network, those of equal blocks at equal shapes counted once


class Placing(Deciding):
    """A walk that places blocks, and carries the shape along."""

    def __init__(self, spec: ir.Spec, choose: Choose) -> None:
        super().__init__(spec, choose)
        self.scope, self.plain = _of_spec(Same(spec))
        self.different: set[tuple[str, Shape]] = set()  # blocks met so far, and how many parts they have
        self._fits: tuple[dict[str, Any], dict[Any, Fit]] = (self.decided, {})
        self.parts, self.most_parts = 0, float(MAX_PARTS)

    def place(self, spec: ir.BlockSpec, path: str, stage: int = 0, index: int = 0, stride: int = 1) -> PlacedBlock:
        """Place a block where the walk stands.

        Args:
            spec: the block.
            path: what its module is to be called.
            stage: the number of the stage, 0 for stem and head; index: its number in it.
            stride: what is left to it of the stage's stride.

        Raises:
            Misfit: it does not fit.
        """
        spend(PLACING)
        # One without items is fitted sooner than found again here.
        found = self._fit(spec, path, stage, stride) if spec.items is None else self._known(spec, path, stage, stride)
        self._count_parts(found, spec)
        self.shape = found.tree.out
        names = spec.names or (spec.kind,)
        return PlacedBlock(path, spec.kind, names, found.block, found.tree, found.meaning, stage, index)

    def _known(self, spec: ir.BlockSpec, path: str, stage: int, stride: int) -> Fit:
        """As `_fit`, once for all blocks that hold the same items, decided in the same way."""
        if self._fits[0] is not self.decided:
            self._fits = self.decided, {}  # what is decided stays, as long as it is one walk
        known = alike_alone(spec)
        fits = self._fits[1] if known.is_open else self.plain
        key = known, self.shape, self.width, stage > 0, stride
        found = fits.get(key)
        if found is None:
            if len(fits) >= MOST_KEPT:
                fits.clear()
            found = fits[key] = self._fit(spec, path, stage, stride)
        return found

    def _fit(self, spec: ir.BlockSpec, path: str, stage: int, stride: int) -> Fit:
        of_kind, before = self.block_kind(spec), work()
        arguments, items = self._called(spec, of_kind, stage, stride)
        try:
            return fitted(of_kind, (spec.names or (spec.kind,))[0], arguments, items, self.shape)
        except ShapeError as error:
            raise self._misfit(error, spec, path) from None
        finally:
            spend(PART * (work() - before))

    def block_kind(self, spec: ir.BlockSpec) -> Kind:
        """The kind of a block, or of a structure among blocks."""
        return nameless(spec, self.scope) if spec.kind in ir.STRUCTURES else kind(spec.kind, self.scope)

    def _called(
        self, spec: ir.BlockSpec, of_kind: Kind, stage: int, stride: int
    ) -> tuple[dict[str, ir.Scalar], ir.Items | None]:
        """The arguments of a block, those that come from where it stands among them, and the items that it holds."""
        arguments: dict[str, ir.Scalar] = {}
        items: ir.Items | None = None
        if spec.kind in ir.STRUCTURES:
            items = self.filled(alike_alone(spec).items)
        else:
            arguments = {name: self.value(value) for name, value in spec.arguments.items()}
            if spec.items is not None:
                items = self.filled(spec.items)
        if stage and of_kind.takes("width"):
            arguments.setdefault("width", self.width)
        if stride > 1 and of_kind.takes("stride"):
            arguments.setdefault("stride", stride)
        if of_kind.takes("classes"):
            arguments.setdefault("classes", self.spec.classes)
        return arguments, items

    def _count_parts(self, found: Fit, spec: ir.BlockSpec) -> None:
        """Refuse a network that takes long to write out, however small its text is."""
        if (found.meaning, self.shape) not in self.different:
            self.different.add((found.meaning, self.shape))
            self.parts += found.parts
            if self.parts > self.most_parts:
                help = "use smaller blocks, or repeat less often"
                raise Misfit(Diagnostic(f"a network of more than {MAX_PARTS:,} parts that differ", spec.at, help))

    def _misfit(self, error: ShapeError, spec: ir.BlockSpec, path: str) -> Misfit:
        """A misfit of a block at its place in the text, in the words of the text."""
        span: Span | None = error.span or spec.places.get(error.argument or "", spec.at)
        message = error.message
        if span is None:  # nothing in the text: the stem or head that stands for an unsaid one
            part = path.partition(".")[0]
            example = "head norm(kind=ln) cls linear" if self.shape.is_tokens else f"{part} linear"
            help = f"write one that fits, such as: {example}"
            return Misfit(Diagnostic(f"the default {part} does not fit: {message}", None, help))
        label = _label(spec)
        if error.span is not None and spec.at is not None and spec.kind not in ir.STRUCTURES:
            message = f"{message} (in '{label}' of line {spec.at.line})"
        elif error.argument is None and spec.kind in self.scope and not message.startswith(f"'{label}'"):
            message = f"'{label}' does not fit here: {message}"
            if self.shape.is_tokens:
                return Misfit(Diagnostic(message, span, "'cls' in the stem makes tokens; without it maps stay maps"))
        return Misfit(Diagnostic(message, span, error.help))


@functools.lru_cache(maxsize=4)
def _of_spec(spec: Same) -> tuple[Scope, dict[Any, Fit]]:
    """The composite blocks of a spec, and how its blocks without holes fit where they were placed."""
    held: Any = spec.thing
    return scope_of(held.blocks), {}


def _label(spec: ir.BlockSpec) -> str:
    """As the spec writes it."""
    return spec.names[0] if spec.names else spec.kind
