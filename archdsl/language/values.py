"""Values of the syntax tree to values of the IR: constants are folded, holes get their names, lets are looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from archdsl import ir
from archdsl.errors import Diagnostic, Span
from archdsl.arguments import calculate
from archdsl.language import syntax

RESERVED = ("true", "false", "none", "width")
MAX_OPTIONS = 10_000
MAX_LET_DEPTH = 64
_WORDS: dict[str, ir.Scalar] = {"true": True, "false": False, "none": None}


class Mistake(Exception):
    """One diagnostic on its way to the list of all."""

    def __init__(self, message: str, span: Span | None, help: str | None = None) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(message, span, help)


@dataclass
class Scope:
    """The `let`s of a file, and which of them are being looked up right now."""

    lets: Mapping[str, syntax.Statement]
    open: list[str] = field(default_factory=list)

    def enter(self, name: str, span: Span) -> syntax.Statement:
        """The `let` called `name`.

        Raises:
            Mistake: it is used inside itself, or lets nest too deep.
        """
        if name in self.open:
            chain = " -> ".join([*self.open[self.open.index(name) :], name])
            raise Mistake(f"'{name}' is defined by itself ({chain})", span, "give the let another name than what it uses")
        if len(self.open) >= MAX_LET_DEPTH:
            raise Mistake(f"lets use each other more than {MAX_LET_DEPTH} deep", span, "write some of them out")
        self.open.append(name)
        return self.lets[name]

    def leave(self) -> None:
        """Done with the innermost `let`."""
        self.open.pop()


def lower_value(value: syntax.Value, scope: Scope, hole: str, *, suffixes: bool = False, real_holes: bool = False) -> ir.Value:
    """The IR of a value.

    Args:
        value: from the syntax tree.
        scope: where names are looked up.
        hole: name for a hole standing here.
        suffixes: whether 2M may stand here.
        real_holes: whether `{1e-4..1e-2 log}` may stand here.

    Raises:
        Mistake: with the place and the remedy.
    """
    lower: Callable[[syntax.Value, str], ir.Value] = lambda v, name: lower_value(  # noqa: E731
        v, scope, name, suffixes=suffixes, real_holes=real_holes
    )
    match value:
        case syntax.Number(number, span, suffixed):
            if suffixed and not suffixes:
                raise Mistake("K, M and G stand only in 'require'", span, f"write {number}")
            return number
        case syntax.Name(text, span):
            return _name(text, span, scope, hole, lower)
        case syntax.Dimensions(sizes, span):
            raise Mistake("a shape stands only after 'input'", span, f"did you mean {sizes[0]}?")
        case syntax.Negate(op, inner, span):
            return _fold("-" if op == "-" else "+", 0, lower(inner, hole), span)
        case syntax.Binary(op, left, right, span):
            return _fold(op, lower(left, f"{hole}.left"), lower(right, f"{hole}.right"), span)
        case syntax.ValueChoice(options, span):
            if len(options) == 1:
                return lower(options[0], hole)
            lowered = tuple(lower(option, f"{hole}.{i}") for i, option in enumerate(options, start=1))
            return ir.Pick(name=hole, options=lowered, at=span)
        case syntax.Range():
            return _range(value, lower, hole, real_holes)
        case syntax.Measure(name, _, span):
            raise Mistake(f"'{name}(…)' stands only in 'require'", span)


def _name(text: str, span: Span, scope: Scope, hole: str, lower: Callable[[syntax.Value, str], ir.Value]) -> ir.Value:
    if text == "width":
        return ir.Width(at=span)
    if text in _WORDS:
        return _WORDS[text]
    if text not in scope.lets:
        return text
    let = scope.enter(text, span)
    try:
        inner = let.value if let.value is not None else _as_value(let.items or (), text)
        return text if inner is None else lower(inner, text)
    finally:
        scope.leave()


def _as_value(items: tuple[syntax.Item, ...], name: str) -> syntax.Value | None:
    """A let written like blocks but usable as a value: `let A = gelu`, `let A = {relu|gelu}`; else None."""
    match items:
        case (syntax.BlockCall(text, (), span),):
            return syntax.Name(text, span)
        case (syntax.Choice(options, span),):
            values = [_as_value(option, name) for option in options]
            known = tuple(v for v in values if v is not None)
            return syntax.ValueChoice(known, span) if len(known) == len(values) else None
    return None


def _fold(op: str, left: ir.Value, right: ir.Value, span: Span) -> ir.Value:
    for side in (left, right):
        if isinstance(side, (bool, str)) or side is None:
            raise Mistake(f"'{op}' needs numbers", span)
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        try:
            return calculate(op, left, right)
        except (ZeroDivisionError, OverflowError) as error:
            raise Mistake(f"this cannot be calculated: {error}", span) from None
    return ir.Arithmetic(op=op, left=left, right=right, at=span)  # type: ignore[arg-type]


def _range(value: syntax.Range, lower: Callable[[syntax.Value, str], ir.Value], hole: str, real_holes: bool) -> ir.Value:
    low, high = lower(value.low, hole), lower(value.high, hole)
    step = 1 if value.step is None else lower(value.step, hole)
    if value.log:
        if not real_holes:
            raise Mistake("a log range stands only in train(…)", value.span, "use {a|b|c} or {lo..hi step s}")
        if not (isinstance(low, (int, float)) and isinstance(high, (int, float)) and 0 < low < high):
            raise Mistake("a log range needs two numbers with 0 < lo < hi", value.span, "for example {1e-4..1e-2 log}")
        return ir.FloatRange(name=hole, low=float(low), high=float(high), at=value.span)
    if not (type(low) is int and type(high) is int and type(step) is int):
        raise Mistake("a range needs integers without holes", value.span, "for example {192..256 step 32}")
    if low > high:
        raise Mistake(f"this range is empty: {low} is more than {high}", value.span, f"did you mean {{{high}..{low}}}?")
    if step < 1:
        raise Mistake(f"a step is at least 1, not {step}", value.span)
    if (high - low) // step + 1 > MAX_OPTIONS:
        raise Mistake(f"a range of more than {MAX_OPTIONS:,} values", value.span, "give it a larger step")
    return low if low == high else ir.IntRange(name=hole, low=low, high=high, step=step, at=value.span)


def possible(value: ir.Value) -> set[ir.Scalar]:
    """Every constant a value can become, whatever its holes decide; empty when it depends on the stage's width."""
    match value:
        case ir.Pick():
            return set().union(*(possible(option) for option in value.options))
        case ir.IntRange():
            return set(range(value.low, value.high + 1, value.step))
        case ir.Arithmetic():
            results: set[ir.Scalar] = set()
            for left in possible(value.left):
                for right in possible(value.right):
                    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
                        if right != 0 or value.op in "+-*":
                            results.add(calculate(value.op, left, right))
                        if len(results) > MAX_OPTIONS:
                            return set()
            return results
        case ir.FloatRange() | ir.Width():
            return set()
        case _:
            return {value}
