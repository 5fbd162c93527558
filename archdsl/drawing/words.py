"""Writes values, shapes and large numbers in the short words a picture has room for."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from archdsl import ir
from archdsl.base.numbers import short as quantity
from archdsl.blocks.shapes import Shape
from archdsl.ir.arguments import show
from archdsl.network import Architecture

TIMES = "×"
MOST_OPTIONS = 6


def written(value: ir.Value) -> str:
    """A value as the language writes it, long holes cut short.

    >>> written(ir.Pick(name="stage1.heads", options=(2, 4, 8)))
    '{2|4|8}'
    >>> written(ir.Pick(name="n", options=tuple(range(1, 100))))
    '{1|2|3|4|…|99}'
    """
    match value:
        case ir.Pick():
            options = [written(option) for option in value.options]
            if len(options) > MOST_OPTIONS:
                options = [*options[: MOST_OPTIONS - 2], "…", options[-1]]
            return "{" + "|".join(options) + "}"
        case ir.IntRange():
            return f"{{{value.low}..{value.high}" + (f" step {value.step}}}" if value.step > 1 else "}")
        case ir.FloatRange():
            return f"{{{show(value.low)}..{show(value.high)} log}}"
        case ir.Arithmetic():
            return f"({written(value.left)}{value.op}{written(value.right)})"
        case ir.Node():  # what stands for a number of the surroundings, such as the stage's width
            return str(getattr(value, "name", "width"))
    return show(value)


def argument(name: str, value: ir.Value, shared: frozenset[str] = frozenset()) -> str:
    """An argument as a label: `heads 6`, `shift`, `heads {2|4}`, and `W {4|8}` where a shared hole has a name.

    >>> argument("heads", 6), argument("shift", True), argument("rel_pos", False)
    ('heads 6', 'shift', 'rel_pos false')
    """
    if value is True:
        return name
    if isinstance(value, (ir.Pick, ir.IntRange)) and value.name in shared:
        own = value.name.rpartition(".")[2] == name  # `A.heads` says which argument it is
        return f"{value.name if own else f'{name} {value.name}'} {written(value)}"
    said = written(value)
    return f"{name} {said[1:-1] if isinstance(value, ir.Arithmetic) else said}"


def short(text: str, most: int = 14) -> str:
    """A text cut where it would not fit.

    >>> short("a_name_nobody_would_type"), short("basic")
    ('a_name_nobody…', 'basic')
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


def resolution(shape: Shape) -> str:
    """Height and width, and the class tokens in front.

    >>> resolution(Shape(64, 16, 8)), resolution(Shape(192, 16, 16, prefix=1)), resolution(Shape(512, 0, 0))
    ('16×8', '16×16 + cls', 'vector')
    """
    if shape.is_vector:
        return "vector"
    return f"{shape.height}{TIMES}{shape.width}" + (" + cls" if shape.prefix else "")


def count(number: int) -> str:
    """A number of members in full as long as that is readable.

    >>> count(1728), count(10**40)
    ('1,728', '1.000e+40')
    """
    return f"{number:,}" if number < 10**12 else f"{Decimal(number):.3e}"


def between(values: Iterable[object]) -> str:
    """The first and the last of some values, or the one they all are.

    >>> between([16, 32, 64]), between(["16×16", "16×16"])
    ('16 to 64', '16×16')
    """
    said = list(dict.fromkeys(map(str, values)))
    return said[0] if len(said) == 1 else f"{said[0]} to {said[-1]}"


def figures(members: list[Architecture]) -> str:
    """Parameters and MACs of one network, or their range over several."""
    params, macs = (sorted(sizes) for sizes in zip(*((m.params, m.macs) for m in members), strict=True))
    ends = [between(map(quantity, (sizes[0], sizes[-1]))) for sizes in (params, macs)]
    return "{} parameters · {} MACs".format(*ends)
