"""Syntax tree to IR: names are looked up, lets and repeats written out, arguments handed to the blocks they reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from archdsl import ir
from archdsl.arguments import misfit, say
from archdsl.blocks import BLOCKS, Block
from archdsl.errors import Diagnostic, Span, SpecError, did_you_mean
from archdsl.language import syntax
from archdsl.language.conditions import lower_condition
from archdsl.language.syntax_errors import STATEMENTS
from archdsl.language.values import RESERVED, Mistake, Scope, TooMuch, let_path, let_value, lower_value, possible
from archdsl.recipe import Recipe
from archdsl.scores import SCORES

MAX_BLOCKS = 10_000
STAGE_ONLY = ("width", "stride", "down")
DEFAULT_HEAD = ("norm", "act", "gap", "linear")
DOWN = ("patch", "conv", "pool")
_ONCE = ("model", "input", "classes", "defaults", "stem", "head", "data", "train")
_ORDER = {"stem": 0, "stage": 1, "head": 2}


@dataclass(frozen=True)
class Given:
    """An argument's value and where it stands."""

    value: ir.Value
    span: Span


@dataclass(frozen=True)
class Context:
    """What surrounds a block.

    Attributes:
        inherited: the arguments it can inherit, nearest first.
        path: how holes standing here are called.
        taken: collects the names of arguments that some block took.
        in_stage: whether positions are those of a stage.
        at: where the block is used, when a `let` that names it stands between; None otherwise.
        stride: the stage's, 1 elsewhere.
    """

    inherited: tuple[dict[str, Given], ...]
    path: str
    taken: set[str] = field(default_factory=set)
    in_stage: bool = False
    at: Span | None = None
    stride: ir.Value = 1


def lower(statements: tuple[syntax.Statement, ...], text: str, path: str) -> ir.Spec:
    """The IR of a file.

    Raises:
        SpecError: with every mistake found.
    """
    lowering = _Lowering(statements)
    try:
        spec = lowering.spec()
    except TooMuch as error:
        lowering.mistakes.append(error.diagnostic)
    if lowering.mistakes:
        # A mistake inside a `let` shows wherever the let stands; once is enough.
        raise SpecError(dict.fromkeys(lowering.mistakes), text, path)
    return spec


