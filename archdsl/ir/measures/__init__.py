"""What `require` can speak of: every measure of a network, with its sum over blocks and its help, one entry each.

A measure that is entered here, in a file of this folder or by anybody else, is known to the language and its messages,
to checking, counting and searching, and to the editor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from archdsl.base.registry import Registry

# What a placed block (`archdsl.network.PlacedBlock`) adds; with the name and the stage that stand in parentheses.
Share: TypeAlias = Callable[[Any, str | None, int | None], int]


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        what: one sentence for help and editors.
        share: what a block adds to the sum over all blocks of a network, downsampling layers among them (their `index`
            is 0); whole numbers. None for what no text tells and only measuring does.
        of_block: whether it is written with the name of a block, `count(NAME)`, and perhaps a stage.
        place: in lists of all measures.
    """

    what: str
    share: Share | None
    of_block: bool = False
    place: int = 100


MEASURES: Registry[Measure] = Registry("measure", "archdsl.ir.measures")


def measure_names(of_block: bool) -> tuple[str, ...]:
    """The names of the measures of whole networks, or of those written with a block, in the order of lists."""
    found = [name for name in MEASURES if MEASURES[name].of_block is of_block]
    return tuple(sorted(found, key=lambda name: (MEASURES[name].place, name)))


def known_measure(name: str) -> str:
    """The name itself.

    Raises:
        UnknownNameError: no measure is called that.
    """
    MEASURES[name]
    return name


def is_counted(name: str) -> bool:
    """Whether a text tells what a network has of it."""
    return MEASURES[name].share is not None
