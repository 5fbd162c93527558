"""Holds what is known while a file is lowered: its names, the mistakes so far, how much was written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from archdsl import ir
from archdsl.base.errors import Diagnostic, Span
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.definition import define
from archdsl.blocks.composites.kinds import Composite
from archdsl.language import syntax
from archdsl.language.values import Mistake, Scope, TooMuch, pattern, possible

MAX_BLOCKS = 10_000
MAX_MISTAKES = 50
WAYS_PER_STEP = 4  # to decide the holes of a value, worked out in the time of a step


@dataclass(frozen=True)
class Plain:
    """What a block's name alone stands for, which arguments it took; the context is kept for its identity."""

    block: ir.BlockSpec
    taken: set[str]
    context: object


@dataclass
class State:
    """One file on its way to the IR; mistakes are collected, not raised.

    Attributes:
        scope: the names of the file.
        text: the file.
        lost: names that are defined in statements that could not be read.
        mistakes: found so far.
        letters: lets that name one block.
        definitions: composite blocks in use, by name, each after those it is made of.
        kinds: what blocks are made of them.
        emitted: blocks written out so far.
        holey: for each composite block of the file whether there are holes in it.
        plain: blocks that stand without arguments, by name and surroundings.
        constants: what values with holes can become, by their pattern.
        misfits: by block, argument and pattern, why such a value does not fit, None where it does.
        prelude: gives the definition of a block that the prelude has; raises KeyError for others.
        lower_content: lowers the items of a definition, by where it stands; sequences bring definitions into use and
            definitions hold sequences, so the one is handed to the other.
        prelude_letters: its lets, each of which names one block.
    """

    scope: Scope
    prelude: Callable[[str], ir.BlockDefinition]
    lower_content: Callable[[State, tuple[syntax.Item, ...], str], ir.Items]
    prelude_names: tuple[str, ...] = ()
    prelude_letters: Mapping[str, ir.Letter] = field(default_factory=dict)
    text: str = ""
    lost: set[str] = field(default_factory=set)
    mistakes: list[Diagnostic] = field(default_factory=list)
    letters: dict[str, ir.Letter] = field(default_factory=dict)
    definitions: dict[str, ir.BlockDefinition] = field(default_factory=dict)
    kinds: dict[str, Composite] = field(default_factory=dict)
    emitted: int = 0
    plain: dict[tuple[str, int, int], Plain] = field(default_factory=dict)
    holey: dict[str, bool] = field(default_factory=dict)
    constants: dict[str, list[ir.Scalar]] = field(default_factory=dict)
    misfits: dict[tuple[Any, str, str], tuple[str, str | None] | None] = field(default_factory=dict)

    def enter(self, name: str, definition: ir.BlockDefinition) -> Composite:
        """Take a composite block into use."""
        if definition._block is None:
            definition._block = define(name, definition, dict(self.kinds))
        self.definitions[name] = definition
        kind: Composite = definition._block
        self.kinds[name] = kind
        return kind

    def comments(self, place: Span) -> str:
        """The comment lines right above a place at the beginning of its line, which say what stands there."""
        lines = self.text.split("\n")[: place.line]
        if lines.pop()[: place.column - 1].strip():
            return ""
        found: list[str] = []
        while lines and lines[-1].lstrip().startswith("#"):
            found.insert(0, lines.pop().strip().lstrip("#").strip())
        return " ".join(found)

    def known(self) -> list[str]:
        """Every name that can stand where a block stands."""
        names = [*self.scope.lets, *self.scope.blocks, *self.prelude_letters, *self.prelude_names, *BLOCKS]
        return [name for name in names if not name.startswith("down_")]

    def emit(self, count: int, span: Span | None, probe: bool = False) -> None:
        """Count blocks as they are written out, and stop before a small file becomes a huge one.

        Raises:
            TooMuch: there are too many.
        """
        if self.emitted + count > MAX_BLOCKS:
            raise TooMuch(
                f"this makes more than {MAX_BLOCKS:,} blocks",
                span,
                "repeat less often; a let counts wherever it stands",
            )
        if not probe:
            self.emitted += count

    def possible(self, value: ir.Value, span: Span | None) -> list[ir.Scalar]:
        """As `values.possible`; values that are written alike are worked out once.

        Raises:
            TooMuch: there are too many of them.
        """
        if not isinstance(value, ir.Node):
            return [value]
        key = pattern(value)
        if key not in self.constants:
            self.constants[key], ways = possible(value)
            self.scope.step(span, ways // WAYS_PER_STEP)
        return self.constants[key]

    def mistake(self, message: str, span: Span | None, help: str | None = None) -> None:
        """Note one mistake."""
        self.note(Diagnostic(message, span, help))

    def note(self, mistake: Diagnostic) -> None:
        """Note one mistake.

        Raises:
            TooMuch: there are more than anyone reads.
        """
        if any(f"'{name}'" in mistake.message for name in self.lost):
            return  # it may be right, were the definition that could not be read
        self.mistakes.append(mistake)
        if len(self.mistakes) > MAX_MISTAKES:
            raise TooMuch("there are more mistakes; these are the first", None, "mend them, and look again")

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note the mistake that ends the context, unless it is about a name whose definition could not be read."""
        try:
            yield
        except Mistake as mistake:
            self.note(mistake.diagnostic)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Leave no trace of what the context emits, and no mistakes that were found elsewhere already."""
        mistakes, emitted = len(self.mistakes), self.emitted
        yield
        del self.mistakes[mistakes:]
        self.emitted = emitted