class _Lowering:
    """One file on its way to the IR; mistakes are collected, not raised."""

    def __init__(self, statements: tuple[syntax.Statement, ...]) -> None:
        self.statements = statements
        self.mistakes: list[Diagnostic] = []
        self.emitted = 0
        self.scope = Scope(self._lets())
        self.letters: dict[str, ir.Letter] = {}

    def spec(self) -> ir.Spec:
        self._check_order()
        one = {s.keyword: s for s in self.statements if s.keyword in _ONCE}
        fields: dict[str, Any] = {}
        if "model" in one:
            fields["name"] = one["model"].name
        if "input" in one and isinstance(one["input"].value, syntax.Dimensions):
            self._try(lambda: fields.update(input=_input(one["input"].value)))
        if "classes" in one:
            self._try(lambda: fields.update(classes=self._classes(one["classes"])))
        if "data" in one:
            fields["data"] = one["data"].name
        fields["declared"] = tuple(k for k in ("input", "classes") if k in one)
        defaults = self._arguments(one["defaults"].arguments, "defaults", shown="defaults") if "defaults" in one else {}
        self._check_defaults(defaults)
        if "stem" in one:
            fields["stem"] = self._items(one["stem"].items or (), Context((defaults,), "stem"))
        else:
            fields["stem"] = (ir.BlockSpec(kind="conv", arguments={"width": 64}, names=("conv",)),)
        fields["stages"] = self._stages(defaults)
        if "head" in one:
            head = self._items(one["head"].items or (), Context((defaults,), "head"))
        else:
            head = tuple(
                self._block(BLOCKS[name], name, (name,), {}, Context((defaults,), "head"), None)
                for name in DEFAULT_HEAD
            )
        fields["head"] = _with_classes(head)
        fields["train"] = self._train(one["train"]) if "train" in one else {}
        fields["objectives"] = self._objectives()
        fields["require"] = self._requirements(len(fields["stages"]))
        self._check_unused()
        fields["holes"] = tuple(_countable(given.value for given in defaults.values()))
        fields["letters"] = self.letters
        return ir.Spec(**fields)

    # ---- the file as a whole ----

    def _lets(self) -> dict[str, syntax.Statement]:
        lets: dict[str, syntax.Statement] = {}
        for statement in self.statements:
            if statement.keyword != "let" or statement.name is None:
                continue
            if statement.name in RESERVED or statement.name in STATEMENTS:
                self._mistake(
                    f"'{statement.name}' has a meaning of its own", statement.name_span, "choose another name"
                )
            elif statement.name in lets:
                self._mistake(f"'{statement.name}' is defined twice", statement.name_span, "choose another name")
            elif statement.items == ():
                self._mistake(
                    f"'let {statement.name}' stands for nothing", statement.span, "for example: let B = {C|M}"
                )
            lets.setdefault(statement.name, statement)
        return lets

    def _check_order(self) -> None:
        seen: dict[str, syntax.Statement] = {}
        last: syntax.Statement | None = None
        for statement in self.statements:
            keyword = statement.keyword
            if keyword in _ONCE and keyword in seen:
                first = seen[keyword].span.line
                self._mistake(
                    f"'{keyword}' is given twice", _keyword_span(statement), f"it stands in line {first} already"
                )
            seen[keyword] = statement
            if keyword in _ORDER:
                if last is not None and _ORDER[keyword] < _ORDER[last.keyword]:
                    help = "the order is: stem, stages, head"
                    self._mistake(f"'{keyword}' stands after '{last.keyword}'", _keyword_span(statement), help)
                last = statement
        stages = [statement for statement in self.statements if statement.keyword == "stage"]
        if not self.statements:
            self._mistake("the file holds nothing but comments", None, "the smallest model is: stage[C C C M]")
        elif not stages:
            self._mistake("a spec needs at least one stage", None, "the smallest model is: stage[C C C M]")
        elif not any(stage.items for stage in stages):
            self._mistake("a network needs at least one block", stages[0].span, "for example: stage(64)[C C M]")

    def _classes(self, statement: syntax.Statement) -> int:
        value = lower_value(statement.value, self.scope, "classes")  # type: ignore[arg-type]
        if type(value) is not int or not 1 <= value <= 1_000_000:
            span = statement.value.span if statement.value else statement.span
            raise Mistake("'classes' takes an integer from 1 to 1,000,000", span, "for example: classes 10")
        return value

    def _check_unused(self) -> None:
        """Find the mistakes in `let`s that nothing uses."""
        letters, emitted = dict(self.letters), self.emitted
        for name, let in self.scope.lets.items():
            if name in self.scope.used:
                continue
            value = let_value(let)
            if value is None:
                self._items(let.items or (), Context(({},), let_path(name)))
            elif let.value is not None:  # words, as in `let A = gelu`, can be anything
                self._try(lambda v=value, n=name: lower_value(v, self.scope, n, suffixes=True, real_holes=True))  # type: ignore[misc]
        self.letters, self.emitted = letters, emitted

    def _objectives(self) -> tuple[ir.Objective, ...]:
        found: dict[str, ir.Objective] = {}
        for statement in self.statements:
            if statement.keyword not in ("maximize", "minimize") or statement.name is None:
                continue
            if statement.name not in SCORES:
                help = did_you_mean(statement.name, SCORES) or f"scores are: {', '.join(SCORES)}"
                self._mistake(f"unknown score '{statement.name}'", statement.name_span, help)
            elif statement.name in found:
                self._mistake(f"'{statement.name}' is an objective already", statement.name_span, "keep one of them")
            else:
                found[statement.name] = ir.Objective(
                    direction=statement.keyword, score=statement.name, at=statement.span
                )
        return tuple(found.values())

    def _requirements(self, stages: int) -> tuple[ir.Condition, ...]:
        known = {*(name for name in self.scope.lets if self._is_block(name)), *ir.LETTERS, *BLOCKS}
        conditions = []
        for statement in self.statements:
            if statement.condition is not None:
                condition = statement.condition
                self._try(lambda c=condition: conditions.append(lower_condition(c, self.scope, known, stages)))  # type: ignore[misc]
        return tuple(conditions)

    def _is_block(self, name: str) -> bool:
        """Whether a `let` names a single block."""
        for _ in self.scope.lets:
            let = self.scope.lets.get(name)
            if let is None:
                return name in ir.LETTERS or name in BLOCKS
            if let.items is None or len(let.items) != 1 or not isinstance(let.items[0], syntax.BlockCall):
                return False
            name = let.items[0].name
        return False

    def _train(self, statement: syntax.Statement) -> dict[str, ir.Value]:
        found: dict[str, ir.Value] = {}
        for argument in statement.arguments:
            if argument.name is None:
                self._mistake(
                    "arguments of 'train' have names", argument.span, "for example: train(epochs=10, lr=1e-3)"
                )
            elif argument.name not in Recipe.model_fields:
                help = did_you_mean(argument.name, Recipe.model_fields)
                self._mistake(
                    f"'train' has no argument '{argument.name}'",
                    _name_span(argument),
                    help or _takes(Recipe.model_fields),
                )
            elif argument.name in found:
                self._mistake(f"'{argument.name}' is given twice", argument.span)
            else:
                name = argument.name
                if (value := self._value(argument.value, f"train.{name}", real_holes=True)) is not None:
                    self._check_type(Recipe, name, value.value, argument.span, f"train.{name}")
                    found[name] = value.value
        return found

    # ---- stages ----

    def _stages(self, defaults: dict[str, Given]) -> tuple[ir.StageSpec, ...]:
        stages: list[ir.StageSpec] = []
        previous: ir.Value = None
        for statement in self.statements:
            if statement.keyword == "stage":
                stages.append(self._stage(statement, defaults, previous, len(stages) + 1))
                previous = stages[-1].width
        return tuple(stages)

    def _stage(
        self, statement: syntax.Statement, defaults: dict[str, Given], previous: ir.Value, number: int
    ) -> ir.StageSpec:
        given = self._arguments(statement.arguments, f"stage{number}", positional=("width",), shown="stage")
        if previous is None:
            width: ir.Value = 64
        elif isinstance(previous, int):
            width = previous * 2
        else:
            width = ir.Arithmetic(op="*", left=previous, right=2)
        own = {
            "width": width,
            "stride": 1 if number == 1 else 2,
            "down": defaults["down"].value if "down" in defaults else "patch",
        }
        for name in STAGE_ONLY:
            if name in given:
                own[name] = given[name].value
                self._check_stage_argument(name, given[name])
        taken: set[str] = set()
        reach = {name: value for name, value in given.items() if name not in STAGE_ONLY}
        context = Context((reach, defaults), f"stage{number}", taken, in_stage=True, stride=own["stride"])
        mistakes = len(self.mistakes)
        items = self._items(statement.items or (), context)
        for name, argument in reach.items():
            if name not in taken and len(self.mistakes) == mistakes:
                known = [*STAGE_ONLY, *(f for kind in _kinds(items) for f in BLOCKS[kind].model_fields)]
                elsewhere = [kind for kind in BLOCKS if BLOCKS[kind].takes(name)]
                help = f"it belongs to: {', '.join(elsewhere)}" if elsewhere else did_you_mean(name, known)
                help = help or f"the stage and its blocks take: {', '.join(dict.fromkeys(known))}"
                self._mistake(f"no block of this stage takes '{name}'", argument.span, help)
        return ir.StageSpec(
            **own, items=items, holes=tuple(_countable(g.value for g in given.values())), at=statement.span,
            places={name: g.span for name, g in given.items()},
        )  # fmt: skip

    def _check_stage_argument(self, name: str, given: Given) -> None:
        for value in possible(given.value):
            if name == "down":
                if value not in DOWN:
                    help = did_you_mean(str(value), DOWN)
                    self._mistake(f"'down' must be one of {', '.join(DOWN)}; not {say(value)}", given.span, help)
            elif type(value) is not int:
                self._mistake(f"'{name}' takes an integer, not {say(value)}", given.span)
            elif not 1 <= value <= 1_000_000:
                self._mistake(f"'{name}' must be from 1 to 1,000,000, not {value}", given.span)

    # ---- sequences ----

    def _items(self, items: tuple[syntax.Item, ...], context: Context) -> ir.Items:
        """Lower a sequence; positions are counted in what it unrolls to, so that holes are named by their place."""
        out: list[ir.Item] = []
        alone = _is_alone(items)
        for item in items:
            try:
                for lowered in self._item(item, context, lambda: _place(context, len(out) + 1, alone)):
                    out.append(lowered)  # noqa: PERF402  (the next place depends on how many there are)
            except Mistake as mistake:
                self.mistakes.append(mistake.diagnostic)
        return tuple(out)

    def _item(self, item: syntax.Item, context: Context, place: Callable[[], str]) -> Iterator[ir.Item]:
        """The items one written item becomes; `place` names the position at which the next one will stand."""
        self.scope.step(item.span)
        match item:
            case syntax.BlockCall():
                yield from self._call(item, context, place)
            case syntax.Group(items, span):
                with self.scope.deeper(span):
                    for inner in items:
                        yield from self._item(inner, context, place)
            case syntax.Choice(options, span):
                with self.scope.deeper(span):
                    yield from self._choice(options, span, context, place)
            case syntax.Repeat():
                with self.scope.deeper(item.span):
                    yield from self._repeat(item, context, place)

    def _choice(
        self, options: tuple[tuple[syntax.Item, ...], ...], span: Span, context: Context, place: Callable[[], str]
    ) -> Iterator[ir.Item]:
        name = place()
        if len(options) == 1:  # {C} decides nothing
            for inner in options[0]:
                yield from self._item(inner, context, place)
            return
        self._emit(1, span)
        for _ in options:
            self.scope.step(span)
        lowered = [
            self._items(option, replace(context, path=f"{name}.{i}", in_stage=False))
            for i, option in enumerate(options, start=1)
        ]
        yield ir.ChoiceSpec(name=name, options=tuple(lowered), at=span)

    def _repeat(self, item: syntax.Repeat, context: Context, place: Callable[[], str]) -> Iterator[ir.Item]:
        times = lower_value(item.times, self.scope, f"{place()}.times")
        counts = possible(times)
        bad = [c for c in counts if type(c) is not int or c < 0]
        help = "for example C*3 or C*{1..3}"
        if bad:
            raise Mistake(f"a repeat count is an integer from 0, not {say(bad[0])}", item.times.span, help)
        if not counts:
            raise Mistake("this repeat count cannot be known beforehand", item.times.span, help)
        most = max(c for c in counts if isinstance(c, int))
        self._emit(most, item.times.span, probe=True)
        if isinstance(times, int):
            for _ in range(times):
                yield from self._item(item.item, context, place)
            return
        name = place()
        copies = tuple(
            self._items((item.item,), replace(context, path=f"{name}.copy{i}", in_stage=False))
            for i in range(1, most + 1)
        )
        yield ir.RepeatSpec(times=times, copies=copies, at=item.span)

    def _call(self, call: syntax.BlockCall, context: Context, place: Callable[[], str]) -> Iterator[ir.Item]:
        if call.name in self.scope.lets:
            yield from self._let(call, context, place)
            return
        letter = ir.LETTERS.get(call.name)
        kind = letter.kind if letter else call.name
        if kind not in BLOCKS:
            known = [*self.scope.lets, *ir.LETTERS, *BLOCKS, *STATEMENTS]
            help = did_you_mean(call.name, known) or f"blocks are: {', '.join(BLOCKS)}; and C, M, T"
            raise Mistake(f"unknown block '{call.name}'", _head_of(call), help)
        names = (call.name, kind) if letter else (kind,)
        base = {k: Given(v, context.at or call.span) for k, v in letter.arguments.items()} if letter else {}
        yield self._block(BLOCKS[kind], call.name, names, base, context, call, place())

    def _let(self, call: syntax.BlockCall, context: Context, place: Callable[[], str]) -> Iterator[ir.Item]:
        path = let_path(call.name)
        with self.scope.entered(call.name, _head_of(call)) as let:
            if let.items is None:
                raise Mistake(f"'{call.name}' is a value, not a block", call.span, "values stand in arguments")
            inner = replace(context, path=path, in_stage=False)
            match let.items:
                case (syntax.BlockCall() as named,):
                    # A let that names one block takes arguments as the block does; those written here win.
                    merged = replace(named, arguments=_merge(named.arguments, call.arguments, place()))
                    inner = replace(inner, at=context.at or call.span)
                    for item in self._item(merged, inner, lambda: path):
                        if isinstance(item, ir.BlockSpec):
                            item = item.model_copy(update={"names": (call.name, *item.names)})
                            self._remember(call.name, named, item.kind)
                        yield item
                case items:
                    if call.arguments:
                        raise Mistake(
                            f"'{call.name}' is not a single block, so it takes no arguments", call.span,
                            "give them where the let is defined",
                        )  # fmt: skip
                    yield from self._items(items, replace(inner, at=None))

    def _remember(self, name: str, named: syntax.BlockCall, kind: str) -> None:
        """Keep what a one-block let stands for, so that members print with its name; holes are left out."""
        if name in self.letters:
            return
        base = self.letters.get(named.name) or ir.LETTERS.get(named.name)
        constants = dict(base.arguments) if base else {}
        mistakes = len(self.mistakes)
        own = self._arguments(named.arguments, "", BLOCKS[kind].positional, BLOCKS[kind])
        del self.mistakes[mistakes:]  # they were found where the block stands
        for argument, given in own.items():
            constants.pop(argument, None)
            if not isinstance(given.value, ir.Node) and not _equals_default(BLOCKS[kind], argument, given.value):
                constants[argument] = given.value
        self.letters[name] = ir.Letter(kind=kind, arguments=constants)

    # ---- blocks and their arguments ----

    def _block(
        self, block: type[Block], shown: str, names: tuple[str, ...], base: dict[str, Given], context: Context,
        call: syntax.BlockCall | None, place: str = "",
    ) -> ir.BlockSpec:  # fmt: skip
        at = context.at or (call.span if call else None)
        self._emit(1, at)
        arguments = call.arguments if call else ()
        own = self._arguments(arguments, place, block.positional, block, shown)
        found = dict(base) | own
        for level in context.inherited:
            for name, given in level.items():
                if name not in STAGE_ONLY and block.takes(name):
                    context.taken.add(name)
                    found.setdefault(name, given)
        context.taken.update(name for name in own)
        values: dict[str, ir.Value] = {}
        for name, given in found.items():
            if name in own or name not in base:
                self._check_type(block, name, given.value, given.span, shown)
            # A stride of 1 that is written down is more than a default where it keeps the stage's stride away.
            telling = name == "stride" and context.stride != 1
            if telling or not _equals_default(block, name, given.value):
                values[name] = given.value
        return ir.BlockSpec(
            kind=_kind(block), arguments=values, names=names or (shown,), at=at,
            places={name: given.span for name, given in found.items()},
        )  # fmt: skip

    def _arguments(
        self, arguments: tuple[syntax.Argument, ...], hole: str, positional: tuple[str, ...] = (),
        block: type[Block] | None = None, shown: str = "",
    ) -> dict[str, Given]:  # fmt: skip
        found: dict[str, Given] = {}
        ranks: dict[str, int] = {}
        rest = list(positional)
        for argument in arguments:
            name = argument.name
            if name is None:
                if not rest:
                    help = _takes(block.model_fields) if block else "write name=value"
                    self._mistake(f"'{shown}' takes no further argument without a name", argument.span, help)
                    continue
                name = rest.pop(0)
            if block is not None and not block.takes(name):
                help = did_you_mean(name, block.model_fields) or _takes(block.model_fields)
                self._mistake(f"block '{shown}' has no argument '{name}'", _name_span(argument), help)
            elif ranks.get(name) == argument.rank:
                self._mistake(f"'{name}' is given twice", argument.span)
            elif ranks.get(name, -1) > argument.rank:
                continue
            elif (value := self._value(argument.value, f"{argument.home or hole}.{name}")) is not None:
                found[name] = replace(value, span=argument.span)
                ranks[name] = argument.rank
        return found

    def _value(self, value: syntax.Value, hole: str, real_holes: bool = False) -> Given | None:
        try:
            return Given(lower_value(value, self.scope, hole, real_holes=real_holes), value.span)
        except Mistake as mistake:
            self.mistakes.append(mistake.diagnostic)
            return None

    def _check_type(self, model: Any, name: str, value: ir.Value, span: Span, shown: str) -> None:
        for constant in _telling(value):
            if found := misfit(model, name, constant, type(constant).__name__):
                self._mistake(found[0], span, found[1])
                return

    def _check_defaults(self, defaults: dict[str, Given]) -> None:
        known = {"down", *(name for kind in BLOCKS for name in BLOCKS[kind].model_fields)} - {"width", "stride"}
        for name, given in defaults.items():
            if name in ("width", "stride"):
                self._mistake(f"'{name}' belongs to one stage, not to 'defaults'", given.span, f"write stage({name}=…)")
            elif name not in known:
                help = did_you_mean(name, known) or _takes(sorted(known))
                self._mistake(f"no block takes '{name}'", given.span, help)
            elif name == "down":
                self._check_stage_argument(name, given)

    # ---- bookkeeping ----

    def _emit(self, count: int, span: Span | None, probe: bool = False) -> None:
        """Count blocks as they are written out, and stop before a small file becomes a huge one."""
        if self.emitted + count > MAX_BLOCKS:
            raise TooMuch(
                f"this makes more than {MAX_BLOCKS:,} blocks",
                span,
                "repeat less often; a let counts wherever it stands",
            )
        if not probe:
            self.emitted += count

    def _mistake(self, message: str, span: Span | None, help: str | None = None) -> None:
        self.mistakes.append(Diagnostic(message, span, help))

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Mistake as mistake:
            self.mistakes.append(mistake.diagnostic)


