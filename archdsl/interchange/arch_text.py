"""Writes an architecture as `.arch` text without holes, short enough to read: letters, stage-wide arguments."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping

from archdsl import ir
from archdsl.base.errors import SpecError
from archdsl.blocks import BLOCKS
from archdsl.blocks.composites.definition import scope_of
from archdsl.blocks.composites.kinds import FROM_OUTSIDE, FROM_STAGE, Composite, Kind, Scope, Use, kind
from archdsl.interchange.naming import Naming
from archdsl.ir.arguments import show
from archdsl.ir.wording import write_items
from archdsl.language import prelude
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
    text = "\n".join([*lines, *_Text(architecture).lines(train)]) + "\n"
    try:
        return format_text(text)
    except SpecError:  # too long for a file; it is printed all the same
        return text


class _Text:
    """The statements of an architecture."""

    def __init__(self, architecture: Architecture) -> None:
        naming = Naming(architecture)
        self.architecture = naming.architecture()
        self.definitions = naming.printed

    @functools.cached_property
    def scope(self) -> Scope:
        """The composite blocks in use."""
        return scope_of(self.architecture.definitions)

    @functools.cached_property
    def letters(self) -> dict[str, ir.Letter]:
        """The lets to print with; one that has taken a block's name would keep others from using it."""
        taken = {*BLOCKS, *self.architecture.definitions}
        return {name: letter for name, letter in self.architecture.letters.items() if name not in taken}

    def lines(self, train: bool) -> Iterator[str]:
        """One statement after the other."""
        a = self.architecture
        yield from (f"model {a.name}", f"input {'x'.join(map(str, a.input))}", f"classes {a.classes}")
        yield from (self._definition(name, definition) for name, definition in self.definitions.items())
        yield from self._lets()
        yield " ".join(["stem", *(self._block(block, {}) for block in a.stem)])
        yield from (self._stage(stage, number) for number, stage in enumerate(a.stages, start=1))
        yield " ".join(["head", *(self._block(block, {}) for block in a.head)])
        if train and a.data:
            plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*(:[A-Za-z0-9_./-]+)?", a.data)
            yield f"data {a.data}" if plain else f'data "{a.data}"'
        if train and a.train:
            yield f"train({_arguments(a.train)})"

    def _definition(self, name: str, definition: ir.BlockDefinition) -> str:
        parameters = [
            p.name if p.required or p.name in FROM_STAGE else f"{p.name}={show(p.default)}"
            for p in definition.parameters
        ]
        signature = f"({', '.join(parameters)})" if parameters else ""
        comment = f"# {definition.summary}\n" if definition.summary else ""
        names = frozenset(parameter.name for parameter in definition.parameters)
        content = self._items(definition.items, names) or "()"  # a group that holds nothing
        return f"{comment}block {name}{signature} = {content}"

    def _items(self, items: ir.Items, parameters: frozenset[str] = frozenset()) -> str:
        def first(name: str) -> str | None:
            if name in ir.STRUCTURES or name not in (*self.scope, *BLOCKS):
                return None
            return _plain(kind(name, self.scope))

        def default(name: str) -> ir.Scalar:
            """What a block is given silently where a parameter has its name, and so would take its place."""
            plain = first(name)
            field = kind(name, self.scope).model_fields[plain] if plain is not None and name in parameters else None
            return None if field is None or field.is_required() else field.default

        return write_items(items, first, default)

    def _lets(self) -> Iterator[str]:
        used = {block.label for block in self.architecture.blocks()}
        for name, letter in self.letters.items():
            if name in used:
                arguments = _arguments(letter.arguments)
                yield f"let {name} = {letter.kind}{f'({arguments})' if arguments else ''}"

    def _stage(self, stage: PlacedStage, number: int) -> str:
        shared = self._shared(stage)
        arguments = [str(stage.width)]
        if stage.stride != (1 if number == 1 else 2):
            arguments.append(f"stride={stage.stride}")
        if stage.downsampling and stage.down != "patch":
            arguments.append(f"down={stage.down}")
        arguments += [f"{name}={show(value)}" for name, value in shared.items()]
        implied = {"width": stage.width} | shared
        first = implied | ({"stride": stage.stride} if stage.stride > 1 and not stage.downsampling else {})
        words = [self._block(block, first if i == 0 else implied) for i, block in enumerate(stage.blocks)]
        return f"stage({', '.join(arguments)}) [{' '.join(words)}]"

    def _shared(self, stage: PlacedStage) -> dict[str, ir.Scalar]:
        """Arguments that every block of the stage which takes them has alike, and that its letter leaves open."""
        found: dict[str, ir.Scalar] = {}
        for name in dict.fromkeys(name for block in stage.blocks for name in block.fields):
            if name in FROM_OUTSIDE:
                continue
            takers = [block for block in stage.blocks if name in block.fields]
            values = [block.values[name] for block in takers]
            open_ = all(name not in self._letter(block).arguments for block in takers)
            alike = all(v == values[0] and type(v) is type(values[0]) for v in values)
            if open_ and alike and values[0] != takers[0].fields[name].default and len(takers) > 1:
                found[name] = values[0]
        return found

    def _letter(self, block: PlacedBlock) -> ir.Letter:
        known = self.letters.get(block.label) or prelude.letters().get(block.label)
        return known if known is not None and known.kind == block.kind else ir.Letter(kind=block.kind)

    def _block(self, block: PlacedBlock, implied: Mapping[str, ir.Scalar]) -> str:
        if block.kind in ir.STRUCTURES and isinstance(block.block, Use):
            return self._items(block.block.items)
        classes, letter = self.architecture.classes, self._letter(block)
        plain = _plain(block.block.kind if isinstance(block.block, Use) else type(block.block))
        positional, named = "", {}
        for name, field in block.fields.items():
            value = block.values[name]
            base = letter.arguments.get(name, implied.get(name, field.default))
            in_head = name == "out_features" and block.path.startswith("head.")
            if (value == base and type(value) is type(base)) or ((name == "classes" or in_head) and value == classes):
                continue
            if name == plain:
                positional = show(value)
            else:
                named[name] = value
        inside = ", ".join(filter(None, (positional, _arguments(named))))
        word = block.label if block.label in self.letters or block.label in prelude.letters() else block.kind
        return f"{word}({inside})" if inside else word


def _plain(block: Kind) -> str | None:
    """The argument that is printed without its name."""
    first = block.positional[:1]
    return first[0] if first and (not isinstance(block, Composite) or first == ("width",)) else None


def _arguments(arguments: Mapping[str, ir.Scalar]) -> str:
    return ", ".join(f"{name}={show(value)}" for name, value in arguments.items())
