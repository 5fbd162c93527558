"""Works out values: what holes, names and arithmetic come to, as the caller decides and knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from archdsl import ir

LARGEST = 10**18

V = TypeVar("V")
# The index of the option taken, or for a range the number.
Decide: TypeAlias = Callable[[ir.Pick | ir.IntRange | ir.FloatRange], Any]


def evaluate(
    value: ir.Value,
    decide: Decide,
    lookup: Callable[[ir.Variable], V],
    stuck: Callable[[ir.Arithmetic, ir.Scalar | V, ir.Scalar | V, ArithmeticError | None], V],
) -> ir.Scalar | V:
    """What a value comes to.

    Args:
        value: with holes and names in it.
        decide: decides a hole, each time it is met; its options that are not taken are not looked at.
        lookup: what a name stands for.
        stuck: what arithmetic comes to that has no number: it gets the two sides as they came out, and what is wrong
            with the calculation, in plain words, or None where a side is no number. It raises what the caller raises.

    >>> tripled = ir.Arithmetic(op="*", left=ir.Pick(name="k", options=(1, ir.Variable(name="in"))), right=3)
    >>> [evaluate(tripled, lambda hole: index, lambda variable: 64, print) for index in (0, 1)]
    [3, 192]
    """
    if not isinstance(value, ir.Node):
        return value
    match value:
        case ir.Pick():
            return evaluate(value.options[decide(value)], decide, lookup, stuck)
        case ir.IntRange() | ir.FloatRange():
            decided: int | float = decide(value)
            return decided
        case ir.Variable():
            return lookup(value)
        case ir.Arithmetic():
            left = evaluate(value.left, decide, lookup, stuck)
            right = evaluate(value.right, decide, lookup, stuck)
            if not (is_number(left) and is_number(right)):
                return stuck(value, left, right, None)
            try:
                return bounded(value.op, left, right)  # type: ignore[arg-type]
            except ArithmeticError as error:
                return stuck(value, left, right, error)
    raise TypeError(f"not a value: {value!r}")


def is_number(value: object) -> bool:
    """Whether one can calculate with it; `true` is no number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def calculate(op: str, left: float, right: float) -> int | float:
    """`left op right`; a whole number is an integer, so that `width/2` and `width*0.5` are widths.

    Raises:
        ZeroDivisionError, OverflowError: there is no such number, or no room for it.

    >>> calculate("/", 64, 2), calculate("/", 1, 2), calculate("*", 64, 0.5), calculate("//", 7.5, 1)
    (32, 0.5, 32, 7)
    """
    match op:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "*":
            result = left * right
        case "//":
            result = left // right
        case _:
            result = (
                left // right
                if isinstance(left, int) and isinstance(right, int) and left % right == 0
                else left / right
            )
    return int(result) if isinstance(result, float) and result.is_integer() and abs(result) < LARGEST else result


def bounded(op: str, left: float, right: float) -> int | float:
    """`calculate`, but no further than 10^18: repeated squaring makes numbers that fill the memory.

    Raises:
        ArithmeticError: with a message in plain words.
    """
    try:
        result = calculate(op, left, right)
    except ZeroDivisionError:
        raise ArithmeticError("division by zero") from None
    except OverflowError:
        raise ArithmeticError("the result is too large") from None
    if not abs(result) <= LARGEST:
        raise ArithmeticError("the result is too large")
    return result
