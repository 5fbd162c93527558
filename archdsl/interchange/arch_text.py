"""An architecture as `.arch` text without holes, short enough to read: letters, stage-wide arguments, no defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable

from archdsl import ir
from archdsl.base.errors import SpecError
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.definition import scope_of
from archdsl.blocks.composites.kinds import FROM_OUTSIDE, FROM_STAGE, Composite, Kind, Use, kind
from archdsl.interchange.naming import Naming
from archdsl.ir.arguments import show
from archdsl.ir.wording import write_items
from archdsl.network import Architecture, PlacedBlock, PlacedStage


def write(architecture: Architecture, comments: Iterable[str] = (), train: bool = True) -> str:
    """The text of an architecture in canonical form; parsing it gives the same network (the same hash).

    Args:
        architecture: what to print.
        comments: lines to put on top, each as a `#` comment.
        train: whether to print `data` and `train(…)` too.
    """
    from archdsl.language.formatting import format_text  # takes long to import, and most commands print nothing

    lines = [f"# {comment}".rstrip() for comment in comments]
    lines += [
        f"model {architecture.name}",
        f"input {'x'.join(map(str, architecture.input))}",
        f"classes {architecture.classes}",
    ]
    naming = Naming(architecture)
    architecture = naming.architecture()
    lines += [_definition(name, definition, architecture) for name, definition in naming.printed.items()]
    lines += _lets(architecture)
    lines.append(f"stem {_sequence(architecture.stem, {}, architecture)}".rstrip())
    lines += [_stage(stage, number, architecture) for number, stage in enumerate(architecture.stages, start=1)]
    lines.append(f"head {_sequence(architecture.head, {}, architecture)}".rstrip())
    if train and architecture.data:
        plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*(:[A-Za-z0-9_./-]+)?", architecture.data)
        lines.append(f"data {architecture.data}" if plain else f'data "{architecture.data}"')
    if train and architecture.train:
        lines.append(f"train({_arguments(architecture.train)})")
    text = "\n".join(lines) + "\n"
    try:
        return format_text(text)
    except SpecError:  # too long for a file; it is printed all the same
        return text


def _definition(name: str, definition: ir.BlockDefinition, architecture: Architecture) -> str:
    parameters = [
        p.name if p.required or p.name in FROM_STAGE else f"{p.name}={show(p.default)}" for p in definition.parameters
    ]
    signature = f"({', '.join(parameters)})" if parameters else ""
    comment = f"# {definition.summary}\n" if definition.summary else ""
    names = frozenset(parameter.name for parameter in definition.parameters)
    content = _items(definition.items, architecture, names) or "()"  # a group that holds nothing
    return f"{comment}block {name}{signature} = {content}"


def _items(items: ir.Items, architecture: Architecture, parameters: frozenset[str] = frozenset()) -> str:
    scope = scope_of(architecture.definitions)

    def first(name: str) -> str | None:
        if name in ir.STRUCTURES or name not in (*scope, *BLOCKS):
            return None
        return _plain(kind(name, scope))

    def default(name: str) -> ir.Scalar:
        """What a block is given silently where a parameter has its name, and so would take its place."""
        plain = first(name)
        field = kind(name, scope).model_fields[plain] if plain is not None and name in parameters else None
        return None if field is None or field.is_required() else field.default

    return write_items(items, first, default)


def _plain(block: Kind) -> str | None:
    """The argument that is printed without its name."""
    first = block.positional[:1]
    return first[0] if first and (not isinstance(block, Composite) or first == ("width",)) else None


def _lets(architecture: Architecture) -> list[str]:
    used = {block.label for block in architecture.blocks()}
    lines = []
    for name, letter in _letters(architecture).items():
        if name in used:
            arguments = _arguments(letter.arguments)
            lines.append(f"let {name} = {letter.kind}{f'({arguments})' if arguments else ''}")
    return lines


def _stage(stage: PlacedStage, number: int, architecture: Architecture) -> str:
    shared = _shared(stage, architecture)
    arguments = [str(stage.width)]
    if stage.stride != (1 if number == 1 else 2):
        arguments.append(f"stride={stage.stride}")
    if stage.downsampling and stage.down != "patch":
        arguments.append(f"down={stage.down}")
    arguments += [f"{name}={show(value)}" for name, value in shared.items()]
    implied = {"width": stage.width} | shared
    first = implied | ({"stride": stage.stride} if stage.stride > 1 and not stage.downsampling else {})
    words = [_block(block, first if i == 0 else implied, architecture) for i, block in enumerate(stage.blocks)]
    return f"stage({', '.join(arguments)}) [{' '.join(words)}]"


def _shared(stage: PlacedStage, architecture: Architecture) -> dict[str, ir.Scalar]:
    """Arguments that every block of the stage which takes them has alike, and that its letter leaves open."""
    found: dict[str, ir.Scalar] = {}
    names = dict.fromkeys(name for block in stage.blocks for name in block.fields)
    for name in names:
        if name in FROM_OUTSIDE:
            continue
        takers = [block for block in stage.blocks if name in block.fields]
        values = [block.values[name] for block in takers]
        open_ = all(name not in _letter(block, architecture).arguments for block in takers)
        alike = all(v == values[0] and type(v) is type(values[0]) for v in values)
        said = values[0] != takers[0].fields[name].default
        if open_ and alike and said and len(takers) > 1:
            found[name] = values[0]
    return found


def _letters(architecture: Architecture) -> dict[str, ir.Letter]:
    """The lets to print with; one that has taken a block's name would keep others from using it."""
    taken = {*BLOCKS, *architecture.definitions}
    return {name: letter for name, letter in architecture.letters.items() if name not in taken}


def _letter(block: PlacedBlock, architecture: Architecture) -> ir.Letter:
    known = _letters(architecture).get(block.label) or ir.LETTERS.get(block.label)
    return known if known is not None and known.kind == block.kind else ir.Letter(kind=block.kind)


def _sequence(blocks: Iterable[PlacedBlock], implied: dict[str, ir.Scalar], architecture: Architecture) -> str:
    return " ".join(_block(block, implied, architecture) for block in blocks)


def _block(block: PlacedBlock, implied: dict[str, ir.Scalar], architecture: Architecture) -> str:
    if block.kind in ir.STRUCTURES and isinstance(block.block, Use):
        return _items(block.block.items, architecture)
    letter = _letter(block, architecture)
    named = block.label in _letters(architecture) or block.label in ir.LETTERS
    arguments: dict[str, ir.Scalar] = {}
    positional: list[str] = []
    plain = _plain(block.block.kind if isinstance(block.block, Use) else type(block.block))
    for name, field in block.fields.items():
        value = block.values[name]
        base = letter.arguments.get(name, implied.get(name, field.default))
        if value == base and type(value) is type(base):
            continue
        if name == "classes" and value == architecture.classes:
            continue
        if name == "out_features" and block.path.startswith("head.") and value == architecture.classes:
            continue
        if name == plain:
            positional.append(show(value))
        else:
            arguments[name] = value
    inside = ", ".join([*positional, *([_arguments(arguments)] if arguments else [])])
    word = block.label if named else block.kind
    return f"{word}({inside})" if inside else word


def _arguments(arguments: dict[str, ir.Scalar]) -> str:
    return ", ".join(f"{name}={show(value)}" for name, value in arguments.items())
