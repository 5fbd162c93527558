"""Turns the syntax tree of a file into a `Spec`, statement by statement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from archdsl import ir
from archdsl.base.errors import Span, SpecError, did_you_mean
from archdsl.blocks import BLOCKS
from archdsl.ir.recipe import Recipe
from archdsl.ir.scores import SCORES
from archdsl.language import prelude, syntax
from archdsl.language.calls import (
    STAGE_ONLY,
    Context,
    Given,
    check_stage_argument,
    check_type,
    countable,
    name_span,
    read_arguments,
    read_value,
    takes,
)  # fmt: skip
from archdsl.language.conditions import lower_condition
from archdsl.language.definitions import check_names, define_block
from archdsl.language.parser import Reading
from archdsl.language.sequences import block_class, lower_block, lower_content, lower_items
from archdsl.language.state import State
from archdsl.language.statements import IN_ORDER, ONCE, STATEMENTS
from archdsl.language.values import RESERVED, Mistake, Scope, TooMuch, let_path, let_value, lower_value

MAX_NAMES = 300  # of lets, and of blocks
DEFAULT_HEAD = ("norm", "act", "gap", "linear")
_DEFINED = re.compile(r"\b(?:let|block)\s+(\w+)|^[ \t]*(\w+)\s*=", re.MULTILINE)
_NOWHERE = Span(1, 1, 1, 1)


def lower(reading: Reading, text: str, path: str) -> ir.Spec:
    """The IR of a file.

    Raises:
        SpecError: with every mistake found; where the syntax is broken, those in what could be read, too.
    """
    state = State(Scope({}), prelude.definition, lower_content, prelude.names(), prelude.letters(), text)
    try:
        spec = _Lowering(reading.statements, state, reading.lost).spec()
    except TooMuch as error:
        state.mistakes.append(error.diagnostic)
    if reading.mistakes:
        # What stands nowhere speaks of the file as a whole, of which a part could not be read.
        placed = [mistake for mistake in state.mistakes if mistake.span is not None]
        raise SpecError(dict.fromkeys((*reading.mistakes, *placed)), text, path)
    if state.mistakes:
        # A mistake inside a `let` shows wherever the let stands; once is enough.
        raise SpecError(dict.fromkeys(state.mistakes), text, path)
    return spec


class _Lowering:
    """One file on its way to the IR."""

    def __init__(self, statements: tuple[syntax.Statement, ...], state: State, lost: str = "") -> None:
        self.statements = statements
        self.lost = lost
        self.state = state
        self.state.lost = {n for names in _DEFINED.findall(lost) for n in names if n}
        self.state.scope = Scope(self._named("let"), self._named("block"))
        self._check_lets()
        check_names(self.state)

    def spec(self) -> ir.Spec:
        self._check_order()
        state = self.state
        one = {s.keyword: s for s in self.statements if s.keyword in ONCE}
        fields: dict[str, Any] = {}
        if "model" in one:
            fields["name"] = one["model"].name
        if "input" in one and isinstance(one["input"].value, syntax.Dimensions):
            with state.noting():
                fields["input"] = _input(one["input"].value)
        if "classes" in one:
            with state.noting():
                fields["classes"] = self._classes(one["classes"])
        if "data" in one:
            fields["data"] = one["data"].name
        fields["declared"] = tuple(k for k in ("input", "classes") if k in one)
        defaults = (
            read_arguments(state, one["defaults"].arguments, "defaults", shown="defaults") if "defaults" in one else {}
        )
        self._check_defaults(defaults)
        if "stem" in one:
            fields["stem"] = lower_items(state, one["stem"].items or (), Context((defaults,), "stem"))
        else:
            fields["stem"] = self._unsaid(("conv",), {"width": Given(64, _NOWHERE)}, Context((defaults,), "stem"))
        state.emitted = 0  # the limit is one of the stages; a printed stem takes nothing away from it
        fields["stages"] = self._stages(defaults)
        state.emitted = 0
        if "head" in one:
            head = lower_items(state, one["head"].items or (), Context((defaults,), "head"))
        else:
            head = self._unsaid(DEFAULT_HEAD, {}, Context((defaults,), "head"))
        fields["head"] = _with_classes(head)
        fields["train"] = self._train(one["train"]) if "train" in one else {}
        fields["objectives"] = self._objectives()
        lost_stages = len(re.findall(r"\bstage\b", self.lost))
        fields["require"] = self._requirements(len(fields["stages"]) + lost_stages)
        fields["holes"] = tuple(countable(given.value for given in defaults.values()))
        fields["blocks"] = dict(state.definitions)
        fields["letters"] = dict(state.letters)
        self._check_unused()
        return ir.Spec(**fields)

    def _unsaid(self, kinds: tuple[str, ...], base: dict[str, Given], context: Context) -> ir.Items:
        """The blocks of a stem or head that the file does not write."""
        found = []
        for kind in kinds:
            if kind in self.state.scope.blocks:  # which is a mistake of its own
                continue
            with self.state.noting():
                found.append(lower_block(self.state, kind, kind, (kind,), base, context, None))
        return tuple(found)

    # ---- the file as a whole ----

    def _named(self, keyword: str) -> dict[str, syntax.Statement]:
        found: dict[str, syntax.Statement] = {}
        for statement in self.statements:
            if statement.keyword != keyword or statement.name is None:
                continue
            name, span = statement.name, statement.name_span
            if name in (*RESERVED, *STATEMENTS, "if", "else"):
                self.state.mistake(f"'{name}' has a meaning of its own", span, "choose another name")
            elif name in found:
                self.state.mistake(f"'{name}' is defined twice", span, "choose another name")
            found.setdefault(name, statement)
            if len(found) > MAX_NAMES:
                raise TooMuch(f"more than {MAX_NAMES} names are defined with '{keyword}'", span, "use fewer of them")
        return found

    def _check_lets(self) -> None:
        for name, let in self.state.scope.lets.items():
            if let.items == ():
                self.state.mistake(f"'let {name}' stands for nothing", let.span, "for example: let B = {C|M}")

    def _check_order(self) -> None:
        seen: dict[str, syntax.Statement] = {}
        last: syntax.Statement | None = None
        for statement in self.statements:
            keyword = statement.keyword
            if keyword in ONCE and keyword in seen:
                first = seen[keyword].span.line
                self.state.mistake(
                    f"'{keyword}' is given twice", _keyword_span(statement), f"it stands in line {first} already"
                )
            seen[keyword] = statement
            if keyword in IN_ORDER:
                if last is not None and IN_ORDER.index(keyword) < IN_ORDER.index(last.keyword):
                    help = "the order is: stem, stages, head"
                    self.state.mistake(f"'{keyword}' stands after '{last.keyword}'", _keyword_span(statement), help)
                last = statement
        stages = [statement for statement in self.statements if statement.keyword == "stage"]
        if not self.statements:
            self.state.mistake("the file holds nothing but comments", None, "the smallest model is: stage[C C C M]")
        elif not stages:
            self.state.mistake("a spec needs at least one stage", None, "the smallest model is: stage[C C C M]")

    def _classes(self, statement: syntax.Statement) -> int:
        value = lower_value(statement.value, self.state.scope, "classes")  # type: ignore[arg-type]
        if type(value) is not int or not 1 <= value <= 1_000_000:
            span = statement.value.span if statement.value else statement.span
            raise Mistake("'classes' takes an integer from 1 to 1,000,000", span, "for example: classes 10")
        return value

    def _check_unused(self) -> None:
        """Find the mistakes in `let`s and `block`s that nothing uses."""
        state, emitted = self.state, self.state.emitted
        for name, let in state.scope.lets.items():
            if name in state.scope.used:
                continue
            value = let_value(let)
            if value is None:
                lower_items(state, let.items or (), Context(({},), let_path(name)))
            elif let.value is not None:  # words, as in `let A = gelu`, can be anything
                with state.noting():
                    lower_value(value, state.scope, name, suffixes=True, real_holes=True)
        for name, block in state.scope.blocks.items():
            if name not in state.scope.used:
                with state.noting():
                    define_block(state, name, block.name_span)
        state.emitted = emitted

    def _objectives(self) -> tuple[ir.Objective, ...]:
        found: dict[str, ir.Objective] = {}
        for statement in self.statements:
            if statement.keyword not in ("maximize", "minimize") or statement.name is None:
                continue
            if statement.name not in SCORES:
                help = did_you_mean(statement.name, SCORES) or f"scores are: {', '.join(SCORES)}"
                self.state.mistake(f"unknown score '{statement.name}'", statement.name_span, help)
            elif statement.name in found:
                self.state.mistake(
                    f"'{statement.name}' is an objective already", statement.name_span, "keep one of them"
                )
            else:
                found[statement.name] = ir.Objective(
                    direction=statement.keyword, score=statement.name, at=statement.span
                )
        return tuple(found.values())

    def _requirements(self, stages: int) -> tuple[ir.Condition, ...]:
        known = set(self.state.known())
        no_blocks = {name for name in self.state.scope.lets if not self._is_block(name, known)}
        blocks = {*ir.STRUCTURES} - {"sequence"} | known - no_blocks
        conditions = []
        for statement in self.statements:
            if statement.condition is not None:
                with self.state.noting():
                    conditions.append(lower_condition(statement.condition, self.state.scope, blocks, stages))
        return tuple(conditions)

    def _is_block(self, name: str, known: set[str]) -> bool:
        """Whether a `let` names a single block."""
        for _ in range(len(self.state.scope.lets) + 1):
            let = self.state.scope.lets.get(name)
            if let is None:
                return name in known
            if let.items is None or len(let.items) != 1 or not isinstance(let.items[0], syntax.BlockCall):
                return False
            name = let.items[0].name
        return False

    def _train(self, statement: syntax.Statement) -> dict[str, ir.Value]:
        found: dict[str, ir.Value] = {}
        for argument in statement.arguments:
            if argument.name is None:
                self.state.mistake(
                    "arguments of 'train' have names", argument.span, "for example: train(epochs=10, lr=1e-3)"
                )
            elif argument.name not in Recipe.model_fields:
                help = did_you_mean(argument.name, Recipe.model_fields)
                self.state.mistake(
                    f"'train' has no argument '{argument.name}'",
                    name_span(argument),
                    help or takes(Recipe.model_fields),
                )
            elif argument.name in found:
                self.state.mistake(f"'{argument.name}' is given twice", argument.span)
            else:
                name = argument.name
                if (value := read_value(self.state, argument.value, f"train.{name}", real_holes=True)) is not None:
                    check_type(self.state, Recipe, name, value.value, argument.span)
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
        given = read_arguments(self.state, statement.arguments, f"stage{number}", positional=("width",), shown="stage")
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
                check_stage_argument(self.state, name, given[name])
        taken: set[str] = set()
        reach = {name: value for name, value in given.items() if name not in STAGE_ONLY}
        context = Context((reach, defaults), f"stage{number}", taken, in_stage=True, stride=own["stride"])
        mistakes = len(self.state.mistakes)
        items = lower_items(self.state, statement.items or (), context)
        idle = [name for name in reach if name not in taken]
        if len(self.state.mistakes) == mistakes and not self._speaks_of_lost(statement):
            for name in idle:
                self._idle(name, reach[name].span, items)
        return ir.StageSpec(
            **own, items=items, holes=tuple(countable(g.value for g in given.values())), at=statement.span,
            places={name: g.span for name, g in given.items()},
        )  # fmt: skip

    def _speaks_of_lost(self, statement: syntax.Statement) -> bool:
        """Whether there is a name in a statement whose definition could not be read."""
        lines = self.state.text.split("\n")[statement.span.line - 1 : statement.span.end_line]
        return bool(self.state.lost) and any(word in self.state.lost for word in re.findall(r"\w+", "\n".join(lines)))

    def _idle(self, name: str, span: Span, items: ir.Items) -> None:
        """Note an argument of a stage that none of its blocks takes."""
        elsewhere = [kind for kind, takes in self._parameters().items() if name in takes]
        known = [*STAGE_ONLY, *(n for kind in _kinds(items) for n in block_class(self.state, kind, span).model_fields)]
        help = f"it belongs to: {', '.join(elsewhere)}" if elsewhere else did_you_mean(name, known)
        help = help or f"the stage and its blocks take: {', '.join(dict.fromkeys(known))}"
        self.state.mistake(f"no block of this stage takes '{name}'", span, help)

    def _parameters(self) -> dict[str, tuple[str, ...]]:
        """What every block takes, without looking further into those that are not in use."""
        found = {kind: tuple(BLOCKS[kind].model_fields) for kind in BLOCKS if not kind.startswith("down_")}
        found |= {name: prelude.parameters(name) for name in prelude.names()}
        found |= {name: tuple(p.name for p in b.parameters) for name, b in self.state.scope.blocks.items()}
        return dict(sorted(found.items()))

    def _check_defaults(self, defaults: dict[str, Given]) -> None:
        if not defaults or self.lost:
            return
        known = {"down", *(name for names in self._parameters().values() for name in names)} - {"width", "stride"}
        for name, given in defaults.items():
            if name in ("width", "stride"):
                self.state.mistake(
                    f"'{name}' belongs to one stage, not to 'defaults'", given.span, f"write stage({name}=…)"
                )
            elif name not in known:
                help = did_you_mean(name, known) or takes(sorted(known))
                self.state.mistake(f"no block takes '{name}'", given.span, help)
            elif name == "down":
                check_stage_argument(self.state, name, given)


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
            if item.items is not None and item.kind in ir.STRUCTURES:
                return item.model_copy(update={"items": tuple(map(told, item.items))})
            if item.kind != "linear" or "out_features" in item.arguments:
                return item
            return item.model_copy(
                update={"arguments": {**item.arguments, "out_features": ir.Variable(name="classes")}}
            )
        if isinstance(item, ir.ChoiceSpec):
            return item.model_copy(update={"options": tuple(tuple(told(i) for i in o) for o in item.options)})
        if isinstance(item, ir.RepeatSpec):
            return item.model_copy(update={"copies": tuple(tuple(told(i) for i in c) for c in item.copies)})
        return item

    return tuple(told(item) for item in items)


def _kinds(items: ir.Items) -> Iterator[str]:
    """The kinds of the blocks that stand in a stage; what structures hold does not."""
    for item in items:
        match item:
            case ir.BlockSpec():
                if item.kind not in ir.STRUCTURES:
                    yield item.kind
            case ir.ChoiceSpec():
                for option in item.options:
                    yield from _kinds(option)
            case ir.RepeatSpec():
                for copy in item.copies:
                    yield from _kinds(copy)


def _keyword_span(statement: syntax.Statement) -> Span:
    span = statement.span
    return Span(span.line, span.column, span.line, span.column + len(statement.keyword))
