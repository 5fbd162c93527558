"""Text to syntax tree: Lark parses by `grammars/arch.lark`, and what cannot be parsed becomes a `SpecError`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import lark
from lark.exceptions import UnexpectedInput, VisitError

from archdsl import resources
from archdsl.errors import Diagnostic, Span, SpecError
from archdsl.language import syntax
from archdsl.language.brackets import check_text
from archdsl.language.syntax_errors import explain, next_statement

TOO_LONG_CHAIN = "a chain of operators is too long to read"
MAX_REAL = 1e18
MAX_SYNTAX_MISTAKES = 20
SHORT = 20_000  # characters; a longer text shows its first mistake only
SUFFIXES = {"K": 10**3, "M": 10**6, "G": 10**9}


def parse_syntax(text: str, path: str = "<text>") -> tuple[syntax.Statement, ...]:
    """The statements of a file.

    Raises:
        SpecError: the text does not follow the grammar; the error says where and what could stand there.
    """
    check_text(text, path)
    try:
        statements: tuple[syntax.Statement, ...] = _BUILDER.transform(_parser().parse(text))
    except UnexpectedInput as error:
        raise SpecError(_mistakes(error, text), text, path) from None
    except RecursionError:
        # Brackets are counted beforehand; what is left are chains such as 1+1+1+… or C*2*2*2*….
        raise SpecError([Diagnostic(TOO_LONG_CHAIN, None, "name parts of it with 'let'")], text, path) from None
    except VisitError as error:
        if isinstance(error.orig_exc, RecursionError):
            raise SpecError([Diagnostic(TOO_LONG_CHAIN, None, "name parts of it with 'let'")], text, path) from None
        if isinstance(error.orig_exc, _OddNumber):
            raise SpecError([error.orig_exc.diagnostic], text, path) from None
        raise
    return statements


def _mistakes(error: UnexpectedInput | None, text: str) -> list[Diagnostic]:
    """What cannot be parsed: the first mistake, and those in later statements."""
    found: list[Diagnostic] = []
    rest = text
    while error is not None:
        diagnostic = explain(error, rest)
        found.append(diagnostic)
        end = next_statement(rest, error)
        if end is None or len(found) == MAX_SYNTAX_MISTAKES or len(text) > SHORT:
            break
        # Blank what came before the next statement, so that places in the text stay what they are.
        rest = re.sub(r"[^\n]", " ", rest[:end]) + rest[end:]
        error = _attempt(rest)
    return found


def _attempt(text: str) -> UnexpectedInput | None:
    try:
        _parser().parse(text)
    except UnexpectedInput as error:
        return error
    return None


def parse_tree(text: str, path: str = "<text>") -> str:
    """The parse tree as indented text, as the grammar names its parts (`archdsl show --emit tree`)."""
    parse_syntax(text, path)
    return str(_parser().parse(text).pretty()).rstrip()


@functools.cache
def _parser() -> lark.Lark:
    grammar = (resources.folder("grammars") / "arch.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


class _OddNumber(Exception):
    """A number too long or too large to calculate with."""

    def __init__(self, token: lark.Token, message: str, help: str) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(message, _span_of(token), help)


def _integer(token: lark.Token, digits: str | None = None) -> int:
    text = str(token) if digits is None else digits
    if len(text) > 18:
        raise _OddNumber(token, f"a number of {len(text)} digits", "numbers here have at most 18 digits")
    return int(text)


def _span_of(token: lark.Token) -> Span:
    return Span(token.line or 1, token.column or 1, token.end_line or 1, token.end_column or 1)


def _rule(function: Callable[[Any, Span, list[Any]], Any]) -> Any:
    """Hand a rule's method the span of the rule and its children."""

    def call(self: Any, meta: Any, children: list[Any]) -> Any:
        span = Span(1, 1, 1, 1) if meta.empty else Span(meta.line, meta.column, meta.end_line, meta.end_column)
        return function(self, span, children)

    return lark.v_args(meta=True)(functools.wraps(function)(call))