def _input(value: syntax.Value | None) -> tuple[int, int, int]:
    sizes = value.sizes if isinstance(value, syntax.Dimensions) else ()
    span = value.span if value is not None else None
    if len(sizes) != 3:
        raise Mistake(
            f"'input' takes channels x height x width, not {len(sizes)} numbers", span, "for example: input 3x32x32"
        )
    if min(sizes) < 1 or max(sizes) > 100_000:
        raise Mistake("every side of 'input' is from 1 to 100,000", span)
    return sizes[0], sizes[1], sizes[2]


def _with_classes(items: ir.Items) -> ir.Items:
    """Mark every `linear` of the head that does not say its size as one to the number of classes."""

    def told(item: ir.Item) -> ir.Item:
        if isinstance(item, ir.BlockSpec):
            if item.kind != "linear" or "out_features" in item.arguments:
                return item
            return item.model_copy(update={"arguments": {**item.arguments, "out_features": ir.CLASSES}})
        if isinstance(item, ir.ChoiceSpec):
            return item.model_copy(update={"options": tuple(tuple(told(i) for i in o) for o in item.options)})
        return item.model_copy(update={"copies": tuple(tuple(told(i) for i in c) for c in item.copies)})

    return tuple(told(item) for item in items)


def _telling(value: ir.Value) -> list[ir.Scalar]:
    """The constants whose fit tells whether all fit that a value can become: the ends of ranges, all of the others."""
    match value:
        case ir.IntRange() | ir.FloatRange():
            return [value.low, value.high]
        case ir.Pick():
            return [constant for option in value.options for constant in _telling(option)]
    return possible(value)


