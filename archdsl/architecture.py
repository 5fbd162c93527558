"""IR to architecture: holes filled, every block with its arguments, shapes, parameters and MACs; without torch."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from archdsl import ir
from archdsl.arguments import bounded, say, show
from archdsl.blocks import Block
from archdsl.blocks.base import Composite, Cost, Node, free_name, meaning, measure, primitives, roles
from archdsl.blocks.defined import Defined, Scope, anew, construct, kind, nameless, scope_of, work
from archdsl.conditions import unmet
from archdsl.effort import spend
from archdsl.errors import Diagnostic, Span, SpecError
from archdsl.shapes import Shape, ShapeError
from archdsl.units import Unit
from archdsl.wording import option_labels

MAX_HOLDING = 4_096
# In steps of `effort`: a hole, a block, one that is met for the first time, and a part of it.
DECIDING, PLACING, FITTING, PART = 5, 15, 60, 60
MAX_PARTS = 10_000  # parts of a network, those of equal blocks at equal shapes counted once

# Decides a hole: the index of the option taken, or for a float range the number itself.
Choose: TypeAlias = Callable[[ir.Pick | ir.IntRange | ir.FloatRange | ir.ChoiceSpec], float]


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block at its place in a network.

    Attributes:
        path: module path (`stage2.block3`).
        names: what it was called, outermost first, ending with its kind.
        block: its arguments.
        node: the tree of primitives it stands for.
        x: the shape that flows in.
        cost: output shape, parameters, MACs.
        meaning: what it computes, for the hash.
        stage: from 1, 0 for stem and head.
        index: position in its stage, from 1; 0 for a downsampling layer.
    """

    path: str
    kind: str
    names: tuple[str, ...]
    block: Block
    node: Node
    x: Shape
    cost: Cost
    meaning: str
    stage: int
    index: int

    @property
    def label(self) -> str:
        """As the spec writes it."""
        return self.names[0]


@dataclass(frozen=True, slots=True)
class PlacedStage:
    """A stage with its blocks; `down` is the downsampling layer put before them, if any."""

    width: int
    stride: int
    down: str
    downsampling: PlacedBlock | None
    blocks: tuple[PlacedBlock, ...]


