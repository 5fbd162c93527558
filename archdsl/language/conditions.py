"""Lowers the conditions of `require` to the IR."""

from __future__ import annotations

from collections.abc import Collection

from archdsl import ir
from archdsl.base.errors import Span, did_you_mean
from archdsl.ir.measures import measure_names
from archdsl.language import syntax
from archdsl.language.values import Mistake, Scope, calculated, lower_value


def _known() -> str:
    calls = (f"{name}(NAME)" for name in measure_names(of_block=True))
    return f"known are: {', '.join((*measure_names(of_block=False), *calls))}"


def lower_condition(condition: syntax.Condition, scope: Scope, blocks: Collection[str], stages: int) -> ir.Condition:
    """The IR of a condition.

    Args:
        condition: from the syntax tree.
        scope: where names of numbers are looked up.
        blocks: names that `count(…)` may take.
        stages: how many stages there are.

    Raises:
        Mistake: with the place and the remedy.
    """
    if isinstance(condition, syntax.Junction):
        with scope.deeper(condition.span):
            parts = tuple(lower_condition(part, scope, blocks, stages) for part in condition.parts)
        return ir.Logic(op=condition.op, parts=parts, at=condition.span)
    left, right = (_total(side, scope, blocks, stages) for side in (condition.left, condition.right))
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        raise Mistake("this compares two numbers", condition.span, "one side measures the model, as in: params <= 2M")
    return ir.Comparison(op=condition.op, left=left, right=right, at=condition.span)


def _total(value: syntax.Value, scope: Scope, blocks: Collection[str], stages: int) -> ir.Total:
    match value:
        case syntax.Name(text, span):
            if text in measure_names(of_block=False):
                return ir.MeasureSpec(measure=text, at=span)
            if text in scope.lets:
                return _constant(value, scope)
            help = did_you_mean(text, (*measure_names(of_block=False), *measure_names(of_block=True))) or _known()
            raise Mistake(f"'{text}' is not something to measure", span, help)
        case syntax.Measure():
            return _count(value, blocks, stages, scope)
        case syntax.Binary(op, left, right, span):
            with scope.deeper(span):
                a, b = _total(left, scope, blocks, stages), _total(right, scope, blocks, stages)
            if isinstance(a, (int, float)) and isinstance(b, (int, float)):
                return calculated(op, a, b, span)
            return ir.Combine(op=op, left=a, right=b, at=span)
        case syntax.Negate(op, inner, span):
            with scope.deeper(span):
                total = _total(inner, scope, blocks, stages)
            return total if op == "+" else ir.Combine(op="-", left=0, right=total, at=span)
    return _constant(value, scope)


def _constant(value: syntax.Value, scope: Scope) -> int | float:
    constant = lower_value(value, scope, "require", suffixes=True)
    if isinstance(constant, bool) or not isinstance(constant, (int, float)):
        raise Mistake("'require' compares measures with numbers", value.span, "for example: require params <= 2M")
    return constant


def _count(value: syntax.Measure, blocks: Collection[str], stages: int, scope: Scope) -> ir.MeasureSpec:
    name, calls = value.name, measure_names(of_block=True)
    if name not in calls:
        help = did_you_mean(name, calls) or _known()
        if name in measure_names(of_block=False):
            help = f"'{name}' is of the whole network and stands without parentheses"
        raise Mistake(f"'{name}(…)' is not something to measure", value.span, help)
    block: str | None = None
    stage: int | None = None
    for argument in value.arguments:
        match argument:
            case syntax.Argument(None, syntax.Name(text, span)) if block is None:
                if text not in blocks and text in scope.lets:
                    raise Mistake(
                        f"'{text}' does not name a single block", span, f"{name} what stands in it: {name}(M)"
                    )
                if text not in blocks:
                    raise Mistake(
                        f"unknown block '{text}'", span, did_you_mean(text, blocks) or f"{name}(NAME) counts blocks"
                    )
                block = text
            case syntax.Argument("stage", inner) if stage is None:
                stage = _stage_number(inner, stages, scope)
            case _:
                raise Mistake(
                    f"'{name}' takes a block and perhaps a stage", argument.span, f"{name}(M) or {name}(M, stage=2)"
                )
    if block is None:
        raise Mistake(f"'{name}' needs the name of a block", value.span, f"for example: {name}(M) >= 1")
    return ir.MeasureSpec(measure=name, block=block, stage=stage, at=value.span)


def _stage_number(value: syntax.Value, stages: int, scope: Scope) -> int:
    number = lower_value(value, scope, "require")
    span: Span = value.span
    if type(number) is not int or not 1 <= number <= stages:
        raise Mistake(f"stages are numbered from 1 to {stages}", span)
    return number