def _is_alone(items: tuple[syntax.Item, ...]) -> bool:
    """Whether a sequence is one block or one choice, so that its name can be the name of the hole."""
    match items:
        case (syntax.BlockCall(),):
            return True
        case (syntax.Choice(options, _),):
            return len(options) > 1
    return False


def _place(context: Context, number: int, alone: bool) -> str:
    if context.in_stage or context.path in ("stem", "head"):
        return f"{context.path}.block{number}"
    return context.path if alone else f"{context.path}.{number}"


def _equals_default(block: type[Block], name: str, value: ir.Value) -> bool:
    """Whether saying the value says nothing; 4 for 4.0 says nothing, 1 for `true` is another mistake."""
    default = block.model_fields[name].default
    if isinstance(value, ir.Node) or isinstance(value, bool) is not isinstance(default, bool):
        return False
    return bool(value == default)


def _countable(values: Iterable[ir.Value]) -> Iterator[ir.Pick | ir.IntRange]:
    """The holes that are met with the values; those inside an option of another are met only where it is taken."""
    for value in values:
        if isinstance(value, (ir.Pick, ir.IntRange)):
            yield value
        elif isinstance(value, ir.Arithmetic):
            yield from _countable((value.left, value.right))


def _kinds(items: ir.Items) -> Iterator[str]:
    for item in items:
        if isinstance(item, ir.BlockSpec):
            yield item.kind
        else:
            for inner in item.options if isinstance(item, ir.ChoiceSpec) else item.copies:
                yield from _kinds(inner)


