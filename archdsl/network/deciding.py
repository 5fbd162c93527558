"""Decides the holes of a spec and works out its values, where a walk through the spec meets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeAlias

from archdsl import ir
from archdsl.base.effort import spend
from archdsl.base.errors import Diagnostic
from archdsl.blocks.composites.kinds import Same, typed
from archdsl.blocks.shapes import Shape
from archdsl.ir.arguments import show
from archdsl.ir.decisions import Hole
from archdsl.ir.values import evaluate
from archdsl.network.alike import Alike, Asked, alike, alike_alone, closed, labels, together

DECIDING = 5  # steps of `effort` for a hole

# Decides a hole: the index of the option taken, or for a float range the number itself.
Choose: TypeAlias = Callable[[Hole], float]


class Misfit(Exception):
    """A filled spec whose blocks do not fit together; carries the diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def first_option(hole: Hole) -> float:
    """The plainest way to decide a hole: its first option, the low end of a range."""
    return hole.low if isinstance(hole, ir.FloatRange) else 0


class Deciding:
    """A walk as far as holes and values go: each hole is decided when it is first met.

    Attributes:
        choose: decides.
        decided: what was decided so far by the name of the hole: the index of an option, or a number.
        decisions: the same in words; choices: as `choose` gave it.
        shape: what flows where the walk stands.
        width: that of the stage it stands in, None outside of the stages.
    """

    def __init__(self, spec: ir.Spec, choose: Choose) -> None:
        self.spec = spec
        self.choose = choose
        self.decided: dict[str, Any] = {}
        self.decisions: dict[str, str] = {}
        self.choices: dict[str, float] = {}
        self._asked: dict[str, Hole] | None = None  # holes met, in order, as long as someone wants to know
        self.shape = Shape(*spec.input)
        self.width: int | None = None

    def meet(self, value: ir.Value | tuple[ir.Value, ...]) -> None:
        """Decide the holes of a value without working it out: a stage's holes count even where no block takes them."""
        match value:
            case tuple():
                for part in value:
                    self.meet(part)
            case ir.Pick():
                self.meet(value.options[self.decide(value)])
            case ir.IntRange() | ir.FloatRange():
                self.decide(value)
            case ir.Arithmetic():
                self.meet((value.left, value.right))

    def decide(self, hole: Hole) -> Any:
        """The index of the option taken, or for a range the number."""
        if self._asked is not None:
            self._asked.setdefault(hole.name, hole)
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
                self.decisions[hole.name] = labels(hole)[chosen]
            self.decided[hole.name] = chosen
        return self.decided[hole.name]

    def value(self, value: ir.Value) -> ir.Scalar:
        """What a value comes to.

        Raises:
            Misfit: there is no such number.
        """
        if not isinstance(value, ir.Node):
            return value
        return evaluate(value, self.decide, self._variable, _no_number)

    def _variable(self, variable: ir.Variable) -> int:
        known = {"width": self.width, "in": self.shape.channels, "classes": self.spec.classes}
        found = known.get(variable.name)
        if found is None:
            said = "is the width of a stage, which" if variable.name == "width" else "stands in composite blocks; it"
            raise Misfit(Diagnostic(f"'{variable.name}' {said} is not known here", variable.at))
        return found

    def flat(self, items: ir.Items) -> Iterator[ir.BlockSpec]:
        """The blocks that stand in the stem, a stage or the head, one by one: each is placed before holes behind it."""
        for item in items:
            match item:
                case ir.BlockSpec():
                    yield item
                case ir.ChoiceSpec():
                    yield from self.flat(item.options[self.decide(item)])
                case ir.RepeatSpec():
                    times = self.value(item.times)
                    for copy in item.taken(int(times) if isinstance(times, (int, float)) else 0):
                        yield from self.flat(copy)

    def filled(self, items: ir.Items) -> ir.Items:
        """Items of a structure or composite block with their holes decided; names stay, they belong to the block.

        The same items decided in the same way are the very same, so that what is known of them is found again.
        """
        known = alike(items)
        found = known.after.get(None)
        while isinstance(found, Asked):
            found = found.after.get(self.decide(found.hole))
        return self._learnt(known) if found is None else found

    def _learnt(self, known: Alike) -> ir.Items:
        """Decide the holes of items, and remember what comes of it."""
        outside, self._asked = self._asked, {}
        try:
            found = self._filled_anew(known.items)
            asked = self._asked
        finally:
            self._asked = outside
        if outside is not None:
            for name, hole in asked.items():
                outside.setdefault(name, hole)
        known.learn({name: (hole, self.decided[name]) for name, hole in asked.items()}, found)
        return found

    def _filled_anew(self, items: ir.Items) -> ir.Items:
        found: list[ir.Item] = []
        for item in items:
            if not alike_alone(item).is_open:
                found.append(item)
                continue
            match item:
                case ir.ChoiceSpec():
                    found += self.filled(item.options[self.decide(item)])
                case ir.RepeatSpec():
                    times = evaluate(item.times, self.decide, _kept, _kept_open)
                    if type(times) is not int:
                        raise TypeError(f"not a count: {times!r}")
                    for copy in item.taken(times):
                        found += self.filled(copy)
                case ir.BlockSpec():
                    arguments = {
                        name: evaluate(value, self.decide, _kept, _kept_open) for name, value in item.arguments.items()
                    }
                    inner = None if item.items is None else self.filled(item.items)
                    found.append(closed(Same(item), typed(arguments), Same(inner)))
        return together(tuple(map(Same, found)))


def _no_number(value: ir.Arithmetic, left: ir.Value, right: ir.Value, error: ArithmeticError | None) -> NoReturn:
    said = f"this cannot be calculated: {error}" if error else f"'{value.op}' needs numbers"
    raise Misfit(Diagnostic(said, value.at)) from None


def _kept(name: ir.Variable) -> ir.Expression:
    """A name in a block, which is known where the block is expanded."""
    return name


def _kept_open(value: ir.Arithmetic, left: ir.Value, right: ir.Value, error: ArithmeticError | None) -> ir.Expression:
    """Arithmetic with such a name in it."""
    if error:
        _no_number(value, left, right, error)
    return value.model_copy(update={"left": left, "right": right})
