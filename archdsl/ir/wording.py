"""Writes pieces of the IR as the language does: values, items, the options of holes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from archdsl import ir
from archdsl.ir.arguments import show


def option_labels(hole: ir.Pick | ir.ChoiceSpec) -> tuple[str, ...]:
    """The options of a hole in words: `C`, `C M`, `-` for nothing; equal words are numbered."""
    if hole._labels is None:
        if isinstance(hole, ir.Pick):
            words = [write_value(option) for option in hole.options]
        else:
            words = [" ".join(_words(option)) or "-" for option in hole.options]
        times = Counter(words)
        hole._labels = tuple(w if times[w] == 1 else f"{w} ({i})" for i, w in enumerate(words, start=1))
    return hole._labels


def _words(items: ir.Items) -> Iterator[str]:
    for item in items:
        match item:
            case ir.BlockSpec():
                yield item.names[0]
            case ir.ChoiceSpec():
                yield "{" + "|".join(" ".join(_words(o)) for o in item.options) + "}"
            case ir.RepeatSpec():
                yield f"{' '.join(_words(item.copies[0]))}*{write_value(item.times)}"
            case ir.IfSpec():
                yield f"if {write_value(item.left)} {item.op} {write_value(item.right)} (…)"


def write_value(value: ir.Value, inner: bool = False) -> str:
    """A value as the language writes it; sums and products inside others stand in parentheses."""
    match value:
        case ir.Pick():
            return "{" + "|".join(write_value(option) for option in value.options) + "}"
        case ir.IntRange():
            return f"{{{value.low}..{value.high}" + (f" step {value.step}}}" if value.step > 1 else "}")
        case ir.FloatRange():
            return f"{{{show(value.low)}..{show(value.high)} log}}"
        case ir.Arithmetic():
            text = f"{write_value(value.left, inner=True)}{value.op}{write_value(value.right, inner=True)}"
            return f"({text})" if inner else text
        case ir.Variable():
            return value.name
    return show(value)


def write_items(
    items: ir.Items, first: Callable[[str], str | None], default: Callable[[str], ir.Scalar] = lambda _: None
) -> str:
    """Items of a composite block without holes, as the language writes them.

    Args:
        items: from a definition.
        first: gives the argument that a kind of block takes without its name, None where it takes none.
        default: gives the value that is to be written there even where nothing is said, None where nothing needs to.
    """

    def write(inner: ir.Items) -> str:
        return write_items(inner, first, default)

    words = []
    for item in items:
        match item:
            case ir.BlockSpec(kind="sequence"):
                words.append(f"({write(item.items or ())})")
            case ir.BlockSpec():
                # `()` is a group that holds nothing: `residual[]` would be taken for a slip.
                holds = f"[{write(item.items or ()) or '()'}]" if item.kind in ir.STRUCTURES else ""
                words.append(f"{item.kind}{_arguments(item, first, default)}{holds}")
            case ir.IfSpec():
                test = f"if {write_value(item.left)} {item.op} {write_value(item.right)} ({write(item.then)})"
                words.append(f"{test} else ({write(item.otherwise)})" if item.otherwise else test)
            case ir.RepeatSpec():
                times = write_value(item.times)
                times = f"({times})" if isinstance(item.times, ir.Arithmetic) else times
                copy = write(item.copies[0])
                alone = len(item.copies[0]) == 1 and isinstance(item.copies[0][0], ir.BlockSpec)
                words.append(f"{copy}*{times}" if alone else f"({copy})*{times}")
            case ir.ChoiceSpec():
                words.append("{" + "|".join(write(option) for option in item.options) + "}")
    return " ".join(words)


def _arguments(item: ir.BlockSpec, first: Callable[[str], str | None], default: Callable[[str], ir.Scalar]) -> str:
    plain = first(item.kind)
    said = [write_value(value) for name, value in item.arguments.items() if name == plain]
    if not said and default(item.kind) is not None:
        said = [show(default(item.kind))]
    said += [f"{name}={write_value(value)}" for name, value in item.arguments.items() if name != plain]
    return f"({', '.join(said)})" if said else ""
