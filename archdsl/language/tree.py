"""Builds the syntax tree while Lark parses: each rule and its parts become a piece of syntax with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import lark

from archdsl.base.errors import Diagnostic, Span
from archdsl.language import syntax

T = TypeVar("T")
MAX_REAL = 1e18
SUFFIXES = {"K": 10**3, "M": 10**6, "G": 10**9}


class OddNumber(Exception):
    """A number too long or too large to calculate with."""

    def __init__(self, token: lark.Token, message: str, help: str) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(message, span_of(token), help)
        self.position = token.start_pos or 0


# What Lark keeps on its stack for a rule: the syntax, its first and its last token, brackets around it included. The
# tokens are None where it is empty.
Piece: TypeAlias = tuple[Any, lark.Token | None, lark.Token | None]


def building() -> lark.Transformer[Any, Any]:
    """What Lark is to call for every rule it has read, in place of making a tree that is walked a second time.

    A parser that uses it has to keep all tokens, as places follow from them; what it returns is a `Piece`.
    """
    callbacks: lark.Transformer[Any, Any] = lark.Transformer()
    for name in vars(_Builder):
        if not name.startswith("_"):
            setattr(callbacks, name, _placed(getattr(_BUILDER, name)))
    return callbacks


def _placed(make: Callable[[Span, list[Any]], Any]) -> Callable[[list[Any]], Piece]:
    """Turn a method of the builder into what Lark calls with the tokens and pieces of a rule."""

    def piece(parts: list[Any]) -> Piece:
        first: lark.Token | None = None
        last: lark.Token | None = None
        children = []
        for part in parts:
            if type(part) is tuple:
                content, begin, end = part
                children.append(content)
                first, last = first or begin, end or last
            else:
                if part.type in _TELLING:
                    children.append(part)
                first, last = first or part, part
        if first is None or last is None:
            return make(_NOWHERE, children), None, None
        return make(_between(first, last), children), first, last

    return piece


def span_of(token: lark.Token) -> Span:
    """Where a token stands."""
    return _between(token, token)


def _between(first: lark.Token, last: lark.Token) -> Span:
    return Span(first.line or 1, first.column or 1, last.end_line or 1, last.end_column or 1)


def _integer(token: lark.Token, digits: str | None = None) -> int:
    text = str(token) if digits is None else digits
    if len(text) > 18:
        raise OddNumber(token, f"a number of {len(text)} digits", "numbers here have at most 18 digits")
    return int(text)


class _Builder:
    """One method per name in the grammar: the piece of syntax from its place and its parts."""

    def start(self, span: Span, children: list[Any]) -> tuple[syntax.Statement, ...]:
        return tuple(children)

    # ---- statements: most are their keyword and one thing ----

    def model(self, span: Span, children: list[Any]) -> syntax.Statement:
        return _named("model", span, children[0])

    def input(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("input", span, value=_dimensions(children[0]))

    def classes(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("classes", span, value=children[0])

    def defaults(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("defaults", span, arguments=children[0])

    def let(self, span: Span, children: list[Any]) -> syntax.Statement:
        name, content = children
        blocks = isinstance(content, tuple)
        return _named("let", span, name, items=content if blocks else None, value=None if blocks else content)

    def block_definition(self, span: Span, children: list[Any]) -> syntax.Statement:
        name, *parameters, items = children
        return _named("block", span, name, items=items, parameters=parameters[0] if parameters else ())

    def stem(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("stem", span, items=children[0])

    def stage(self, span: Span, children: list[Any]) -> syntax.Statement:
        *arguments, items = children
        return syntax.Statement("stage", span, arguments=arguments[0] if arguments else (), items=items)

    def head(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("head", span, items=children[0])

    def require(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("require", span, condition=children[0])

    def objective(self, span: Span, children: list[Any]) -> syntax.Statement:
        goal, name = children
        return _named(str(goal), span, name)

    def data(self, span: Span, children: list[Any]) -> syntax.Statement:
        return _named("data", span, children[0])

    def train(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("train", span, arguments=children[0])

    def parameters(self, span: Span, children: list[Any]) -> tuple[syntax.Parameter, ...]:
        return _only(syntax.Parameter, children)

    def parameter(self, span: Span, children: list[Any]) -> syntax.Parameter:
        return syntax.Parameter(str(children[0]), children[1] if len(children) == 2 else None, span)

    # ---- sequences ----

    def sequence(self, span: Span, children: list[Any]) -> tuple[syntax.Item, ...]:
        return tuple(children)

    def block(self, span: Span, children: list[Any]) -> syntax.BlockCall:
        return syntax.BlockCall(str(children[0]), tuple(children[2:]), span)

    def group(self, span: Span, children: list[Any]) -> syntax.Group:
        return syntax.Group(children[0], span)

    def choice(self, span: Span, children: list[Any]) -> syntax.Choice:
        return syntax.Choice(tuple(children), span)

    def structure(self, span: Span, children: list[Any]) -> syntax.Structure:
        return syntax.Structure(str(children[0]), _only(syntax.Argument, children), children[-1], span)

    def conditional(self, span: Span, children: list[Any]) -> syntax.Conditional:
        (left, op, right), *sequences = [child for child in children if not isinstance(child, lark.Token)]
        otherwise = sequences[1] if len(sequences) == 2 else ()
        return syntax.Conditional(str(op), left, right, sequences[0], otherwise, span)

    def test(self, span: Span, children: list[Any]) -> list[Any]:
        return children

    def repeat(self, span: Span, children: list[Any]) -> syntax.Repeat:
        return syntax.Repeat(children[0], children[-1], span)

    # ---- arguments and values ----

    def arguments(self, span: Span, children: list[Any]) -> tuple[syntax.Argument, ...]:
        return _only(syntax.Argument, children)

    def positional(self, span: Span, children: list[Any]) -> syntax.Argument:
        return syntax.Argument(None, children[0], span)

    def named(self, span: Span, children: list[Any]) -> syntax.Argument:
        return syntax.Argument(str(children[0]), children[1], span)

    def integer(self, span: Span, children: list[Any]) -> syntax.Number:
        return syntax.Number(_integer(children[0]), span)

    def real(self, span: Span, children: list[Any]) -> syntax.Number:
        value = float(children[0])
        if value > MAX_REAL:
            raise OddNumber(children[0], f"the number {children[0]} is too large", f"the largest is {MAX_REAL:g}")
        return syntax.Number(value, span)

    def size(self, span: Span, children: list[Any]) -> syntax.Number:
        digits, factor = str(children[0])[:-1], SUFFIXES[str(children[0])[-1]]
        whole, _, fraction = digits.partition(".")
        value = _integer(children[0], whole) * factor
        if fraction:
            value += round(float("0." + fraction) * factor)
        return syntax.Number(value, span, suffixed=True)

    def name(self, span: Span, children: list[Any]) -> syntax.Name:
        return syntax.Name(str(children[0]), span)

    def text(self, span: Span, children: list[Any]) -> syntax.Text:
        return syntax.Text(str(children[0])[1:-1], span)

    def shape(self, span: Span, children: list[Any]) -> syntax.Dimensions:
        return _dimensions(children[0])

    def binary(self, span: Span, children: list[Any]) -> syntax.Binary:
        return syntax.Binary(str(children[1]), children[0], children[2], span)

    # What stands in parentheses is called by its rule, as are these two, `negation` and `measure` with one child.

    def atom(self, span: Span, children: list[Any]) -> syntax.Value:
        value: syntax.Value = children[0]
        return value

    times = atom

    def negate(self, span: Span, children: list[Any]) -> syntax.Negate:
        return syntax.Negate(str(children[0]), children[1], span)

    def value_choice(self, span: Span, children: list[Any]) -> syntax.ValueChoice:
        return syntax.ValueChoice(tuple(children), span)

    def range(self, span: Span, children: list[Any]) -> syntax.Range:
        return syntax.Range(children[0], children[1], children[2] if len(children) == 3 else None, False, span)

    def log_range(self, span: Span, children: list[Any]) -> syntax.Range:
        return syntax.Range(children[0], children[1], None, True, span)

    # ---- conditions ----

    def comparison(self, span: Span, children: list[Any]) -> syntax.Compare:
        return syntax.Compare(str(children[1]), children[0], children[2], span)

    def measure(self, span: Span, children: list[Any]) -> syntax.Value:
        if len(children) == 1:
            value: syntax.Value = children[0]
            return value
        return syntax.Measure(str(children[0]), tuple(children[2:]), span)

    def any_of(self, span: Span, children: list[Any]) -> syntax.Junction:
        return syntax.Junction("or", tuple(children), span)

    def all_of(self, span: Span, children: list[Any]) -> syntax.Junction:
        return syntax.Junction("and", tuple(children), span)

    def negation(self, span: Span, children: list[Any]) -> syntax.Condition:
        *denied, condition = children
        return syntax.Junction("not", (condition,), span) if denied else condition


def _named(keyword: str, span: Span, name: lark.Token, **rest: Any) -> syntax.Statement:
    return syntax.Statement(keyword, span, name=str(name).strip('"'), name_span=span_of(name), **rest)


def _only(kind: type[T], children: list[Any]) -> tuple[T, ...]:
    """The parts that are no brackets and commas."""
    return tuple(child for child in children if isinstance(child, kind))


def _dimensions(token: lark.Token) -> syntax.Dimensions:
    return syntax.Dimensions(tuple(_integer(token, part) for part in token.split("x")), span_of(token))


# The tokens that say something; the others are told by the rule they stand in.
_TELLING = frozenset((
    "COMPARE", "DATA_NAME", "FLOAT", "GOAL", "INT", "LOG", "NAME", "NOT", "OPEN_CALL", "SHAPE", "SIGN", "SIZE", "SLASH",
    "STRING", "TIMES",
))  # fmt: skip
_BUILDER = _Builder()
_NOWHERE = Span(1, 1, 1, 1)
