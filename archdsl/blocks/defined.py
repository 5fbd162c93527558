"""Composite blocks: a definition in the language becomes a block class, its arguments a tree of primitives."""

from __future__ import annotations

import functools
import operator
import threading
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, PrivateAttr, ValidationError, create_model

from archdsl import ir
from archdsl.arguments import bounded, misfit, say
from archdsl.blocks import BLOCKS, Block
from archdsl.blocks.base import Composite, Join, Node, Primitive, Residual, Sequence, free_name, inflows, measure
from archdsl.blocks.structures import STRUCTURES, ParallelStructure
from archdsl.errors import Span
from archdsl.shapes import Shape, ShapeError, divisors_near
from archdsl.wording import write_value

MAX_PARTS = 3_000
_WORK = threading.local()  # how many parts the block that is being written out has so far, blocks in blocks included
Scope: TypeAlias = Mapping[str, type[Block]]
FROM_STAGE = ("width", "stride")
FROM_OUTSIDE = (*FROM_STAGE, "classes")  # what a block takes from where it stands, if it speaks of it
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class _OfParameter(ShapeError):
    """A misfit that a parameter of the block is to blame for, on its way out of the block."""


class Defined(Composite):
    """A block said in the language: its fields are the parameters, its tree follows from the definition's items.

    Class attributes:
        block_items: what it is made of.
        block_scope: the composite blocks that the items may use.
        block_definitions: what it is made of, itself last; with them it travels to other processes.
    """

    block_definitions: ClassVar[Mapping[str, ir.BlockDefinition]] = {}
    block_items: ClassVar[ir.Items] = ()
    block_scope: ClassVar[Scope] = {}
    _here: tuple[ir.Items, Scope] | None = PrivateAttr(default=None)

    def holding(self, items: ir.Items, scope: Scope) -> Defined:
        """The same block with other items: those of a structure, or its own with their holes decided."""
        copy = self.model_copy()
        copy._here = (items, scope)
        return copy

    @property
    def block_content(self) -> tuple[ir.Items, Scope]:
        """The items it stands for, without holes, and the composite blocks they may use."""
        return (self.block_items, self.block_scope) if self._here is None else self._here

    def __reduce__(self) -> tuple[Any, ...]:
        definitions = dict(self.block_definitions)
        for block in self.block_content[1].values():  # those a structure among blocks may use
            definitions |= getattr(block, "block_definitions", {})
        return _revived, (self.kind_name, definitions, dict(self), self._here and self._here[0])

    def expand(self, x: Shape) -> Node:
        """The tree of its items for input shape `x`."""
        items, scope = self.block_content
        names = {name: getattr(self, name) for name in type(self).model_fields}
        expansion = _Expansion(names | {"in": x.channels}, scope, frozenset(self.model_fields_set))
        outermost = not getattr(_WORK, "open", False)
        if outermost:
            _WORK.open, _WORK.parts = True, 0
        try:
            parts = expansion.parts(items, x)
        except _OfParameter as error:
            raise ShapeError(error.message, error.argument, error.help) from None
        finally:
            _WORK.open = not outermost
        return parts[0][1] if len(parts) == 1 else Sequence(parts)


def attends(block: ir.BlockSpec, blocks: Mapping[str, ir.BlockDefinition]) -> bool:
    """Whether there is attention in a block, or in what it is made of."""
    if block.kind == "attention":
        return True
    items = block.items if block.items is not None else blocks[block.kind].items if block.kind in blocks else ()
    inner = (node for node in ir.walk(items) if isinstance(node, ir.BlockSpec))
    return any(attends(node, blocks) for node in inner)


# ---- from a definition to a class ----------------------------------------------------------------------


def scope_of(blocks: Mapping[str, ir.BlockDefinition]) -> Scope:
    """The classes of the composite blocks of a spec, by name."""
    scope: dict[str, type[Block]] = {}
    for name, definition in blocks.items():
        if definition._block is None:
            definition._block = define(name, definition, dict(scope))
        scope[name] = definition._block
    return scope


def anew(blocks: Mapping[str, ir.BlockDefinition]) -> Scope:
    """The same with classes of their own, whose places are those of this very spec: to say where a mistake stands."""
    global _LATEST
    if _LATEST[0] is not blocks:  # many fillings of one space may not fit
        scope: dict[str, type[Block]] = {}
        for name, definition in blocks.items():
            scope[name] = define(name, definition, dict(scope))
        _LATEST = (blocks, scope)
    return _LATEST[1]


_LATEST: tuple[Mapping[str, ir.BlockDefinition], Scope] = ({}, {})


