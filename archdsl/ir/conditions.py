"""Says whether a network meets a condition of `require`, breaks it, or cannot be told yet.

Most measures are counted from the text. `latency_ms` is only known once the network's blocks have run on the device, so
until then a condition that speaks of it may be undecided. Truth has three values for that, as in Kleene's strong logic
(Introduction to Metamathematics, 1952, section 64): `None` joined by `and`, `or`, `not` is decided as soon as the other
parts decide it whatever it will be.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Protocol, TypeAlias

from archdsl import ir
from archdsl.base.errors import Diagnostic
from archdsl.ir.measures import MEASURES, is_counted
from archdsl.ir.values import calculate

LATENCY = "latency_ms"

Number: TypeAlias = int | float | Fraction
Reader: TypeAlias = Callable[[ir.MeasureSpec], int | float | None]  # what there is of a measure; None: not known yet

_OPERATORS: dict[str, Callable[[Number, Number], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class Counts(Protocol):
    """A network whose blocks can be measured; an `Architecture` is one."""

    def blocks(self) -> Iterator[Any]: ...  # noqa: D102


# ---- truth -----------------------------------------------------------------------------------------------


def truth(condition: ir.Condition, value: Reader) -> bool | None:
    """Whether a condition is met where measures are what `value` says: yes, no, or None where that is open.

    >>> quick = ir.Comparison(op="<=", left=ir.MeasureSpec(measure="latency_ms"), right=2)
    >>> small = ir.Comparison(op="<=", left=ir.MeasureSpec(measure="params"), right=1000)
    >>> both = ir.Logic(op="and", parts=(quick, small))
    >>> [truth(both, lambda m, p=p: p if m.measure == "params" else None) for p in (999, 1001)]
    [None, False]
    """
    if isinstance(condition, ir.Comparison):
        left, right = _total(condition.left, value), _total(condition.right, value)
        return None if left is None or right is None else _OPERATORS[condition.op](left, right)
    parts = [truth(part, value) for part in condition.parts]
    if condition.op == "not":
        return None if parts[0] is None else not parts[0]
    deciding = condition.op == "or"  # one such part decides, whatever the others are
    if deciding in parts:
        return deciding
    return None if None in parts else not deciding


def _total(total: ir.Total, value: Reader) -> Number | None:
    """The value of one side; exact, so that `count(M)/3 == 0.1*count(C)` means what it says and can be counted."""
    if isinstance(total, ir.MeasureSpec):
        return value(total)
    if isinstance(total, ir.Combine):
        left, right = _total(total.left, value), _total(total.right, value)
        if left is None or right is None:
            return None
        try:
            if total.op == "/":
                return Fraction(left) / Fraction(right)
            return calculate(total.op, left, right)  # type: ignore[arg-type]
        except (ArithmeticError, ValueError):
            return float("nan")
    return total if isinstance(total, int) else Fraction(repr(total))


def allows(condition: ir.Condition, network: Counts, measured: Mapping[str, float] | None = None) -> bool:
    """Whether a condition lets a network pass: it is met, or cannot be decided before something is measured.

    Args:
        condition: of `require`.
        network: what is counted.
        measured: what was measured, by measure; nothing of the others is known.
    """
    return truth(condition, reader(network, measured)) is not False


def reader(network: Counts, measured: Mapping[str, float] | None = None) -> Reader:
    """What a network has of each measure."""

    def value(measure: ir.MeasureSpec) -> int | float | None:
        return value_of(measure, network) if is_counted(measure.measure) else (measured or {}).get(measure.measure)

    return value


def value_of(measure: ir.MeasureSpec, network: Counts) -> int:
    """What a network has of a measure that is counted."""
    return sum(share_of(measure, block) for block in network.blocks())


def share_of(measure: ir.MeasureSpec, block: Any) -> int:
    """What a placed block adds to a measure that is counted."""
    share = MEASURES[measure.measure].share
    if share is None:
        raise ValueError(f"'{measure.measure}' is not counted")
    return share(block, measure.block, measure.stage)


# ---- what can be counted ---------------------------------------------------------------------------------


def countable(conditions: Iterable[ir.Condition]) -> tuple[ir.Condition, ...]:
    """What conditions demand of what is counted, whatever is measured: networks that break it are certainly unfit.

    `truth` is not False for a network whose measurements are open just where all of these are met.
    """
    return tuple(found for condition in conditions if (found := _possible(condition)) is not None)


def is_measured(condition: ir.Condition) -> bool:
    """Whether a condition speaks of something that only measuring tells."""
    return not all(is_counted(measure.measure) for measure in measures(condition))


def _possible(condition: ir.Condition) -> ir.Condition | None:
    """The condition under which one is not certainly broken; None for always."""
    if not is_measured(condition):
        return condition
    if isinstance(condition, ir.Comparison):
        return None
    if condition.op == "not":
        certain = _certain(condition.parts[0])
        return None if certain is None else condition.model_copy(update={"parts": (certain,)})
    return _joined(condition, [_possible(part) for part in condition.parts], absorbing="or")


def _certain(condition: ir.Condition) -> ir.Condition | None:
    """The condition under which one is met whatever is measured; None for never."""
    if not is_measured(condition):
        return condition
    if isinstance(condition, ir.Comparison):
        return None
    if condition.op == "not":
        possible = _possible(condition.parts[0])
        return None if possible is None else condition.model_copy(update={"parts": (possible,)})
    return _joined(condition, [_certain(part) for part in condition.parts], absorbing="and")


def _joined(logic: ir.Logic, parts: list[ir.Condition | None], absorbing: str) -> ir.Condition | None:
    """Parts of which some are the constant that `absorbing` makes the whole, and that the other operator leaves out."""
    kept = tuple(part for part in parts if part is not None)
    if not kept or (len(kept) < len(parts) and logic.op == absorbing):
        return None
    return kept[0] if len(kept) == 1 else logic.model_copy(update={"parts": kept})


def open_measures(conditions: Iterable[ir.Condition]) -> tuple[str, ...]:
    """The measures that conditions speak of and only measuring tells, each once."""
    return tuple(dict.fromkeys(m.measure for c in conditions for m in measures(c) if not is_counted(m.measure)))


# ---- in words --------------------------------------------------------------------------------------------


def measures(condition: ir.Condition | ir.Total) -> Iterator[ir.MeasureSpec]:
    """The measures a condition speaks of."""
    match condition:
        case ir.MeasureSpec():
            yield condition
        case ir.Comparison() | ir.Combine():
            yield from measures(condition.left)
            yield from measures(condition.right)
        case ir.Logic():
            for part in condition.parts:
                yield from measures(part)


def figures(condition: ir.Condition, value: Reader) -> dict[str, int | float]:
    """Each measure a condition speaks of, as the language writes it, and its value, where that is known."""
    found = ((describe(measure), value(measure)) for measure in measures(condition))
    return {name: number for name, number in found if number is not None}


def describe(measure: ir.MeasureSpec) -> str:
    """A measure as the language writes it."""
    if measure.block is None:
        return measure.measure
    stage = "" if measure.stage is None else f", stage={measure.stage}"
    return f"{measure.measure}({measure.block}{stage})"


def unmet(
    condition: ir.Condition, network: Counts, measured: Mapping[str, float] | None = None, help: str | None = None
) -> Diagnostic | None:
    """None when a condition is met or undecided, else what the network has instead; `help` for the remedy."""
    value = reader(network, measured)
    if truth(condition, value) is not False:
        return None
    said = ", ".join(f"{name} is {_written(number)}" for name, number in figures(condition, value).items())
    return Diagnostic(f"this requirement is not met: {said}", condition.at, help)


def _written(number: int | float) -> str:
    """A count in full, a measured number in three digits."""
    return f"{number:,}" if isinstance(number, int) or abs(number) >= 1000 else f"{number:.3g}"
