"""Represents conditions as formulas: sums of whole numbers compared with bounds, joined by and, or, not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Atom:
    """`form <= bound`."""

    form: int
    bound: int


@dataclass(frozen=True)
class Not:
    """What `part` is not."""

    part: Formula


@dataclass(frozen=True)
class Junction:
    """`and` (every = True) or `or` of parts."""

    every: bool
    parts: tuple[Formula, ...]


Formula: TypeAlias = bool | Atom | Not | Junction


def junction(every: bool, parts: Sequence[Formula]) -> Formula:
    """`and` or `or`, constants worked out."""
    kept = tuple(dict.fromkeys(part for part in parts if not isinstance(part, bool)))
    if any(part is (not every) for part in parts):
        return not every
    return kept[0] if len(kept) == 1 else Junction(every, kept) if kept else every


def atoms(formula: Formula) -> frozenset[Atom]:
    """The comparisons in a formula."""
    match formula:
        case Atom():
            return frozenset((formula,))
        case Not():
            return atoms(formula.part)
        case Junction():
            return frozenset().union(*map(atoms, formula.parts))
    return frozenset()


def shifted(formula: Formula, by: Sequence[int]) -> Formula:
    """The formula for sums that are smaller by `by[form]` than those it speaks of."""
    match formula:
        case Atom():
            return Atom(formula.form, formula.bound - by[formula.form])
        case Not():
            return Not(shifted(formula.part, by))
        case Junction():
            return Junction(formula.every, tuple(shifted(part, by) for part in formula.parts))
    return formula


def settle(formula: Formula, speaks: Sequence[bool]) -> Formula:
    """The formula where only the forms that `speaks` names can be anything but zero."""
    match formula:
        case Atom():
            return formula if speaks[formula.form] else formula.bound >= 0
        case Not():
            part = settle(formula.part, speaks)
            return not part if isinstance(part, bool) else Not(part)
        case Junction():
            return junction(formula.every, [settle(part, speaks) for part in formula.parts])
    return formula


def truth(formula: Formula, low: Sequence[int], high: Sequence[int]) -> bool | None:
    """Whether a formula holds for all sums between `low` and `high`: yes, no, or None for some."""
    match formula:
        case Atom():
            return (
                True if high[formula.form] <= formula.bound else None if low[formula.form] <= formula.bound else False
            )
        case Not():
            inner = truth(formula.part, low, high)
            return None if inner is None else not inner
        case Junction():
            found: bool | None = formula.every
            for part in formula.parts:
                known = truth(part, low, high)
                if known is (not formula.every):
                    return known
                found = None if known is None else found
            return found
    return formula


# ---- as a sum of boxes -----------------------------------------------------------------------------------

# Upper bounds by form, and how often the box counts: a formula is 1 where it holds and 0 elsewhere.
Box: TypeAlias = tuple[tuple[int, int], ...]
Boxes: TypeAlias = dict[Box, int]


class TooManyBoxes(Exception):
    """A formula is made of too many boxes."""


def boxes(formula: Formula, most: int) -> Boxes:
    """A formula as a weighted sum of boxes that are open below: `x >= 3` is everything minus `x <= 2`.

    Raises:
        TooManyBoxes: there are more than `most`.
    """
    match formula:
        case Atom():
            return {((formula.form, formula.bound),): 1}
        case Not():
            return _opposite(boxes(formula.part, most))
        case Junction():
            # a or b is what is left outside of neither a nor b.
            product: Boxes = {(): 1}
            for part in formula.parts:
                found = boxes(part, most)
                product = _product(product, found if formula.every else _opposite(found))
                if len(product) > most:
                    raise TooManyBoxes
            return product if formula.every else _opposite(product)
    return {(): 1} if formula else {}


def _opposite(found: Boxes) -> Boxes:
    total = {box: -weight for box, weight in found.items() if box}
    if found.get((), 0) != 1:
        total[()] = 1 - found.get((), 0)
    return total


def _product(left: Boxes, right: Boxes) -> Boxes:
    product: Boxes = {}
    for a, x in left.items():
        for b, y in right.items():
            bounds = dict(a)
            for form, bound in b:
                bounds[form] = min(bound, bounds.get(form, bound))
            box = tuple(sorted(bounds.items()))
            product[box] = product.get(box, 0) + x * y
    return {box: weight for box, weight in product.items() if weight}