def _revived(
    name: str, definitions: dict[str, ir.BlockDefinition], values: dict[str, ir.Scalar], items: ir.Items | None
) -> Defined:
    """A block as it was in another process."""
    scope = scope_of(definitions)
    if name not in scope:  # a structure among blocks
        block: Any = _nameless(tuple(values))(**values)
    else:
        block = scope[name](**values)
    revived: Defined = block if items is None else block.holding(items, scope)
    return revived


def kind(name: str, scope: Scope) -> type[Block]:
    """The class of a block: a composite of the scope, or a primitive."""
    return scope[name] if name in scope else BLOCKS[name]


def define(name: str, definition: ir.BlockDefinition, scope: Scope) -> type[Defined]:
    """The class of a composite block; what a parameter may be follows from how the items use it."""
    found = usage(definition.items, scope)
    fields: dict[str, Any] = {}
    for parameter in definition.parameters:
        if parameter.name not in FROM_STAGE:
            annotation = _annotation(parameter, found)
            fields[parameter.name] = (annotation, ... if parameter.required else parameter.default)
    declared = [parameter.name for parameter in definition.parameters]
    for name_outside in FROM_OUTSIDE:
        if name_outside in declared or name_outside in found.names:
            fields[name_outside] = (int, Field(default=1, ge=1) if name_outside == "stride" else Field(ge=1))
    order = sorted(fields, key=lambda n: declared.index(n) if n in declared else len(declared))
    with warnings.catch_warnings(action="ignore"):  # a parameter may be called `copy`
        block: type[Defined] = create_model(name, __base__=Defined, **{n: fields[n] for n in order})
    block.kind_name = name
    block.block_items = definition.items
    block.block_scope = scope
    used = {n: b.block_definitions[n] for n, b in scope.items() if isinstance(b, type) and issubclass(b, Defined)}
    block.block_definitions = {**used, name: definition}
    block.positional = tuple(declared)
    block.summary = block.__doc__ = definition.summary
    return block


def nameless(items: ir.Items, scope: Scope) -> type[Defined]:
    """The class of a structure among blocks; it takes the stage's width and stride where it speaks of them."""
    names = usage(items, scope).names
    return _nameless(tuple(name for name in FROM_OUTSIDE if name in names))


@functools.cache
def _nameless(outside: tuple[str, ...]) -> type[Defined]:
    fields: dict[str, Any] = {n: (int, Field(default=1, ge=1) if n == "stride" else Field(ge=1)) for n in outside}
    return create_model("structure", __base__=Defined, **fields)


# ---- how items use names -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Usage:
    """How a sequence of items uses names.

    Attributes:
        names: all that are mentioned; `width` also where an inner block takes the block's width by itself.
        arguments: for each name the fields it is handed to as it is.
        compared: for each name the constants it is compared with.
        numeric: names that stand in arithmetic.
    """

    names: set[str]
    arguments: dict[str, list[tuple[type[Block], str]]]
    compared: dict[str, list[ir.Scalar]]
    numeric: set[str]


def usage(items: ir.Items, scope: Scope) -> Usage:
    """How items use names."""
    found = Usage(set(), {}, {}, set())
    _use_items(items, scope, found)
    return found


def _use_items(items: Iterable[ir.Item], scope: Scope, found: Usage) -> None:
    for item in items:
        match item:
            case ir.BlockSpec():
                _use_block(item, scope, found)
            case ir.ChoiceSpec():
                for option in item.options:
                    _use_items(option, scope, found)
            case ir.RepeatSpec():
                _use_value(item.times, found)
                if isinstance(item.times, ir.Variable):
                    found.numeric.add(item.times.name)
                for copy in item.copies:
                    _use_items(copy, scope, found)
            case ir.IfSpec():
                for one, other in ((item.left, item.right), (item.right, item.left)):
                    _use_value(one, found)
                    if isinstance(one, ir.Variable) and item.op not in ("==", "!="):
                        found.numeric.add(one.name)
                    elif isinstance(one, ir.Variable) and not isinstance(other, ir.Node):
                        found.compared.setdefault(one.name, []).append(other)
                _use_items((*item.then, *item.otherwise), scope, found)


def _use_block(spec: ir.BlockSpec, scope: Scope, found: Usage) -> None:
    block: type[Block] = STRUCTURES.get(spec.kind) or kind(spec.kind, scope)
    for name in ("width", "classes"):
        if block.takes(name) and name not in spec.arguments:
            found.names.add(name)
    for argument, value in spec.arguments.items():
        _use_value(value, found)
        if isinstance(value, ir.Variable):
            found.arguments.setdefault(value.name, []).append((block, argument))
    if spec.kind in STRUCTURES:  # what stands in another composite block speaks of that block's parameters
        _use_items(spec.items or (), scope, found)


