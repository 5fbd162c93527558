"""Names the holes of a spec and their options in words, as samplers and tables show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from archdsl import ir
from archdsl.ir.arguments import show
from archdsl.ir.wording import option_labels

Hole: TypeAlias = ir.Pick | ir.IntRange | ir.FloatRange | ir.ChoiceSpec
Filling: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Decision:
    """One hole as samplers and tables see it.

    Attributes:
        name: its place in the spec (`stage2.block3`), or the `let` that shares it.
        choices: the options in words; for a float range its two ends.
        hole: the IR node.
    """

    name: str
    choices: tuple[str, ...]
    hole: Hole

    @property
    def is_real(self) -> bool:
        """Whether it takes any number between its ends."""
        return isinstance(self.hole, ir.FloatRange)


def options(hole: Hole) -> int:
    """How many ways there are to decide a hole; 1 for a float range, which does not count in a space's size."""
    if isinstance(hole, ir.IntRange):
        return hole.count()
    return 1 if isinstance(hole, ir.FloatRange) else len(hole.options)


def decisions(spec: ir.Spec) -> tuple[Decision, ...]:
    """All holes of a spec in the order of the text."""

    def words(hole: Hole) -> tuple[str, ...]:
        if isinstance(hole, ir.IntRange):
            return tuple(str(hole.low + i * hole.step) for i in range(hole.count()))
        if isinstance(hole, ir.FloatRange):
            return show(hole.low), show(hole.high)
        return option_labels(hole)

    return tuple(Decision(hole.name, words(hole), hole) for hole in ir.holes(spec))