def _kind(block: type[Block]) -> str:
    return next(name for name in BLOCKS if BLOCKS[name] is block)


def _merge(
    base: tuple[syntax.Argument, ...], over: tuple[syntax.Argument, ...], place: str
) -> tuple[syntax.Argument, ...]:
    """The arguments of a let and those of a call of it, which win; holes in the call belong to its place."""
    over = tuple(replace(argument, home=argument.home or place, rank=argument.rank + 1) for argument in over)
    names = {argument.name for argument in over if argument.name}
    kept = tuple(a for a in base if a.name is None or a.name not in names)
    if any(a.name is None for a in over):
        kept = tuple(a for a in kept if a.name is not None)
    return (*(a for a in over if a.name is None), *kept, *(a for a in over if a.name))


def _takes(names: Iterable[str]) -> str:
    return f"it takes: {', '.join(names)}"


def _head_of(call: syntax.BlockCall) -> Span:
    return Span(call.span.line, call.span.column, call.span.line, call.span.column + len(call.name))


def _name_span(argument: syntax.Argument) -> Span:
    span = argument.span
    return span if argument.name is None else Span(span.line, span.column, span.line, span.column + len(argument.name))


def _keyword_span(statement: syntax.Statement) -> Span:
    span = statement.span
    return Span(span.line, span.column, span.line, span.column + len(statement.keyword))
