"""Works out the values in a composite block where it is called, and says whom to blame for one that does not fit."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from archdsl import ir
from archdsl.base.errors import Span
from archdsl.blocks.composites.kinds import FROM_OUTSIDE, FROM_STAGE, Kind
from archdsl.blocks.shapes import ShapeError, divisors_near
from archdsl.ir.arguments import misfit, say
from archdsl.ir.values import evaluate, is_number
from archdsl.ir.wording import write_value

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class ParameterMisfit(ShapeError):
    """A misfit that a parameter of the block is to blame for, on its way out of the block."""


@dataclass(frozen=True)
class Bindings:
    """The names that the items of one block may use, with their values.

    Attributes:
        names: values of the parameters, of `width`, `stride` and `in`.
        given: parameters that the call gave.
    """

    names: Mapping[str, ir.Scalar]
    given: frozenset[str]

    def value(self, value: ir.Value) -> ir.Scalar:
        """What a value comes to.

        Raises:
            ShapeError: a name is not known here, or there is no such number.

        >>> Bindings({"in": 64}, frozenset()).value(ir.Arithmetic(op="/", left=ir.Variable(name="in"), right=2))
        32
        """
        return evaluate(value, _undecided, self._named, _no_number)

    def _named(self, variable: ir.Variable) -> ir.Scalar:
        if variable.name not in self.names:
            help = "the width of a stage; stem and head have none" if variable.name == "width" else None
            raise ShapeError(f"'{variable.name}' is not known here", None, help, variable.at)
        return self.names[variable.name]

    def holds(self, test: ir.IfSpec) -> bool:
        """Whether what an `if` asks for is so.

        Raises:
            ShapeError: something else than numbers is to be larger or smaller.
        """
        left, right = self.value(test.left), self.value(test.right)
        if test.op in ("==", "!="):
            return _COMPARE[test.op](left, right)
        if not (is_number(left) and is_number(right)):
            raise ShapeError(f"'{test.op}' compares numbers, not {say(left)} and {say(right)}", None, None, test.at)
        return _COMPARE[test.op](left, right)

    def arguments(self, spec: ir.BlockSpec, block: Kind) -> dict[str, ir.Scalar]:
        """What the arguments written for an inner block come to.

        Raises:
            ShapeError: an argument, which it names, has no value, or is a fraction where an integer is asked for.
        """
        found: dict[str, ir.Scalar] = {}
        for name, value in spec.arguments.items():
            try:
                found[name] = self.value(value)
                if isinstance(found[name], float) and isinstance(value, ir.Arithmetic):
                    self._require_whole(block, name, value, found[name])
            except ShapeError as error:
                error.argument = name
                raise
        return found

    def _require_whole(self, block: Kind, name: str, value: ir.Arithmetic, quotient: ir.Scalar) -> None:
        """Say which number does not divide which, rather than that an argument is no integer."""
        wrong = misfit(block, name, quotient, "float")
        if wrong is None:
            return
        if value.op != "/":
            raise ShapeError(wrong[0], None, wrong[1] or f"a fraction is dropped by //1: {write_value(value)}//1")
        left, right = self.value(value.left), self.value(value.right)
        said, by = ((v.name if isinstance(v, ir.Variable) else "") for v in (value.left, value.right))
        what = f"the {'incoming channels' if said == 'in' else said} {left}" if said else str(left)
        help = f"near it: {divisors_near(left, right)}" if type(left) is type(right) is int else None
        raise ShapeError(f"{by}{'=' if by else ''}{right} does not divide {what}", None, help)

    def blame(self, error: ShapeError, spec: ir.BlockSpec) -> ShapeError:
        """A misfit of an inner block as that of a parameter of this block, if it is the reason; else with its place."""
        if error.span is not None or isinstance(error, ParameterMisfit):
            return error
        value = spec.arguments.get(error.argument or "")
        mentioned = {node.name for node in ir.walk(value) if isinstance(node, ir.Variable)}
        parameters = (mentioned - {*FROM_OUTSIDE, "in"}) & self.given
        if error.argument and error.argument not in spec.arguments and error.argument in self.given & set(FROM_STAGE):
            parameters = {error.argument}
        if len(parameters) == 1:
            name = parameters.pop()
            computed = not isinstance(value, (ir.Variable, type(None)))
            said = f"{name}={say(self.names[name])}"
            by = f" ({said} makes it so)" if computed and said not in error.message else ""
            return ParameterMisfit(f"{error.message}{by}", name, error.help)
        span: Span | None = spec.places.get(error.argument or "", spec.at)
        return ShapeError(error.message, None, error.help, span)


def _undecided(hole: ir.Node) -> NoReturn:
    raise TypeError(f"a hole is left: {hole!r}")


def _no_number(value: ir.Arithmetic, left: ir.Scalar, right: ir.Scalar, error: ArithmeticError | None) -> NoReturn:
    needs = f"'{value.op}' needs numbers, not {say(left)} and {say(right)}"
    raise ShapeError(f"this cannot be calculated: {error}" if error else needs, None, None, value.at) from None