@dataclass(frozen=True)
class Architecture:
    """A network without holes.

    Attributes:
        letters: lets that name one block, by name.
        definitions: the composite blocks in use, by name.
        decisions: what was decided for each hole that was met, in words.
        choices: the same as the index of the option (the number itself for a float range).
        train: arguments of `train(…)`; data: the data set the file names.
    """

    name: str
    input: tuple[int, int, int]
    classes: int
    stem: tuple[PlacedBlock, ...]
    stages: tuple[PlacedStage, ...]
    head: tuple[PlacedBlock, ...]
    letters: dict[str, ir.Letter]
    definitions: dict[str, ir.BlockDefinition]
    decisions: dict[str, str]
    choices: dict[str, float]
    train: dict[str, ir.Scalar] = field(default_factory=dict)
    data: str | None = None

    def blocks(self) -> Iterator[PlacedBlock]:
        """All blocks in order, downsampling layers among them."""
        yield from self.stem
        for stage in self.stages:
            if stage.downsampling:
                yield stage.downsampling
            yield from stage.blocks
        yield from self.head

    @property
    def params(self) -> int:
        """Learnable parameters."""
        return sum(block.cost.params for block in self.blocks())

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(block.cost.macs for block in self.blocks())

    @property
    def depth(self) -> int:
        """Blocks in the stages."""
        return sum(len(stage.blocks) for stage in self.stages)

    @property
    def layout(self) -> list[list[str]]:
        """The labels of the blocks, stage by stage."""
        return [[block.label for block in stage.blocks] for stage in self.stages]

    def count(self, name: str, stage: int | None = None) -> int:
        """How many blocks of the stages (or of one stage) go by a name."""
        chosen = self.stages if stage is None else self.stages[stage - 1 : stage]
        return sum(name in block.names for s in chosen for block in s.blocks)

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of what the network computes: no names, no comments, no spelled-out defaults."""

        content = {
            "language": ir.LANGUAGE_VERSION,
            "input": self.input,
            "classes": self.classes,
            "stem": [b.meaning for b in self.stem],
            "stages": [
                [b.meaning for b in ((s.downsampling,) if s.downsampling else ()) + s.blocks] for s in self.stages
            ],
            "head": [b.meaning for b in self.head],
        }
        return digest(content)

    @functools.cached_property
    def units(self) -> tuple[Unit, ...]:
        """The residual units of the stages, for the analyses; bare convolutions count as such."""
        found = []
        for stage in self.stages:
            for b in stage.blocks:
                units = list(roles(b.node, b.x, b.path)) or ([(b.path, "conv", b.cost.out)] if b.kind == "conv" else [])
                found += [
                    Unit(path, b.label, role, b.stage, (out.height, out.width), out.prefix) for path, role, out in units
                ]
        return tuple(found)

    def table(self) -> dict[str, Any]:
        """The network as plain data, as `archdsl compile --json` prints it."""
        return {
            "name": self.name,
            "hash": self.hash,
            "params": self.params,
            "macs": self.macs,
            "input": list(self.input),
            "classes": self.classes,
            "blocks": [
                {
                    "path": b.path,
                    "stage": b.stage,
                    "index": b.index,
                    "kind": b.kind,
                    "label": b.label,
                    "out": b.cost.out.dims,
                    "params": b.cost.params,
                    "macs": b.cost.macs,
                }
                for b in self.blocks()
            ],
        }


def digest(content: Any) -> str:
    """SHA-256 of plain data in canonical JSON, as 64 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Misfit(Exception):
    """A filled spec whose blocks do not fit together; carries the diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def first_option(hole: ir.Pick | ir.IntRange | ir.FloatRange | ir.ChoiceSpec) -> float:
    """The plainest way to decide a hole: its first option, the low end of a range."""
    return hole.low if isinstance(hole, ir.FloatRange) else 0


def resolve(spec: ir.Spec, choose: Choose = first_option) -> Architecture:
    """The architecture of a spec, its holes decided by `choose` (each shared hole once).

    Raises:
        Misfit: the blocks do not fit together.
    """
    return Resolving(spec, choose).architecture()


def resolve_model(spec: ir.Spec, text: str = "", path: str = "<spec>") -> Architecture:
    """The architecture of a spec without holes, its `require`s checked.

    Raises:
        SpecError: it has holes, does not fit together, or breaks a requirement.
    """
    hole = ir.first_hole(spec)
    if hole is not None:
        message = f"this file is a space: '{hole.name}' is still to be decided"
        help = "take a member with 'archdsl space FILE --sample 1', or search it with 'archdsl search FILE'"
        raise SpecError([Diagnostic(message, hole.at, help)], text, path)
    return resolve_without_holes(spec, text, path)


def resolve_without_holes(spec: ir.Spec, text: str = "", path: str = "<spec>") -> Architecture:
    """The same for a spec that is known to have no holes."""
    try:
        architecture = resolve(spec)
    except Misfit as error:
        raise SpecError([error.diagnostic], text, path) from None
    broken = [d for c in spec.require if (d := unmet(c, architecture)) is not None]
    if broken:
        raise SpecError(broken, text, path)
    return architecture


class Resolving:
    """One walk through a spec: decides holes where they are met, and carries the shape along.

    `archdsl.space` derives from it to take single steps of such a walk, so that both mean the same by a filling.
    """

    def __init__(self, spec: ir.Spec, choose: Choose) -> None:
        self.spec = spec
        self.choose = choose
        self.decided: dict[str, Any] = {}
        self.decisions: dict[str, str] = {}
        self.choices: dict[str, float] = {}
        self.shape = Shape(*spec.input)
        self.width: int | None = None  # of the stage being built
        self.scope = scope_of(spec.blocks)
        self.different: set[tuple[str, Shape]] = set()  # blocks met so far, and how many parts they have
        self.parts, self.most_parts = 0, float(MAX_PARTS)

    def architecture(self) -> Architecture:
        """The whole walk."""
        spec = self.spec
        self._meet(spec.holes)
        stem = tuple(self._place(b, f"stem.{name}") for b, name in _named(self._flat(spec.stem)))
        stages = tuple(self._stage(stage, i) for i, stage in enumerate(spec.stages, start=1))
        self.width = None
        head = tuple(self._place(b, f"head.{name}") for b, name in _named(self._flat(spec.head)))
        self._end()
        train = {name: self._value(value) for name, value in spec.train.items()}
        return Architecture(
            spec.name, spec.input, spec.classes, stem, stages, head, spec.letters, spec.blocks, self.decisions,
            self.choices, train, spec.data,
        )  # fmt: skip

    def _end(self) -> None:
        spec = self.spec
        if self.shape.is_vector is False or self.shape.channels != spec.classes:
            last = spec.head[-1].at if spec.head else None
            help = "end the head with: gap linear" if not self.shape.is_vector else "end the head with: linear"
            raise Misfit(Diagnostic(f"the network ends in {self.shape}, not in {spec.classes} classes", last, help))

    # ---- holes ----

    def _meet(self, value: ir.Value | tuple[ir.Value, ...]) -> None:
        """Decide the holes of a value without working it out: a stage's holes count even where no block takes them."""
        match value:
            case tuple():
                for part in value:
                    self._meet(part)
            case ir.Pick():
                self._meet(value.options[self._decide(value)])
            case ir.IntRange() | ir.FloatRange():
                self._decide(value)
            case ir.Arithmetic():
                self._meet((value.left, value.right))

    def _decide(self, hole: ir.Pick | ir.IntRange | ir.FloatRange | ir.ChoiceSpec) -> Any:
        if hole.name not in self.decided:
            spend(DECIDING)
            chosen = self.choices[hole.name] = self.choose(hole)
            if isinstance(hole, ir.FloatRange):
                self.decisions[hole.name] = show(float(chosen))
            elif isinstance(hole, ir.IntRange):
                chosen = hole.low + int(chosen) * hole.step
                self.decisions[hole.name] = show(chosen)
            else:
                chosen = int(chosen)
                self.decisions[hole.name] = option_labels(hole)[chosen]
            self.decided[hole.name] = chosen
        return self.decided[hole.name]

    def _value(self, value: ir.Value) -> ir.Scalar:
        if not isinstance(value, ir.Node):
            return value
        match value:
            case ir.Pick():
                return self._value(value.options[self._decide(value)])
            case ir.IntRange() | ir.FloatRange():
                decided: int | float = self._decide(value)
                return decided
            case ir.Variable():
                return self._variable(value)
            case ir.Arithmetic():
                left, right = self._value(value.left), self._value(value.right)
                if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
                    raise Misfit(Diagnostic(f"'{value.op}' needs numbers", value.at))
                try:
                    return bounded(value.op, left, right)
                except ArithmeticError as error:
                    raise Misfit(Diagnostic(f"this cannot be calculated: {error}", value.at)) from None
        raise TypeError(f"not a value: {value!r}")

    def _variable(self, variable: ir.Variable) -> int:
        known = {"width": self.width, "in": self.shape.channels, "classes": self.spec.classes}
        found = known.get(variable.name)
        if found is None:
            said = "is the width of a stage, which" if variable.name == "width" else "stands in composite blocks; it"
            raise Misfit(Diagnostic(f"'{variable.name}' {said} is not known here", variable.at))
        return found

    def _flat(self, items: ir.Items) -> Iterator[ir.BlockSpec]:
        for item in items:
            match item:
                case ir.BlockSpec():
                    yield item
                case ir.ChoiceSpec():
                    yield from self._flat(item.options[self._decide(item)])
                case ir.RepeatSpec():
                    times = self._value(item.times)
                    for copy in item.taken(int(times) if isinstance(times, (int, float)) else 0):
                        yield from self._flat(copy)

    def _filled(self, items: ir.Items) -> ir.Items:
        """Items of a structure or composite block with their holes decided; names stay, they belong to the block."""
        found: list[ir.Item] = []
        for item in items:
            match item:
                case ir.ChoiceSpec():
                    found += self._filled(item.options[self._decide(item)])
                case ir.RepeatSpec() if next(ir.holes_in(item), None) is not None:
                    times = self._filled_value(item.times)
                    if type(times) is not int:
                        raise TypeError(f"not a count: {times!r}")
                    for copy in item.taken(times):
                        found += self._filled(copy)
                case ir.BlockSpec() if next(ir.holes_in(item), None) is not None:
                    arguments = {name: self._filled_value(value) for name, value in item.arguments.items()}
                    inner = None if item.items is None else self._filled(item.items)
                    found.append(item.model_copy(update={"arguments": arguments, "items": inner}))
                case _:
                    found.append(item)
        return tuple(found)

    def _filled_value(self, value: ir.Value) -> ir.Value:
        match value:
            case ir.Pick():
                return self._filled_value(value.options[self._decide(value)])
            case ir.IntRange():
                decided: int = self._decide(value)
                return decided
            case ir.Arithmetic():
                left, right = self._filled_value(value.left), self._filled_value(value.right)
                if isinstance(left, (int, float)) and isinstance(right, (int, float)):
                    return self._value(value)
                return value.model_copy(update={"left": left, "right": right})
        return value

    # ---- stages and blocks ----

    def _stage(self, stage: ir.StageSpec, number: int) -> PlacedStage:
        width, stride, down = self._open(stage)
        downsampling: PlacedBlock | None = None
        blocks: list[PlacedBlock] = []
        for index, block in enumerate(self._flat(stage.items), start=1):
            path = f"stage{number}.block{index}"
            if index == 1:
                downsampling, own = self._enter(block, stage, number, stride, down)
                blocks.append(self._place(block, path, number, index, own))
            else:
                blocks.append(self._place(block, path, number, index))
        if not blocks:
            downsampling = self._pass(stage, number, stride, down)
        return PlacedStage(width, stride, down, downsampling, tuple(blocks))

    def _open(self, stage: ir.StageSpec) -> tuple[int, int, str]:
        self._meet(stage.holes)
        self.width = None
        self.width = width = self._stage_number(stage, "width", 1_000_000)
        return width, self._stage_number(stage, "stride", 1_000_000), str(self._value(stage.down))

    def _enter(
        self, first: ir.BlockSpec, stage: ir.StageSpec, number: int, stride: int, down: str
    ) -> tuple[PlacedBlock | None, int]:
        """What the first block cannot do, change the resolution or the width, a layer before it does."""
        cls = self._class(first)
        own, widens = stride if cls.takes("stride") else 1, cls.takes("width")
        if issubclass(cls, Defined) and (own > 1 or self.shape.channels != self.width):
            own, widens = self._done_by(first, number, own, widens)
        if own < stride or (self.shape.channels != self.width and not widens):
            return self._downsample(stage, number, stride // own, down), own
        return None, own

    def _done_by(self, first: ir.BlockSpec, number: int, stride: int, widens: bool) -> tuple[int, bool]:
        """The stride that a composite block really does, and whether it changes the width: holes and `if`s decide."""
        before = self.shape
        try:
            after = self._place(first, f"stage{number}.block1", number, 1, stride).cost.out
        except Misfit:
            return stride, widens  # which will be said where it is placed
        finally:
            self.shape = before
        # A stride that is written on the block is meant; and a map of one pixel cannot tell.
        still = (
            "stride" not in first.arguments
            and before.height > 1
            and (after.height, after.width) == (before.height, before.width)
        )
        return 1 if still else stride, widens and after.channels != before.channels

    def _pass(self, stage: ir.StageSpec, number: int, stride: int, down: str) -> PlacedBlock | None:
        """A stage without blocks is a downsampling layer where it changes the shape, else nothing."""
        if stride > 1 or self.shape.channels != self.width:
            return self._downsample(stage, number, stride, down)
        return None

    def _stage_number(self, stage: ir.StageSpec, name: str, most: int) -> int:
        value = self._value(getattr(stage, name))
        if type(value) is not int or not 1 <= value <= most:
            raise Misfit(
                Diagnostic(f"'{name}' must be an integer from 1, not {say(value)}", stage.places.get(name, stage.at))
            )
        return value

    def _downsample(self, stage: ir.StageSpec, number: int, stride: int, down: str) -> PlacedBlock:
        block = ir.BlockSpec(
            kind=f"down_{down}", arguments={}, names=(f"down_{down}",), at=stage.at, places=stage.places
        )
        return self._place(block, f"stage{number}.down", number, 0, stride)

    def _class(self, spec: ir.BlockSpec) -> type[Block]:
        return nameless((spec,), self.scope) if spec.kind in ir.STRUCTURES else kind(spec.kind, self.scope)

    def _place(self, spec: ir.BlockSpec, path: str, stage: int = 0, index: int = 0, stride: int = 1) -> PlacedBlock:
        spend(PLACING)
        cls, items, before = self._class(spec), None, work()
        shown = spec.names[0] if spec.names else spec.kind
        if spec.kind in ir.STRUCTURES:
            arguments: dict[str, ir.Scalar] = {}
            items = self._filled((spec,))
        else:
            arguments = {name: self._value(value) for name, value in spec.arguments.items()}
            if spec.items is not None:
                items = self._filled(spec.items)
        if stage and cls.takes("width"):
            arguments.setdefault("width", self.width)
        if stride > 1 and cls.takes("stride"):
            arguments.setdefault("stride", stride)
        if cls.takes("classes"):
            arguments.setdefault("classes", self.spec.classes)
        if items is None:
            key = tuple((name, type(value), value) for name, value in arguments.items())
            fit = _fit(cls, shown, key, self.shape)
        else:
            fit = _fit_holding(cls, shown, arguments, items, self.scope, self.shape)
        spend(PART * (work() - before))
        if fit.error is not None:
            error = fit.error
            if spec.kind in self.scope:
                # Classes are shared by the readings of a text, in which places may have moved.
                scope = anew(self.spec.blocks)
                own = items if items is not None else self.spec.blocks[spec.kind].items
                error = _fit_holding(scope[spec.kind], shown, arguments, own, scope, self.shape).error or error
            raise self._misfit(error, spec, path)
        if fit.block is None or fit.node is None or fit.cost is None:
            raise TypeError(f"{spec.kind} has neither a cost nor an error")
        self._count_parts(fit, spec)
        names = spec.names or (spec.kind,)
        placed = PlacedBlock(
            path, spec.kind, names, fit.block, fit.node, self.shape, fit.cost, fit.meaning, stage, index
        )
        self.shape = fit.cost.out
        return placed

    def _count_parts(self, fit: _Fit, spec: ir.BlockSpec) -> None:
        """Refuse a network that takes long to write out, however small its text is."""
        if fit.node is not None and (fit.meaning, self.shape) not in self.different:
            self.different.add((fit.meaning, self.shape))
            self.parts += fit.parts
            if self.parts > self.most_parts:
                help = "use smaller blocks, or repeat less often"
                raise Misfit(Diagnostic(f"a network of more than {MAX_PARTS:,} parts that differ", spec.at, help))

    def _misfit(self, error: ShapeError, spec: ir.BlockSpec, path: str) -> Misfit:
        span: Span | None = error.span or spec.places.get(error.argument or "", spec.at)
        message = error.message
        if span is None:  # nothing in the text: the stem or head that stands for an unsaid one
            part = path.partition(".")[0]
            example = "head norm(kind=ln) cls linear" if self.shape.is_tokens else f"{part} linear"
            help = f"write one that fits, such as: {example}"
            return Misfit(Diagnostic(f"the default {part} does not fit: {message}", None, help))
        label = spec.names[0] if spec.names else spec.kind
        if error.span is not None and spec.at is not None and spec.kind not in ir.STRUCTURES:
            message = f"{message} (in '{label}' of line {spec.at.line})"
        elif error.argument is None and spec.kind in self.scope and not message.startswith(f"'{label}'"):
            message = f"'{label}' does not fit here: {message}"
            if self.shape.is_tokens:
                return Misfit(Diagnostic(message, span, "'cls' in the stem makes tokens; without it maps stay maps"))
        return Misfit(Diagnostic(message, span, error.help))


class _Fit(NamedTuple):
    """A block at a shape, of how many parts, or why it does not fit."""

    block: Block | None
    node: Node | None
    cost: Cost | None
    meaning: str
    error: ShapeError | None
    parts: int = 0


_TOO_DEEP = "blocks and structures nest too deep"
_HOLDING: dict[tuple[Any, ...], _Fit] = {}


@functools.lru_cache(maxsize=65_536)
def _fit(cls: type[Block], shown: str, arguments: tuple[tuple[str, type, ir.Scalar], ...], x: Shape) -> _Fit:
    """A block at a shape; cached, since the members of a space share most of their blocks."""
    try:
        return _fitted(construct(cls, shown, {name: value for name, _, value in arguments}), x)
    except ShapeError as error:
        return _Fit(None, None, None, "", error)
    except RecursionError:
        return _Fit(None, None, None, "", ShapeError(_TOO_DEEP, None, "write it in a plainer way"))


def _fit_holding(
    cls: type[Block], shown: str, arguments: dict[str, ir.Scalar], items: ir.Items, scope: Scope, x: Shape
) -> _Fit:
    """The same for a block with items of its own; a misfit is never remembered, as its place is that of the items."""
    spend(FITTING)
    written = tuple(item.model_dump_json() for item in items)
    key = (cls, tuple((n, type(v), v) for n, v in arguments.items()), written, x, *scope.values())
    if key in _HOLDING:
        return _HOLDING[key]
    try:
        block = construct(cls, shown, arguments)
        fit = _fitted(block.holding(items, block.block_scope or scope), x)
    except ShapeError as error:
        return _Fit(None, None, None, "", error)
    except RecursionError:
        return _Fit(None, None, None, "", ShapeError(_TOO_DEEP, None, "write it in a plainer way"))
    if len(_HOLDING) >= MAX_HOLDING:
        _HOLDING.clear()
    _HOLDING[key] = fit
    return fit


def _fitted(block: Block, x: Shape) -> _Fit:
    spend(FITTING)
    node: Node = block.expand(x) if isinstance(block, Composite) else block
    parts = sum(1 for _ in primitives(node))
    return _Fit(block, node, measure(node, x), digest(meaning(node, x)), None, parts)


def _named(blocks: Iterator[ir.BlockSpec]) -> Iterator[tuple[ir.BlockSpec, str]]:
    """Names for the modules of stem and head: the kind, numbered from the second of a kind on."""
    taken: dict[str, int] = {}
    for block in blocks:
        yield block, free_name(block.kind, taken)
