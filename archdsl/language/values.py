"""Lowers values to the IR: folds constants, names holes, looks lets up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from archdsl import ir
from archdsl.base.errors import Diagnostic, Span
from archdsl.ir.decisions import options
from archdsl.ir.values import bounded, evaluate
from archdsl.ir.wording import write_value
from archdsl.language import syntax

VARIABLES = ("width", "in", "stride", "classes")
RESERVED = ("true", "false", "none", *VARIABLES)
MAX_OPTIONS = 10_000
MAX_DEPTH = 64
MAX_STEPS = 30_000
_WORDS: dict[str, ir.Scalar] = {"true": True, "false": False, "none": None}


class Mistake(Exception):
    """One diagnostic on its way to the list of all."""

    def __init__(self, message: str, span: Span | None, help: str | None = None) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(message, span, help)


class TooMuch(Exception):
    """A small text that means a huge network; unlike after a `Mistake`, nothing further is looked at."""

    def __init__(self, message: str, span: Span | None, help: str) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(message, span, help)


@dataclass
class Scope:
    """The `let`s of a file, which of them are being looked up right now, and how much work was done.

    Attributes:
        lets: by name.
        blocks: definitions of composite blocks, by name.
        parameters: those of the composite block being looked at, and whether they were used; None outside of one.
        open: names of the lets being looked up, outermost first.
        used: names of all lets that were looked up.
        steps: pieces of the text looked at, each as often as lets and repeats bring it up.
        depth: how deep pieces stand in each other right now.
    """

    lets: Mapping[str, syntax.Statement]
    blocks: Mapping[str, syntax.Statement] = field(default_factory=dict)
    parameters: dict[str, bool] | None = None
    open: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    steps: int = 0
    depth: int = 0

    @contextmanager
    def entered(self, name: str, span: Span) -> Iterator[syntax.Statement]:
        """The `let` or `block` called `name`, open as long as the context lasts.

        Raises:
            Mistake: it is used inside itself.
            TooMuch: lets nest too deep.
        """
        if name in self.open:
            chain = " -> ".join([*self.open[self.open.index(name) :], name])
            raise Mistake(f"'{name}' is defined by itself ({chain})", span, "give it another name than what it uses")
        self.used.add(name)
        self.open.append(name)
        parameters, self.parameters = self.parameters, None  # a let does not see those of the block that uses it
        try:
            with self.deeper(span):
                yield self.lets[name] if name in self.lets else self.blocks[name]
        finally:
            self.open.pop()
            self.parameters = parameters

    @contextmanager
    def deeper(self, span: Span) -> Iterator[None]:
        """One level further in.

        Raises:
            TooMuch: that is too deep.
        """
        if self.depth >= MAX_DEPTH:
            raise TooMuch(f"brackets, lets and sums nest more than {MAX_DEPTH} deep", span, "write it in a plainer way")
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def step(self, span: Span | None, pieces: int = 1) -> None:
        """Count one piece of the text, or work that takes as long as several.

        Raises:
            TooMuch: lets that use each other twice, or repeats of repeats, make it endless.
        """
        self.steps += pieces
        if self.steps > MAX_STEPS:
            raise TooMuch(
                "written out, this is too long", span, "lets or repeats multiply each other; use fewer of them"
            )


def lower_value(
    value: syntax.Value, scope: Scope, hole: str, *, suffixes: bool = False, real_holes: bool = False
) -> ir.Value:
    """The IR of a value.

    Args:
        value: from the syntax tree.
        scope: where names are looked up.
        hole: name for a hole standing here.
        suffixes: whether 2M may stand here.
        real_holes: whether `{1e-4..1e-2 log}` may stand here.

    Raises:
        Mistake: with the place and the remedy.
        TooMuch: lets multiply it beyond measure.
    """
    scope.step(value.span)
    if isinstance(value, syntax.Number) and not value.suffixed:  # most are
        return value.value

    def lower(inner: syntax.Value, name: str) -> ir.Value:
        with scope.deeper(inner.span):
            return lower_value(inner, scope, name, suffixes=suffixes, real_holes=real_holes)

    match value:
        case syntax.Number(number, span, suffixed):
            if suffixed and not suffixes:
                raise Mistake("K, M and G stand only in 'require'", span, f"write {number}")
            return number
        case syntax.Name(text, span):
            return _name(text, span, scope, hole, lower)
        case syntax.Text(text):
            return text
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
    if scope.parameters is not None and text in scope.parameters:
        scope.parameters[text] = True
        return ir.Variable(name=text, at=span)
    if text in VARIABLES:
        return ir.Variable(name=text, at=span)
    if text in _WORDS:
        return _WORDS[text]
    if text not in scope.lets:
        return text
    with scope.entered(text, span) as let:
        inner = let_value(let)
        return text if inner is None else lower(inner, let_path(text))


def let_value(let: syntax.Statement) -> syntax.Value | None:
    """The value a let names, None when it names blocks."""
    return let.value if let.value is not None else _as_value(let.items or ())


def let_path(name: str) -> str:
    """How holes in a let are called: by its name, unless places in the network are called so."""
    return f"let {name}" if name.startswith("stage") and name[5:].isdecimal() else name


def _as_value(items: tuple[syntax.Item, ...]) -> syntax.Value | None:
    """A let written like blocks but usable as a value: `let A = gelu`, `let A = {relu|gelu}`; else None."""
    match items:
        case (syntax.BlockCall(text, (), span),):
            return syntax.Name(text, span)
        case (syntax.Choice(options, span),):
            values = [_as_value(option) for option in options]
            known = tuple(v for v in values if v is not None)
            return syntax.ValueChoice(known, span) if len(known) == len(values) else None
    return None


def _fold(op: str, left: ir.Value, right: ir.Value, span: Span) -> ir.Value:
    for side in (left, right):
        if isinstance(side, (bool, str)) or side is None:
            raise Mistake(f"'{op}' needs numbers", span)
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return calculated(op, left, right, span)
    return ir.Arithmetic(op=op, left=left, right=right, at=span)


def calculated(op: str, left: float, right: float, span: Span) -> int | float:
    """A constant that stands in the text as arithmetic.

    Raises:
        Mistake: there is no such number.
    """
    try:
        return bounded(op, left, right)
    except ArithmeticError as error:
        raise Mistake(f"this cannot be calculated: {error}", span) from None


def _range(
    value: syntax.Range, lower: Callable[[syntax.Value, str], ir.Value], hole: str, real_holes: bool
) -> ir.Value:
    low, high = lower(value.low, hole), lower(value.high, hole)
    step = 1 if value.step is None else lower(value.step, hole)
    if value.log:
        if not real_holes:
            raise Mistake("a log range stands only in train(…)", value.span, "use {a|b|c} or {lo..hi step s}")
        if not (isinstance(low, (int, float)) and isinstance(high, (int, float)) and 0 < low < high):
            raise Mistake("a log range needs two numbers with 0 < lo < hi", value.span, "for example {1e-4..1e-2 log}")
        return ir.FloatRange(name=hole, low=float(low), high=float(high), at=value.span)
    if not (type(low) is int and type(high) is int and type(step) is int):
        help = "for example {192..256 step 32}"
        if isinstance(low, float) or isinstance(high, float) or isinstance(step, float):
            help = "a range of reals is {1e-4..1e-2 log}" if real_holes else "name the values: {0.5|1.0|2.0}"
        raise Mistake("a range needs integers without holes", value.span, help)
    if low > high:
        raise Mistake(f"this range is empty: {low} is more than {high}", value.span, f"did you mean {{{high}..{low}}}?")
    if step < 1:
        raise Mistake(f"a step is at least 1, not {step}", value.span)
    if (high - low) // step + 1 > MAX_OPTIONS:
        raise Mistake(f"a range of more than {MAX_OPTIONS:,} values", value.span, "give it a larger step")
    return low if low == high else ir.IntRange(name=hole, low=low, high=high, step=step, at=value.span)


def pattern(value: ir.Value) -> str:
    """A value as text, the same for values that differ in nothing but the names of their holes."""
    numbers: dict[str, int] = {}
    return f"{write_value(value)} {[numbers.setdefault(hole.name, len(numbers)) for hole in ir.holes_in(value)]}"


def possible(value: ir.Value) -> tuple[list[ir.Scalar], int]:
    """Every constant a value can become, in the order of the text, and in how many ways; whatever its holes decide.

    Of a real hole the ends are taken. What depends on a variable is left out; so is everything when there is too much
    of it.
    """
    found: dict[tuple[type, ir.Scalar], ir.Scalar] = {}
    ways = _Ways()
    for count in range(1, MAX_OPTIONS + 1):
        constant = evaluate(value, ways.decide, _unknown, _unknown)
        if constant is not _UNKNOWN:
            found.setdefault((type(constant), constant), constant)
        if not ways.turn():
            return list(found.values()), count
    return [], MAX_OPTIONS + 1


_UNKNOWN = "?"  # no name of the language is written like this


def _unknown(*_: object) -> ir.Scalar:
    return _UNKNOWN


class _Ways:
    """Decides the holes of one value in all ways, one after the other; the hole that is met last turns fastest.

    Attributes:
        choices: which way is taken, for the holes in the order in which they are met.
        ends: how many ways there are, for each that was met.
        met: the place of each among them, by name: a hole that stands twice is decided once.
    """

    def __init__(self) -> None:
        self.choices: list[int] = []
        self.ends: list[int] = []
        self.met: dict[str, int] = {}

    def decide(self, hole: ir.Pick | ir.IntRange | ir.FloatRange) -> float:
        place = self.met.setdefault(hole.name, len(self.met))
        if place == len(self.ends):
            self.ends.append(2 if isinstance(hole, ir.FloatRange) else options(hole))
            if place == len(self.choices):
                self.choices.append(0)
        choice = self.choices[place]
        if isinstance(hole, ir.FloatRange):  # its ends tell: what is calculated from it lies between what comes of them
            return (hole.low, hole.high)[choice]
        return hole.low + choice * hole.step if isinstance(hole, ir.IntRange) else choice

    def turn(self) -> bool:
        """Go on to the next way; False when that was the last."""
        while self.choices and self.choices[-1] + 1 == self.ends[len(self.choices) - 1]:
            self.choices.pop()
        if self.choices:
            self.choices[-1] += 1
        self.ends.clear()
        self.met.clear()
        return bool(self.choices)