class _Builder(lark.Transformer[Any, Any]):
    """Builds the syntax tree from Lark's; one method per name in the grammar."""

    def start(self, children: list[Any]) -> tuple[syntax.Statement, ...]:
        return tuple(children)

    # ---- statements ----

    @_rule
    def model(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("model", span, name=str(children[0]), name_span=_span_of(children[0]))

    @_rule
    def input(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("input", span, value=_dimensions(children[0]))

    @_rule
    def classes(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("classes", span, value=children[0])

    @_rule
    def defaults(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("defaults", span, arguments=children[0])

    @_rule
    def let(self, span: Span, children: list[Any]) -> syntax.Statement:
        name, content = children
        where = _span_of(name)
        if isinstance(content, tuple):
            return syntax.Statement("let", span, name=str(name), name_span=where, items=content)
        return syntax.Statement("let", span, name=str(name), name_span=where, value=content)

    @_rule
    def block_definition(self, span: Span, children: list[Any]) -> syntax.Statement:
        parameters = children[1] if len(children) == 3 else ()
        where = _span_of(children[0])
        return syntax.Statement(
            "block", span, name=str(children[0]), name_span=where, items=children[-1], parameters=parameters
        )

    def parameters(self, children: list[Any]) -> tuple[syntax.Parameter, ...]:
        return tuple(child for child in children if isinstance(child, syntax.Parameter))

    @_rule
    def parameter(self, span: Span, children: list[Any]) -> syntax.Parameter:
        return syntax.Parameter(str(children[0]), children[1] if len(children) == 2 else None, span)

    @_rule
    def stem(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("stem", span, items=children[0])

    @_rule
    def stage(self, span: Span, children: list[Any]) -> syntax.Statement:
        arguments = children[0] if len(children) == 2 else ()
        return syntax.Statement("stage", span, arguments=arguments, items=children[-1])

    @_rule
    def head(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("head", span, items=children[0])

    @_rule
    def require(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("require", span, condition=children[0])

    @_rule
    def objective(self, span: Span, children: list[Any]) -> syntax.Statement:
        goal, name = children
        return syntax.Statement(str(goal), span, name=str(name), name_span=_span_of(name))

    @_rule
    def data(self, span: Span, children: list[Any]) -> syntax.Statement:
        token = children[0]
        return syntax.Statement("data", span, name=str(token).strip('"'), name_span=_span_of(token))

    @_rule
    def train(self, span: Span, children: list[Any]) -> syntax.Statement:
        return syntax.Statement("train", span, arguments=children[0])

    # ---- sequences ----

    def sequence(self, children: list[Any]) -> tuple[syntax.Item, ...]:
        return tuple(children)

    @_rule
    def block(self, span: Span, children: list[Any]) -> syntax.BlockCall:
        return syntax.BlockCall(str(children[0]), tuple(children[2:]), span)

    @_rule
    def group(self, span: Span, children: list[Any]) -> syntax.Group:
        return syntax.Group(children[0], span)

    @_rule
    def choice(self, span: Span, children: list[Any]) -> syntax.Choice:
        return syntax.Choice(tuple(children), span)

    @_rule
    def structure(self, span: Span, children: list[Any]) -> syntax.Structure:
        arguments = tuple(child for child in children if isinstance(child, syntax.Argument))
        return syntax.Structure(str(children[0]), arguments, children[-1], span)

    @_rule
    def conditional(self, span: Span, children: list[Any]) -> syntax.Conditional:
        (left, op, right), *sequences = [child for child in children if not isinstance(child, lark.Token)]
        otherwise = sequences[1] if len(sequences) == 2 else ()
        return syntax.Conditional(str(op), left, right, sequences[0], otherwise, span)

    def test(self, children: list[Any]) -> list[Any]:
        return children

    @_rule
    def repeat(self, span: Span, children: list[Any]) -> syntax.Repeat:
        return syntax.Repeat(children[0], children[-1], span)

    # ---- arguments and values ----

    def arguments(self, children: list[Any]) -> tuple[syntax.Argument, ...]:
        return tuple(child for child in children if isinstance(child, syntax.Argument))

    @_rule
    def positional(self, span: Span, children: list[Any]) -> syntax.Argument:
        return syntax.Argument(None, children[0], span)

    @_rule
    def named(self, span: Span, children: list[Any]) -> syntax.Argument:
        return syntax.Argument(str(children[0]), children[1], span)

    @_rule
    def integer(self, span: Span, children: list[Any]) -> syntax.Number:
        return syntax.Number(_integer(children[0]), span)

    @_rule
    def real(self, span: Span, children: list[Any]) -> syntax.Number:
        value = float(children[0])
        if value > MAX_REAL:
            raise _OddNumber(children[0], f"the number {children[0]} is too large", f"the largest is {MAX_REAL:g}")
        return syntax.Number(value, span)

    @_rule
    def size(self, span: Span, children: list[Any]) -> syntax.Number:
        digits, factor = str(children[0])[:-1], SUFFIXES[str(children[0])[-1]]
        whole, _, fraction = digits.partition(".")
        value = _integer(children[0], whole) * factor
        if fraction:
            value += round(float("0." + fraction) * factor)
        return syntax.Number(value, span, suffixed=True)

    @_rule
    def name(self, span: Span, children: list[Any]) -> syntax.Name:
        return syntax.Name(str(children[0]), span)

    @_rule
    def shape(self, span: Span, children: list[Any]) -> syntax.Dimensions:
        return _dimensions(children[0])

    @_rule
    def binary(self, span: Span, children: list[Any]) -> syntax.Binary:
        return syntax.Binary(str(children[1]), children[0], children[2], span)

    @_rule
    def negate(self, span: Span, children: list[Any]) -> syntax.Negate:
        return syntax.Negate(str(children[0]), children[1], span)

    @_rule
    def value_choice(self, span: Span, children: list[Any]) -> syntax.ValueChoice:
        return syntax.ValueChoice(tuple(children), span)

    @_rule
    def range(self, span: Span, children: list[Any]) -> syntax.Range:
        return syntax.Range(children[0], children[1], children[2] if len(children) == 3 else None, False, span)

    @_rule
    def log_range(self, span: Span, children: list[Any]) -> syntax.Range:
        return syntax.Range(children[0], children[1], None, True, span)

    # ---- conditions ----

    @_rule
    def comparison(self, span: Span, children: list[Any]) -> syntax.Compare:
        return syntax.Compare(str(children[1]), children[0], children[2], span)

    @_rule
    def measure(self, span: Span, children: list[Any]) -> syntax.Measure:
        return syntax.Measure(str(children[0]), tuple(children[2:]), span)

    @_rule
    def any_of(self, span: Span, children: list[Any]) -> syntax.Junction:
        return syntax.Junction("or", tuple(children), span)

    @_rule
    def all_of(self, span: Span, children: list[Any]) -> syntax.Junction:
        return syntax.Junction("and", tuple(children), span)

    @_rule
    def negation(self, span: Span, children: list[Any]) -> syntax.Junction:
        return syntax.Junction("not", tuple(children), span)


def _dimensions(token: lark.Token) -> syntax.Dimensions:
    return syntax.Dimensions(tuple(_integer(token, part) for part in token.split("x")), _span_of(token))


_BUILDER = _Builder()
