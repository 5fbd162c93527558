"""Defines the nodes of the IR: a spec as frozen, typed data, with its holes; no Lark, no torch, JSON in and out.

`Spec` is what the text means once names are looked up: `let`s and repeats written out, every block with the arguments
that reach it from its stage and the defaults. A spec whose holes are all filled becomes an `Architecture`
(see `architecture/`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr
from pydantic.json_schema import SkipJsonSchema

from archdsl.base.errors import Span
from archdsl.ir.measures import known_measure

LANGUAGE_VERSION = 1

# `residual[ … ]` and the like: known to the language, unlike the blocks, which are data. `sequence` is a group `( … )`
# that is one item of a `sum` or `concat`.
STRUCTURES = ("residual", "sum", "concat", "apart", "sequence")
SIDE_BY_SIDE = ("sum", "concat", "apart")  # those whose items are no sequence

Scalar: TypeAlias = bool | int | float | str | None

# Where a node stands in the text. Not part of its value: not in JSON, not compared.
# To pydantic they are anything: a schema of a span in that of every node takes long to build.
if TYPE_CHECKING:
    Place: TypeAlias = Span | None
    Places: TypeAlias = dict[str, Span]
else:
    Place = Annotated[SkipJsonSchema[Any], Field(default=None, exclude=True, repr=False)]
    Places = Annotated[SkipJsonSchema[Any], Field(exclude=True, repr=False)]


class Node(BaseModel):
    """Base of every IR node; two nodes are equal when they mean the same, wherever they stand."""

    # Schemas are built when first used; building all of them took a quarter of the time of `archdsl check`.
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)
    at: Place = None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


# ---- Values: constants, holes, arithmetic --------------------------------------------------------------


class Pick(Node):
    """`{2|4|8}`: a hole where a value stands."""

    node: Literal["pick"] = "pick"
    name: str
    options: tuple[Value, ...]
    _labels: tuple[str, ...] | None = PrivateAttr(default=None)  # its options in words, see `archdsl.ir.wording`


class IntRange(Node):
    """`{lo..hi step s}`: an integer hole, ends included."""

    node: Literal["int_range"] = "int_range"
    name: str
    low: int
    high: int
    step: int = Field(default=1, ge=1)

    def count(self) -> int:
        """How many integers it holds."""
        return (self.high - self.low) // self.step + 1


class FloatRange(Node):
    """`{lo..hi log}`: a real hole, only in `train(...)`; it does not count in the size of the space."""

    node: Literal["float_range"] = "float_range"
    name: str
    low: float
    high: float
    log: bool = True


class Arithmetic(Node):
    """`left op right`."""

    node: Literal["arithmetic"] = "arithmetic"
    op: Literal["+", "-", "*", "/", "//"]
    left: Value
    right: Value


class Variable(Node):
    """`width` (the stage's), `in` (channels that flow in), `classes`; in composite blocks `stride` and parameters."""

    node: Literal["variable"] = "variable"
    name: str


CountableHole: TypeAlias = Annotated[Pick | IntRange, Field(discriminator="node")]
Expression: TypeAlias = Annotated[Pick | IntRange | FloatRange | Arithmetic | Variable, Field(discriminator="node")]
Value: TypeAlias = Expression | Scalar


# ---- Sequences of blocks -------------------------------------------------------------------------------


class BlockSpec(Node):
    """A block with the arguments written for it or reaching it; what equals the block's default is left out.

    Attributes:
        kind: name of a primitive, of one of the spec's `blocks`, or of a structure (`residual`, `sum`, `concat`, and
            `sequence` for a group that is one item of a `sum` or `concat`).
        arguments: by name.
        items: what a structure holds; for a composite block that has holes in it, its content as it stands here.
        names: what it was called, outermost first and ending with the kind (`["M", "msa"]`).
        places: where each argument stands.
    """

    node: Literal["block"] = "block"
    kind: str
    arguments: dict[str, Value] = {}
    items: Items | None = None
    names: tuple[str, ...] = ()
    places: Places = {}


class ChoiceSpec(Node):
    """`{C|M|}`: a hole where blocks stand; each option is a sequence and may be empty."""

    node: Literal["choice"] = "choice"
    name: str
    options: tuple[tuple[Item, ...], ...]
    _labels: tuple[str, ...] | None = PrivateAttr(default=None)  # its options in words, see `archdsl.ir.wording`


class RepeatSpec(Node):
    """`C*{1..3}`: the first `times` of `copies` stand; each copy has holes of its own.

    A single copy, without holes, stands for all of them.
    """

    node: Literal["repeat"] = "repeat"
    times: Value
    copies: tuple[tuple[Item, ...], ...]

    def taken(self, times: int) -> tuple[Items, ...]:
        """The copies that stand when there are so many."""
        return self.copies * times if len(self.copies) == 1 else self.copies[:times]


class IfSpec(Node):
    """`if left op right ( … ) else ( … )`, in composite blocks only; no holes stand in it."""

    node: Literal["if"] = "if"
    op: Literal["<=", ">=", "<", ">", "==", "!="]
    left: Value
    right: Value
    then: tuple[Item, ...]
    otherwise: tuple[Item, ...] = ()


Item: TypeAlias = Annotated[BlockSpec | ChoiceSpec | RepeatSpec | IfSpec, Field(discriminator="node")]
Items: TypeAlias = tuple[Item, ...]


class ParameterSpec(Node):
    """What a composite block takes; `width` and `stride` come from the stage where they are not given."""

    name: str
    default: Scalar = None
    required: bool = False


class BlockDefinition(Node):
    """`block NAME(parameters) = items`; inside, a `Variable` stands for a parameter, `width`, `stride` or `in`.

    Attributes:
        summary: the comment above it.
    """

    parameters: tuple[ParameterSpec, ...] = ()
    items: Items
    summary: str = ""
    # The kind of block that it defines, by `archdsl.blocks.composites.definition`; made anew in another process.
    _block: Any = PrivateAttr(default=None)

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), "__pydantic_private__": {"_block": None}}


