"""Reads rules of name maps: a parameter's name in timm, its name in a compiled spec, and the layout of its tensor.

A rule is a line `THEIRS -> OURS`. Both name a module or a parameter; what follows the module (`.weight`, `.bias`,
`.running_mean`) stays. `{b}` stands for a number, which ours may shift: `{b+1}`. `A | B` takes the first that the
network has. `: LAYOUT` says that the numbers stand in another order, see `LAYOUTS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

# A tensor, the number of heads of the attention it belongs to (1 elsewhere) -> the same numbers in our order.
Layout: TypeAlias = Callable[[Tensor, int], Tensor]


def table(theirs: Tensor, heads: int) -> Tensor:
    """Relative position biases: (offsets, heads) -> (heads, offsets)."""
    return theirs.transpose(0, 1)


def by_head(theirs: Tensor, heads: int) -> Tensor:
    """Rows that hold q, k, v of one head after the other -> all q, then all k, then all v."""
    return theirs.reshape(heads, 3, -1, *theirs.shape[1:]).transpose(0, 1).flatten(0, 2)


def merged(theirs: Tensor, heads: int) -> Tensor:
    """Channels of 2 x 2 merged pixels (arXiv 2103.14030), by column, row, channel -> by channel, row, column.

    Swin puts four pixels one after the other, `unshuffle` the four values of a channel (`torch.pixel_unshuffle`). They
    are the inputs of a linear layer, or all there is of a norm: the last dimension.
    """
    return theirs.reshape(*theirs.shape[:-1], 2, 2, -1).transpose(-1, -3).flatten(-3)


LAYOUTS: dict[str, Layout] = {"table": table, "by_head": by_head, "merged": merged}
_NUMBER = re.compile(r"\{(\w)(\+\d+)?\}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a name map.

    Attributes:
        theirs: what it matches, with a group per number and one for what follows.
        ours: the names it may become.
        layout: None where the numbers stay as they are.
    """

    theirs: re.Pattern[str]
    ours: tuple[str, ...]
    layout: Layout | None

    def rename(self, name: str, known: Container[str]) -> str | None:
        """Our name of a parameter of theirs: the first of the possible ones that is known, else the first."""
        match = self.theirs.fullmatch(name)
        if match is None:
            return None
        numbers = match.groupdict()
        leaf = numbers.pop("leaf") or ""

        def shifted(number: re.Match[str]) -> str:
            return str(int(numbers[number[1]]) + int(number[2] or 0))

        names = [_NUMBER.sub(shifted, ours) + leaf for ours in self.ours]
        return next((ours for ours in names if ours in known), names[0])


@dataclass(frozen=True, slots=True)
class Family:
    """Models of one kind, whose parameters go by the same names."""

    name: str
    rules: tuple[Rule, ...]

    def find(self, name: str, known: Container[str]) -> tuple[str, Layout | None] | None:
        """Our name of a parameter and its layout; None for a name that no rule knows."""
        for rule in self.rules:
            ours = rule.rename(name, known)
            if ours is not None:
                return ours, rule.layout
        return None


def family(name: str, *lines: str) -> Family:
    """A family from the lines of its rules; the first that matches counts."""
    return Family(name, tuple(_rule(line) for text in lines for line in text.strip().splitlines()))


def _rule(line: str) -> Rule:
    names, _, layout = line.partition(" : ")
    theirs, _, ours = names.partition(" -> ")
    pattern = re.escape(theirs.strip()).replace(r"\{", "{").replace(r"\}", "}")
    pattern = re.sub(r"\{(\w)\}", r"(?P<\1>\\d+)", pattern) + r"(?P<leaf>\.\w+)?"
    return Rule(re.compile(pattern), tuple(o.strip() for o in ours.split("|")), LAYOUTS.get(layout.strip()))
