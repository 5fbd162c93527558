"""Remembers what items with holes come to, for each way to decide them; items that say the same share it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from archdsl import ir
from archdsl.base.errors import Span
from archdsl.blocks.composites.kinds import Same
from archdsl.ir.decisions import Hole
from archdsl.ir.wording import option_labels

MOST_KEPT = 65_536  # items and sequences of them


@dataclass(eq=False, slots=True)
class Asked:
    """A hole that is met next; what comes of each decision is another, or the items with all holes decided."""

    hole: Hole
    after: dict[Any, Asked | ir.Items] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Alike:
    """Items that say the same at the same places of the text, such as the copies of a repeat.

    Attributes:
        items: the first of them.
        is_open: whether there are holes in them.
        after: what comes of them, by None, as `Asked` says.
    """

    items: ir.Items
    is_open: bool
    after: dict[Any, Asked | ir.Items] = field(default_factory=dict)

    def learn(self, decided: dict[str, tuple[Hole, Any]], outcome: ir.Items) -> None:
        """Remember what comes of the items.

        Args:
            decided: the holes in the order in which they are met, each with what was decided, by name.
            outcome: the items without holes.
        """
        if len(_LEARNT) >= MOST_KEPT:
            for known in _LEARNT:
                known.after.clear()
            _LEARNT.clear()
        _LEARNT.append(self)
        after, decision = self.after, None
        for hole, following in decided.values():
            asked = after.setdefault(decision, Asked(hole))
            if not isinstance(asked, Asked):
                raise TypeError("a hole is met that was none")
            after, decision = asked.after, following
        after[decision] = outcome


T = TypeVar("T")


def _by_identity(of: Callable[[Any], T]) -> Callable[[Any], T]:
    """Remembers what a function says of a thing, for the very same thing; by far the most frequent question."""
    known: dict[int, tuple[object, T]] = {}  # with the thing, whose identity is taken as long as it is held

    @functools.wraps(of)
    def remembered(thing: Any) -> T:
        found = known.get(id(thing))
        if found is None:
            if len(known) >= MOST_KEPT:
                known.clear()
            found = known[id(thing)] = thing, of(thing)
        return found[1]

    return remembered


_LEARNT: list[Alike] = []  # for each outcome
_FIRST: dict[tuple[str, tuple[Span | None, ...]], Alike] = {}


@_by_identity
def alike(items: ir.Items) -> Alike:
    """What is known of items that say the same at the same places: the copies of a repeat are expanded once."""
    written = "".join(item.model_dump_json() for item in items)
    if len(_FIRST) >= MOST_KEPT:
        _FIRST.clear()
    is_open = next(ir.holes_in(items), None) is not None
    return _FIRST.setdefault((written, tuple(node.at for node in ir.walk(items))), Alike(items, is_open))


@_by_identity
def alike_alone(item: ir.Item) -> Alike:
    """The same of a sequence of one item."""
    return alike((item,))


@_by_identity
def labels(hole: ir.Pick | ir.ChoiceSpec) -> tuple[str, ...]:
    """The options of a hole in words."""
    return option_labels(hole)


@functools.lru_cache(maxsize=MOST_KEPT)
def closed(item: Same, arguments: tuple[tuple[str, type, ir.Value], ...], items: Same) -> ir.BlockSpec:
    """A block with other arguments and items."""
    block: Any = item.thing
    said = {name: value for name, _, value in arguments}
    made: ir.BlockSpec = block.model_copy(update={"arguments": said, "items": items.thing})
    return made


@functools.lru_cache(maxsize=MOST_KEPT)
def together(items: tuple[Same, ...]) -> ir.Items:
    """A sequence of items."""
    things: Any = tuple(item.thing for item in items)
    return things  # type: ignore[no-any-return]