class StageSpec(Node):
    """A stage; its width and stride are always spelled out."""

    width: Value
    stride: Value
    down: Value = "patch"
    items: Items
    # Holes of the stage's own arguments: decided once for the stage, even where no block takes the argument.
    holes: tuple[CountableHole, ...] = ()
    places: Places = {}


# ---- Conditions and goals ------------------------------------------------------------------------------


class MeasureSpec(Node):
    """`params`, `latency_ms`, `count(NAME)`, `count(NAME, stage=i)`: a measure of a network, by its registered name."""

    node: Literal["measure"] = "measure"
    measure: Annotated[str, AfterValidator(known_measure)]
    block: str | None = None
    stage: int | None = None


class Combine(Node):
    """Arithmetic on measures and numbers."""

    node: Literal["combine"] = "combine"
    op: Literal["+", "-", "*", "/", "//"]
    left: Total
    right: Total


Total: TypeAlias = Annotated[MeasureSpec | Combine, Field(discriminator="node")] | int | float


class Comparison(Node):
    """`left op right`."""

    node: Literal["comparison"] = "comparison"
    op: Literal["<=", ">=", "<", ">", "==", "!="]
    left: Total
    right: Total


class Logic(Node):
    """`and`, `or`, `not`; a single part under `and` stands for itself."""

    node: Literal["logic"] = "logic"
    op: Literal["and", "or", "not"]
    parts: tuple[Condition, ...]


Condition: TypeAlias = Annotated[Comparison | Logic, Field(discriminator="node")]


class Objective(Node):
    """`maximize accuracy`, `minimize log_ape`."""

    direction: Literal["maximize", "minimize"]
    score: str


class Letter(Node):
    """A `let` that names one block, kept so that members of a space print with it; arguments with holes left out."""

    kind: str
    arguments: dict[str, Scalar] = {}


class Spec(Node):
    """A whole file.

    Attributes:
        input: (channels, height, width).
        declared: which of `input`, `classes` the text states; the others are defaults that a data set may replace.
        letters: lets that name one block without holes, by name.
        blocks: the composite blocks in use, by name, each after those it is made of.
        train: arguments of `train(...)`, possibly with holes.
    """

    language: int = LANGUAGE_VERSION
    name: str = "model"
    input: tuple[int, int, int] = (3, 32, 32)
    classes: int = 10
    declared: tuple[Literal["input", "classes"], ...] = ()
    stem: Items = ()
    stages: tuple[StageSpec, ...] = ()
    head: Items = ()
    letters: dict[str, Letter] = {}
    blocks: dict[str, BlockDefinition] = {}
    require: tuple[Condition, ...] = ()
    objectives: tuple[Objective, ...] = ()
    data: str | None = None
    train: dict[str, Value] = {}
    # Holes in `defaults(...)`: decided once for the file.
    holes: tuple[CountableHole, ...] = ()

    def _repr_html_(self) -> str:
        """The picture and the table of a spec, in a notebook."""
        shown: str = importlib.import_module("archdsl").html(self)  # the front door knows who draws
        return shown

    def has_holes(self) -> bool:
        """Whether the spec is a space (braces decide something) rather than a model."""
        return first_hole(self) is not None


AnyHole: TypeAlias = Pick | IntRange | FloatRange | ChoiceSpec


def holes(spec: Spec) -> Iterator[AnyHole]:
    """Every hole in the order of the text, each shared one once."""
    seen: set[str] = set()
    for hole in holes_in(spec):
        if hole.name not in seen:
            seen.add(hole.name)
            yield hole


def first_hole(spec: Spec) -> AnyHole | None:
    """The first hole of a spec, None for a model."""
    return next(holes(spec), None)


def holes_in(part: Any) -> Iterator[AnyHole]:
    """Every hole in a part of the IR, a shared one as often as it stands."""
    for node in walk(part):
        if isinstance(node, (Pick, IntRange, FloatRange, ChoiceSpec)):
            yield node


def repeats(spec: Spec) -> Iterator[RepeatSpec]:
    """Every repeat whose count is still open."""
    for node in walk(spec):
        if isinstance(node, RepeatSpec):
            yield node


def walk(part: Any) -> Iterator[Node]:
    """Every node of the IR below `part`, and itself, in the order of the text."""
    waiting = [part]  # a generator inside a generator inside a generator takes long in deep trees
    while waiting:
        here = waiting.pop()
        if isinstance(here, Node):
            yield here
            waiting += reversed(_parts(here))
        elif isinstance(here, (tuple, list)):
            waiting += reversed(here)
        elif isinstance(here, dict):
            waiting += reversed(here.values())


def _parts(node: Node) -> tuple[Any, ...]:
    """What a node is made of, in the order of the text."""
    match node:
        case BlockSpec():  # by far the most, and most hold nothing
            return (*node.arguments.values(), *(node.items or ()))
        case Pick() | ChoiceSpec():
            return node.options
        case Arithmetic():
            return node.left, node.right
        case RepeatSpec():
            return node.times, node.copies
        case IfSpec():
            return node.left, node.right, node.then, node.otherwise
        case StageSpec():
            return node.holes, node.width, node.stride, node.down, node.items
        case BlockDefinition():
            return (node.items,)
        case Spec():
            return node.holes, node.stem, node.stages, node.head, node.train
    return ()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `Spec`."""
    return Spec.model_json_schema()
