"""Writes what a spec requires of what can be counted as formulas over sums of measures."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from archdsl import ir
from archdsl.base.effort import spend
from archdsl.ir.conditions import measures, truth
from archdsl.space.formulas import Atom, Formula, Junction, Not, junction
from archdsl.space.sums import Form

_OPERATORS: dict[str, Callable[[Fraction, int], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
READING = 30  # steps of `effort` for a condition
_MIRRORED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}


class Nonlinear(Exception):
    """A condition that is not made of comparisons of weighted sums."""


@dataclass
class Forms:
    """The sums that conditions compare, over a fixed list of measures.

    Attributes:
        measures: what is summed over the blocks of a network.
        forms: the weighted sums of them, each once.
    """

    measures: tuple[ir.MeasureSpec, ...]
    forms: list[Form] = field(default_factory=list)

    def formula(self, condition: ir.Condition) -> Formula:
        """A condition as a formula; new forms are entered.

        Raises:
            Nonlinear: it multiplies or divides measures, or rounds.
        """
        if isinstance(condition, ir.Logic):
            parts = tuple(self.formula(part) for part in condition.parts)
            return Not(parts[0]) if condition.op == "not" else junction(condition.op == "and", parts)
        (above, below), (right, one) = self._ratio(condition.left), self._ratio(condition.right)
        if one.is_constant and below.is_constant:
            return self._compared(above.minus(right), condition.op)
        if right.is_constant and one.is_constant:
            return self._divided(above.minus(below.times(right.constant)), below, condition.op)
        if above.is_constant and below.is_constant:
            return self._divided(right.minus(one.times(above.constant)), one, _MIRRORED.get(condition.op, condition.op))
        raise Nonlinear

    def _divided(self, above: Linear, below: Linear, op: str) -> Formula:
        """`above / below op 0`; a division by zero is no number, which is only unequal to others."""
        positive, negative = self._compared(below, ">"), self._compared(below, "<")
        found = [
            junction(True, [positive, self._compared(above, op)]),
            junction(True, [negative, self._compared(above, _MIRRORED.get(op, op))]),
        ]
        return junction(False, [*found, self._compared(below, "==")] if op == "!=" else found)

    def _compared(self, total: Linear, op: str) -> Formula:
        """`total op 0`, for a form of whole numbers without a common divisor, the first of them positive."""
        if total.is_constant:
            return _OPERATORS[op](total.constant, 0)
        scale = math.lcm(*(w.denominator for w in total.weights))
        scaled = [int(w * scale) for w in total.weights]
        divisor = Fraction(scale, math.gcd(*scaled))
        if next(w for w in scaled if w) < 0:
            divisor, op = -divisor, _MIRRORED.get(op, op)
        form = tuple(int(w * divisor) for w in total.weights)
        if form not in self.forms:
            self.forms.append(form)
        return _bounded(self.forms.index(form), op, -total.constant * divisor)

    def _ratio(self, total: ir.Total) -> tuple[Linear, Linear]:
        """A total as one sum over another; the other is 1 for most."""
        none = (Fraction(0),) * len(self.measures)
        one = Linear(none, Fraction(1))
        if isinstance(total, ir.MeasureSpec):
            place = self.measures.index(total)
            return Linear(tuple(Fraction(int(i == place)) for i in range(len(none))), Fraction(0)), one
        if not isinstance(total, ir.Combine):
            return Linear(none, Fraction(total) if isinstance(total, int) else Fraction(repr(total))), one
        (a, b), (c, d) = self._ratio(total.left), self._ratio(total.right)
        plain = b.is_constant and d.is_constant  # denominators other than 1 are never constant
        match total.op:
            case "+" | "-" if plain or (c.is_constant and d.is_constant) or (a.is_constant and b.is_constant):
                under = b if d.is_constant else d
                left = a if b is under or plain else under.times(a.constant)
                right = c if d is under or plain else under.times(c.constant)
                return (left.minus(right) if total.op == "-" else left.minus(right.times(Fraction(-1)))), under
            case "*" if c.is_constant and d.is_constant:
                return a.times(c.constant), b
            case "*" if a.is_constant and b.is_constant:
                return c.times(a.constant), d
            case "/" if c.is_constant and d.is_constant and c.constant:
                return a.times(1 / c.constant), b
            case "/" if plain and not c.is_constant:
                return a, c
        raise Nonlinear


@dataclass(frozen=True)
class Linear:
    """A weighted sum of measures and a constant."""

    weights: tuple[Fraction, ...]
    constant: Fraction

    @property
    def is_constant(self) -> bool:
        """Whether no measure is in it."""
        return not any(self.weights)

    def minus(self, other: Linear) -> Linear:
        """The difference."""
        weights = tuple(a - b for a, b in zip(self.weights, other.weights, strict=True))
        return Linear(weights, self.constant - other.constant)

    def times(self, factor: Fraction) -> Linear:
        """The multiple."""
        return Linear(tuple(w * factor for w in self.weights), self.constant * factor)


class Requirement:
    """Conditions that hold together, over measures.

    Attributes:
        measures: what they speak of, and perhaps others.
        forms: the sums to count with; where a condition is not linear, the measures themselves.
        formula: the conditions over these sums; None where a condition is not linear.
    """

    def __init__(self, conditions: Sequence[ir.Condition], measures: tuple[ir.MeasureSpec, ...]) -> None:
        spend(READING * (len(conditions) + len(measures)))
        self.conditions, self.measures = tuple(conditions), measures
        forms = Forms(measures)
        self.formula: Formula | None
        try:
            self.formula = junction(True, [forms.formula(condition) for condition in conditions])
            self.forms = forms.forms
        except Nonlinear:
            self.formula = None
            self.forms = [tuple(int(i == k) for i in range(len(measures))) for k in range(len(measures))]

    def holds(self, values: Sequence[int]) -> bool:
        """Whether the conditions hold where the measures have these values."""
        known = dict(zip(self.measures, values, strict=True))
        return all(truth(condition, known.__getitem__) for condition in self.conditions)


def measures_of(conditions: Sequence[ir.Condition]) -> tuple[ir.MeasureSpec, ...]:
    """All measures that conditions speak of, each once."""
    return tuple(dict.fromkeys(m for condition in conditions for m in measures(condition)))


def _bounded(form: int, op: str, bound: Fraction) -> Formula:
    """`form op bound`, the form taking whole numbers only."""
    low, high = Atom(form, math.ceil(bound) - 1), Atom(form, math.floor(bound))
    match op:
        case "<=":
            return high
        case "<":
            return low
        case ">=":
            return Not(low)
        case ">":
            return Not(high)
    same: Formula = Junction(True, (high, Not(low))) if bound.denominator == 1 else False
    if op == "==":
        return same
    return Not(same) if not isinstance(same, bool) else True
