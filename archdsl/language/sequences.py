"""Lowers sequences of blocks to the IR: looks names up, writes lets and repeats out, names the holes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from archdsl import ir
from archdsl.base.errors import Span, did_you_mean
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.kinds import Kind
from archdsl.blocks.structures import STRUCTURES
from archdsl.ir.arguments import say
from archdsl.language import syntax
from archdsl.language.calls import STAGE_ONLY, Context, Given, check_type, equals_default, merge, read_arguments
from archdsl.language.definitions import content_at, define_block, holes_of_defaults
from archdsl.language.state import Plain, State
from archdsl.language.statements import STATEMENTS
from archdsl.language.values import Mistake, let_path, lower_value

MAX_LISTED = 40

# What names the position at which the next item will stand.
_Place = Callable[[], str]


def lower_items(state: State, items: tuple[syntax.Item, ...], context: Context) -> ir.Items:
    """Lower a sequence; positions are counted in what it unrolls to, so that holes are named by their place."""
    out: list[ir.Item] = []
    alone = _is_alone(items)
    for item in items:
        with state.noting():
            for lowered in _item(state, item, context, lambda: _place(context, len(out) + 1, alone)):
                out.append(lowered)  # noqa: PERF402  (the next place depends on how many there are)
    return tuple(out)


def lower_content(state: State, items: tuple[syntax.Item, ...], path: str) -> ir.Items:
    """Lower what a `block` is made of, where only its own parameters reach in."""
    return lower_items(state, items, Context((), path, inside=True))


def lower_block(
    state: State, kind: str, shown: str, names: tuple[str, ...], base: dict[str, Given], context: Context,
    call: syntax.BlockCall | None, place: str = "",
) -> ir.BlockSpec:  # fmt: skip
    """A block with the arguments that reach it.

    Args:
        state: of the file.
        kind: name of a primitive or composite block.
        shown: how messages call it.
        names: what it was called, outermost first.
        base: what its letter says.
        context: what surrounds it.
        call: as written, None for a default.
        place: name for holes among its arguments.
    """
    block = block_class(state, kind, context.at or (call.span if call else None))
    at = context.at or (call.span if call else None)
    state.emit(1, at)
    if (idle := next((name for name in base if not block.takes(name)), None)) is not None:
        message = f"'{shown}' is '{kind}' with an argument '{idle}', which block '{kind}' of this file does not take"
        raise Mistake(message, at, "give the block another name, or say what the letter is: let C = …")
    own = read_arguments(state, call.arguments if call else (), place, block.positional, block, shown)
    found = dict(base) | own
    if context.inside:
        _take_parameter(state, block, shown, found, call)
    for level in context.inherited:
        for name, given in level.items():
            if name not in STAGE_ONLY and block.takes(name):
                context.taken.add(name)
                found.setdefault(name, given)
    context.taken.update(name for name in own)
    values: dict[str, ir.Value] = {}
    for name, given in found.items():
        if name in own or name not in base:
            check_type(state, block, name, given.value, given.span)
        # A stride of 1 that is written down is more than a default where it keeps the stage's stride away.
        telling = name == "stride" and context.stride != 1
        if telling or not equals_default(block, name, given.value):
            values[name] = given.value
    items: ir.Items | None = None
    if kind in state.scope.blocks:
        values |= holes_of_defaults(state, kind, set(found), place)
        items = content_at(state, kind, place)
    return ir.BlockSpec(
        kind=kind, arguments=values, items=items, names=names, at=at,
        # What a letter says stands nowhere: its place is that of the block.
        places={name: given.span for name, given in found.items() if name in own or name not in base},
    )  # fmt: skip


def block_class(state: State, kind: str, span: Span | None) -> Kind:
    """The kind of a block, which is taken into use if it is a composite one.

    Raises:
        Mistake: it is defined by itself.
    """
    if kind in state.scope.blocks:
        return define_block(state, kind, span)
    if kind in state.kinds:
        return state.kinds[kind]
    if kind in state.prelude_names:
        return state.enter(kind, state.prelude(kind))
    return BLOCKS[kind]


def _take_parameter(
    state: State, block: Kind, shown: str, found: dict[str, Given], call: syntax.BlockCall | None
) -> None:
    """A block whose name is that of a parameter takes it as its first argument: `act` is `act(act)`."""
    parameters = state.scope.parameters
    if call is None or not parameters or shown not in parameters or not block.positional:
        return
    first = block.positional[0]
    if first not in found:
        parameters[shown] = True
        found[first] = Given(ir.Variable(name=shown, at=call.span), call.span)


def _item(state: State, item: syntax.Item, context: Context, place: _Place) -> Iterator[ir.Item]:
    """The items one written item becomes."""
    state.scope.step(item.span)
    if isinstance(item, syntax.BlockCall):
        if item.arguments or context.inside:
            yield from _call(state, item, context, place)
        else:
            yield from _plain_call(state, item, context, place)
        return
    with state.scope.deeper(item.span):
        match item:
            case syntax.Group(items):
                for inner in items:
                    yield from _item(state, inner, context, place)
            case syntax.Choice():
                yield from _choice(state, item, context, place)
            case syntax.Repeat():
                yield from _repeat(state, item, context, place)
            case syntax.Structure():
                yield _structure(state, item, context, place())
            case syntax.Conditional():
                yield _conditional(state, item, context, place())


def _choice(state: State, choice: syntax.Choice, context: Context, place: _Place) -> Iterator[ir.Item]:
    name = place()
    if len(choice.options) == 1:  # {C} decides nothing
        for inner in choice.options[0]:
            yield from _item(state, inner, context, place)
        return
    state.emit(1, choice.span)
    for _ in choice.options:
        state.scope.step(choice.span)
    lowered = [
        lower_items(state, option, replace(context, path=f"{name}.{i}", in_stage=False))
        for i, option in enumerate(choice.options, start=1)
    ]
    yield ir.ChoiceSpec(name=name, options=tuple(lowered), at=choice.span)


def _repeat(state: State, item: syntax.Repeat, context: Context, place: _Place) -> Iterator[ir.Item]:
    times = lower_value(item.times, state.scope, f"{place()}.times")
    counts = state.possible(times, item.times.span)
    bad = [c for c in counts if type(c) is not int or c < 0]
    help = "for example C*3 or C*{1..3}"
    if bad:
        raise Mistake(f"a repeat count is an integer from 0, not {say(bad[0])}", item.times.span, help)
    name = place()
    if any(isinstance(node, ir.Variable) for node in ir.walk(times)):
        if not context.inside or next(ir.holes_in(times), None) is not None:
            raise Mistake("this repeat count cannot be known beforehand", item.times.span, help)
        copy = lower_items(state, (item.item,), replace(context, path=f"{name}.copy", in_stage=False))
        if any(ir.holes_in(copy)):
            raise Mistake("what a parameter repeats cannot hold holes", item.span, "repeat by a number, or by a hole")
        yield ir.RepeatSpec(times=times, copies=(copy,), at=item.span)
        return
    if not counts:
        raise Mistake("this repeat count cannot be known beforehand", item.times.span, help)
    most = max(c for c in counts if isinstance(c, int))
    state.emit(most, item.times.span, probe=True)
    if isinstance(times, int):
        for _ in range(times):
            yield from _item(state, item.item, context, place)
        return
    copies = tuple(
        lower_items(state, (item.item,), replace(context, path=f"{name}.copy{i}", in_stage=False))
        for i in range(1, most + 1)
    )
    yield ir.RepeatSpec(times=times, copies=copies, at=item.span)


def _structure(state: State, item: syntax.Structure, context: Context, place: str) -> ir.BlockSpec:
    if item.name == "sequence" and item.span == item.items[0].span:  # what a `sum` repeats
        return _branch(item.items[0], lower_items(state, item.items, replace(context, path=place)))
    if item.name not in STRUCTURES or item.name == "sequence":
        known = [name for name in STRUCTURES if name != "sequence"]
        where = Span(item.span.line, item.span.column, item.span.line, item.span.column + len(item.name))
        help = did_you_mean(item.name, known) or f"what stands before '[' is one of: {', '.join(known)}"
        raise Mistake(f"'{item.name}' holds no blocks", where, help)
    state.emit(1, item.span)
    block = STRUCTURES[item.name]
    given = read_arguments(state, item.arguments, place, (), block, item.name)
    for name, argument in given.items():
        check_type(state, block, name, argument.value, argument.span)
    # What stands inside belongs to the structure, not to the stage: only its own arguments count there.
    inner = replace(context, inherited=(), path=f"{place}.{item.name}", in_stage=False, at=None, inside=True)
    side_by_side = item.name in ir.SIDE_BY_SIDE
    items = _branches(state, item.items, inner) if side_by_side else lower_items(state, item.items, inner)
    if not item.items:
        raise Mistake(f"'{item.name}' holds nothing", item.span, f"for example: {item.name}[conv norm act]")
    return ir.BlockSpec(
        kind=item.name, names=(item.name,), items=items, at=item.span,
        arguments={n: g.value for n, g in given.items() if not equals_default(block, n, g.value)},
        places={name: argument.span for name, argument in given.items()},
    )  # fmt: skip


def _branches(state: State, items: tuple[syntax.Item, ...], context: Context) -> ir.Items:
    """The items of `sum` and `concat`: each is one branch, a group, a let or a choice too; a repeat makes several."""
    branches: list[ir.Item] = []
    for number, item in enumerate(items, start=1):
        inner = replace(context, path=f"{context.path}.{number}")
        if isinstance(item, syntax.Repeat):
            # What is repeated counts as a branch by itself, however many blocks it is.
            item = replace(item, item=syntax.Structure("sequence", (), (item.item,), item.item.span))
            branches += lower_items(state, (item,), inner)
        else:
            branches += [_branch(item, lowered) for lowered in (lower_items(state, (item,), inner),)]
    return tuple(branches)


def _branch(item: syntax.Item, lowered: ir.Items) -> ir.BlockSpec:
    """A written item as one branch."""
    match lowered:
        case (ir.BlockSpec() as block,):
            return block
    return ir.BlockSpec(kind="sequence", names=("sequence",), items=lowered, at=item.span)


def _conditional(state: State, item: syntax.Conditional, context: Context, place: str) -> ir.IfSpec:
    if state.scope.parameters is None:
        raise Mistake("'if' stands only in a composite block", item.span, "a choice for the search is written {C|M}")
    left, right = (lower_value(side, state.scope, place) for side in (item.left, item.right))
    then, otherwise = (
        lower_items(state, items, replace(context, path=f"{place}.{name}", in_stage=False))
        for name, items in (("then", item.then), ("else", item.otherwise))
    )
    hole = next(ir.holes_in((left, right, then, otherwise)), None)
    if hole is not None:
        raise Mistake("a hole cannot stand in an 'if'", hole.at, "let a parameter hold it: block NAME(k={3|5}) = …")
    return ir.IfSpec(op=item.op, left=left, right=right, then=then, otherwise=otherwise, at=item.span)


def _plain_call(state: State, call: syntax.BlockCall, context: Context, place: _Place) -> Iterator[ir.Item]:
    """A name alone, which means the same wherever it stands among the same arguments: it is looked up once."""
    key = (call.name, id(context.inherited), id(context.stride))
    if (known := state.plain.get(key)) is not None:
        at = context.at or call.span
        state.emit(1, at)
        context.taken.update(known.taken)
        yield known.block if known.block.at == at else known.block.model_copy(update={"at": at})
        return
    taken: set[str] = set()
    mistakes = len(state.mistakes)
    found = list(_call(state, call, context.taking(taken), place))
    context.taken.update(taken)
    match found:
        # A composite block of the file may hold holes, which belong to its place.
        case [ir.BlockSpec() as block] if len(state.mistakes) == mistakes and block.kind not in state.scope.blocks:
            state.plain[key] = Plain(block, taken, context)
    yield from found


def _call(state: State, call: syntax.BlockCall, context: Context, place: _Place) -> Iterator[ir.Item]:
    if call.name in state.scope.lets:
        yield from _let(state, call, context, place)
        return
    if call.name in state.lost and call.name not in state.scope.blocks:
        return  # its definition could not be read
    letter = state.prelude_letters.get(call.name) if call.name not in state.scope.blocks else None
    kind = letter.kind if letter else call.name
    if kind not in state.scope.blocks and kind not in state.prelude_names and kind not in BLOCKS:
        raise _unknown_block(state, call)
    names = (call.name, kind) if letter else (kind,)
    at = context.at or call.span
    base = {k: Given(v, at) for k, v in letter.arguments.items()} if letter else {}
    yield lower_block(state, kind, call.name, names, base, context, call, place())


def _unknown_block(state: State, call: syntax.BlockCall) -> Mistake:
    span = head_span(call)
    if state.scope.parameters is not None and call.name in state.scope.parameters:
        state.scope.parameters[call.name] = True
        return Mistake(f"'{call.name}' is a parameter, so it stands for a value", span, "values stand in arguments")
    if call.name in STRUCTURES and call.name != "sequence":
        return Mistake(f"'{call.name}' needs what it holds in brackets", span, f"for example: {call.name}[conv norm]")
    known = state.known()
    blocks = [name for name in known if name not in state.prelude_letters and name not in state.scope.lets]
    listed = ", ".join([*sorted(blocks)[:MAX_LISTED], *(["…"] if len(blocks) > MAX_LISTED else [])])
    example = f"blocks are: {listed}; and {', '.join(state.prelude_letters)}"
    help = did_you_mean(call.name, [*known, *STATEMENTS]) or example
    return Mistake(f"unknown block '{call.name}'", span, help)


def _let(state: State, call: syntax.BlockCall, context: Context, place: _Place) -> Iterator[ir.Item]:
    path = let_path(call.name)
    with state.scope.entered(call.name, head_span(call)) as let:
        if let.items is None:
            raise Mistake(f"'{call.name}' is a value, not a block", call.span, "values stand in arguments")
        match let.items:
            case (syntax.BlockCall() as named,):
                # A let that names one block takes arguments as the block does; those written here win.
                merged = syntax.BlockCall(named.name, merge(named.arguments, call.arguments, place()), named.span)
                inner = context.in_let(path, context.at or call.span)
                for item in _item(state, merged, inner, lambda: path):
                    if isinstance(item, ir.BlockSpec):
                        item = item.model_copy(update={"names": (call.name, *item.names)})
                        _remember(state, call.name, named, item.kind)
                    yield item
            case items:
                if call.arguments:
                    raise Mistake(
                        f"'{call.name}' is not a single block, so it takes no arguments", call.span,
                        "give them where the let is defined",
                    )  # fmt: skip
                yield from lower_items(state, items, context.in_let(path, None))


def _remember(state: State, name: str, named: syntax.BlockCall, kind: str) -> None:
    """Keep what a one-block let stands for, so that members print with its name; holes are left out."""
    if name in state.letters:
        return
    known = {} if named.name in state.scope.blocks else state.prelude_letters
    base = state.letters.get(named.name) or known.get(named.name)
    constants = dict(base.arguments) if base else {}
    block = block_class(state, kind, named.span)
    with state.silent():  # its mistakes were found where the block stands
        own = read_arguments(state, named.arguments, "", block.positional, block)
    for argument, given in own.items():
        constants.pop(argument, None)
        if not isinstance(given.value, ir.Node) and not equals_default(block, argument, given.value):
            constants[argument] = given.value
    state.letters[name] = ir.Letter(kind=kind, arguments=constants)


def head_span(call: syntax.BlockCall) -> Span:
    """Where the name of a block stands."""
    return Span(call.span.line, call.span.column, call.span.line, call.span.column + len(call.name))


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