def _use_value(value: ir.Value, found: Usage) -> None:
    for node in ir.walk(value):
        if isinstance(node, ir.Variable):
            found.names.add(node.name)
        elif isinstance(node, ir.Arithmetic):
            found.numeric.update(side.name for side in (node.left, node.right) if isinstance(side, ir.Variable))


def _annotation(parameter: ir.ParameterSpec, found: Usage) -> Any:
    """The type of a parameter: that of the first field it is handed to, or what arithmetic and comparisons ask for."""
    name, default = parameter.name, parameter.default
    compared = found.compared.get(name, [])
    words = [word for word in compared if isinstance(word, str)]
    metadata: list[Any] = []
    annotation: Any
    if name in found.arguments:
        block, argument = found.arguments[name][0]
        annotation, metadata = block.model_fields[argument].annotation, block.model_fields[argument].metadata
    elif words:
        known = tuple(dict.fromkeys([default, *words] if isinstance(default, str) else words))
        annotation = Literal[known] if len(known) > 1 else str  # `else` takes any other word
    elif name in found.numeric:
        annotation = int if type(default) is int and not compared else int | float
    else:
        annotation = bool if isinstance(default, bool) else bool | int | float | str | None
    may_be_none = None in compared or (default is None and not parameter.required)
    if may_be_none and type(None) not in typing.get_args(annotation):
        annotation = annotation | None
    return Annotated[annotation, *metadata] if metadata else annotation


# ---- from items to a tree ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Expansion:
    """One block on its way to a tree.

    Attributes:
        names: values of the parameters, of `width`, `stride` and `in`.
        scope: composite blocks by name.
        given: parameters that the call gave.
    """

    names: Mapping[str, ir.Scalar]
    scope: Scope
    given: frozenset[str]

    def parts(self, items: ir.Items, x: Shape) -> tuple[tuple[str, Node], ...]:
        """Named trees of items one after the other."""
        names: dict[str, int] = {}
        found: list[tuple[str, Node]] = []
        for item in self.flat(items):
            node = self.node(item, x)
            found.append((free_name(_module_name(item, node), names), node))
            x = measure(node, x).out
        return tuple(found)

    def branches(self, join: Join, items: ir.Items, x: Shape) -> tuple[tuple[str, Node], ...]:
        """Named trees of items side by side."""
        names: dict[str, int] = {}
        found = []
        blocks = list(self.flat(items))
        for item, inflow in zip(blocks, inflows(join, len(blocks), x), strict=True):
            node = self.node(item, inflow)
            found.append((free_name(_module_name(item, node), names), node))
        return tuple(found)

    def flat(self, items: ir.Items) -> Iterator[ir.BlockSpec]:
        """The blocks that stand, `if`s and repeats worked out."""
        for item in items:
            self._count()
            match item:
                case ir.BlockSpec():
                    yield item
                case ir.IfSpec():
                    yield from self.flat(item.then if self._holds(item) else item.otherwise)
                case ir.RepeatSpec():
                    times = self._value(item.times)
                    if type(times) is not int or not 0 <= times <= MAX_PARTS:
                        span = getattr(item.times, "at", None) or item.at
                        raise ShapeError(
                            f"a repeat count is an integer from 0 to {MAX_PARTS:,}, not {say(times)}", None, None, span
                        )
                    for copy in item.taken(times):
                        self._count()
                        yield from self.flat(copy)
                case _:
                    raise TypeError(f"a hole is left: {item!r}")

    @staticmethod
    def _count() -> None:
        """One more step of writing the block out; copies of nothing are steps, too."""
        _WORK.parts += 1
        _WORK.total = work() + 1
        if _WORK.parts > MAX_PARTS:
            raise ShapeError(
                f"a block of more than {MAX_PARTS:,} parts", None, "use smaller blocks, or repeat less often"
            )

    def node(self, spec: ir.BlockSpec, x: Shape) -> Node:
        """The tree of one inner block.

        Raises:
            ShapeError: it does not fit; its place is that of the block inside, unless an argument of the call decides.
        """
        try:
            if spec.kind in STRUCTURES:
                structure = construct(STRUCTURES[spec.kind], spec.kind, self._arguments(spec, STRUCTURES[spec.kind]))
                if isinstance(structure, ParallelStructure):
                    parts = self.branches(structure.join, spec.items or (), x)
                else:
                    parts = self.parts(spec.items or (), x)
                node: Node = structure.tree(parts, x)
            else:
                block = kind(spec.kind, self.scope)
                arguments = self._arguments(spec, block)
                for name in ("width", "classes"):
                    if block.takes(name) and name in self.names:
                        arguments.setdefault(name, self.names[name])
                placed = construct(block, spec.kind, arguments)
                if isinstance(placed, Defined) and spec.items is not None:
                    placed = placed.holding(spec.items, placed.block_scope)
                node = placed.expand(x) if isinstance(placed, Composite) else placed
            measure(node, x)
        except ShapeError as error:
            raise self._placed(error, spec) from None
        return node

    def _arguments(self, spec: ir.BlockSpec, block: type[Block]) -> dict[str, ir.Scalar]:
        found: dict[str, ir.Scalar] = {}
        for name, value in spec.arguments.items():
            try:
                found[name] = self._value(value)
                if isinstance(found[name], float) and isinstance(value, ir.Arithmetic):
                    self._require_whole(block, name, value, found[name])
            except ShapeError as error:
                error.argument = name
                raise
        return found

    def _require_whole(self, block: type[Block], name: str, value: ir.Arithmetic, quotient: ir.Scalar) -> None:
        """Say which number does not divide which, rather than that an argument is no integer."""
        wrong = misfit(block, name, quotient, "float")
        if wrong is None:
            return
        if value.op != "/":
            raise ShapeError(wrong[0], None, wrong[1] or f"a fraction is dropped by //1: {write_value(value)}//1")
        left, right = self._value(value.left), self._value(value.right)
        said, by = ((v.name if isinstance(v, ir.Variable) else "") for v in (value.left, value.right))
        what = f"the {'incoming channels' if said == 'in' else said} {left}" if said else str(left)
        help = f"near it: {divisors_near(left, right)}" if type(left) is type(right) is int else None
        raise ShapeError(f"{by}{'=' if by else ''}{right} does not divide {what}", None, help)

    def _placed(self, error: ShapeError, spec: ir.BlockSpec) -> ShapeError:
        if error.span is not None or isinstance(error, _OfParameter):
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
            return _OfParameter(f"{error.message}{by}", name, error.help)
        span: Span | None = spec.places.get(error.argument or "", spec.at)
        return ShapeError(error.message, None, error.help, span)

    def _holds(self, test: ir.IfSpec) -> bool:
        left, right = self._value(test.left), self._value(test.right)
        if test.op in ("==", "!="):
            return _COMPARE[test.op](left, right)
        if not (_is_number(left) and _is_number(right)):
            raise ShapeError(f"'{test.op}' compares numbers, not {say(left)} and {say(right)}", None, None, test.at)
        return _COMPARE[test.op](left, right)

    def _value(self, value: ir.Value) -> ir.Scalar:
        match value:
            case ir.Variable(name=name, at=at):
                if name not in self.names:
                    raise ShapeError(f"'{name}' is not known here", None, _unknown_help(name), at)
                return self.names[name]
            case ir.Arithmetic(op=op, at=at):
                left, right = self._value(value.left), self._value(value.right)
                if not (_is_number(left) and _is_number(right)):
                    raise ShapeError(f"'{op}' needs numbers, not {say(left)} and {say(right)}", None, None, at)
                try:
                    return bounded(op, left, right)  # type: ignore[arg-type]
                except ArithmeticError as error:
                    raise ShapeError(f"this cannot be calculated: {error}", None, None, at) from None
            case ir.Node():
                raise TypeError(f"a hole is left: {value!r}")
        return value


def work() -> int:
    """How many parts were written out so far in this thread, all in all; blocks that are known already cost nothing."""
    return getattr(_WORK, "total", 0)


def construct(block: type[Block], shown: str, arguments: dict[str, ir.Scalar]) -> Any:
    """An instance of a block class.

    Raises:
        ShapeError: an argument does not fit its type, or one is missing.
    """
    try:
        return block(**arguments)
    except ValidationError:
        raise unfit(block, shown, arguments) from None


def unfit(block: type[Block], shown: str, arguments: dict[str, ir.Scalar]) -> ShapeError:
    """Why a block does not take its arguments; those without holes were checked where they stand."""
    for name, value in arguments.items():
        if found := misfit(block, name, value, type(value).__name__):
            return ShapeError(found[0], name, found[1])
    missing = next(name for name, f in block.model_fields.items() if f.is_required() and name not in arguments)
    first = {"width": f"{shown}(64)", "out_features": f"{shown}(classes)"} if missing in block.positional[:1] else {}
    example = first.get(missing, f"{shown}({missing}={64 if missing == 'width' else '…'})")
    return ShapeError(f"'{shown}' needs '{missing}' here", None, f"for example: {example}")


def _is_number(value: ir.Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _unknown_help(name: str) -> str | None:
    return "the width of a stage; stem and head have none" if name == "width" else None


def _module_name(item: ir.BlockSpec, node: Node) -> str:
    """What the module of an item is called: residual units by what they do (`attn`, `mlp`), others by their kind."""
    if item.kind == "residual":
        return {"msa": "attn"}.get(node.role, node.role) if isinstance(node, Residual) else "conv"
    if isinstance(node, Primitive) and node.module_name:
        return node.module_name
    return item.kind
