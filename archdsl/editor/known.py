"""Describes blocks, shipped or of the file: arguments, types, defaults, summary, source."""

from __future__ import annotations

import functools
import types
import typing
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from archdsl.base import resources
from archdsl.blocks.composites.kinds import Kind
from archdsl.blocks.structures import STRUCTURES
from archdsl.editor.meanings import ARGUMENTS
from archdsl.editor.scanner import Scan, Statement, Token, parts
from archdsl.ir.arguments import choices, show
from archdsl.ir.recipe import Recipe
from archdsl.language import prelude

Origin: TypeAlias = Literal["primitive", "prelude", "structure", "letter", "file"]


@dataclass(frozen=True)
class Argument:
    """One argument of a block, of `stage`, or of `train`.

    Attributes:
        takes: its type in words, empty when unknown.
        default: as the language writes it, None where it has to be given or comes from the stage.
        words: what can be completed as its value.
    """

    name: str
    takes: str = ""
    default: str | None = None
    words: tuple[str, ...] = ()
    meaning: str = ""

    @property
    def label(self) -> str:
        """As in a signature: `heads=4`, `width`."""
        return self.name if self.default is None else f"{self.name}={self.default}"


@dataclass(frozen=True)
class BlockInfo:
    """What is known about a block.

    Attributes:
        positional: names of the arguments that need no name, in order.
        source: its definition in the language, empty for primitives.
    """

    name: str
    origin: Origin
    summary: str = ""
    arguments: tuple[Argument, ...] = ()
    positional: tuple[str, ...] = ()
    source: str = ""

    @property
    def signature(self) -> str:
        """`msa(width, heads=4, …)`."""
        inner = ", ".join(argument.label for argument in self.arguments)
        brackets = "[ … ]" if self.origin == "structure" else ""
        return f"{self.name}({inner}){brackets}" if inner else f"{self.name}{brackets}"

    def argument(self, name: str) -> Argument | None:
        """The argument of that name."""
        return next((argument for argument in self.arguments if argument.name == name), None)


def arguments_of(model: type[BaseModel] | Kind, meanings: dict[str, str] = ARGUMENTS) -> tuple[Argument, ...]:
    """The fields of a block or recipe as arguments."""
    found = []
    for name, field_info in model.model_fields.items():
        default = None if field_info.is_required() else show(field_info.default)
        annotation = field_info.annotation
        found.append(Argument(name, describe(annotation), default, words_of(annotation), meanings.get(name, "")))
    return tuple(found)


def describe(annotation: Any) -> str:
    """A type in words: `integer or none`, `relu, gelu or silu`."""
    parts = [words for part in _parts(annotation) for words in (choices(part) or (_NAMES.get(part, "value"),))]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def words_of(annotation: Any) -> tuple[str, ...]:
    """The words that fit a type."""
    found: list[str] = []
    for part in _parts(annotation):
        found += choices(part) or {bool: ["true", "false"], type(None): ["none"]}.get(part, [])
    return tuple(found)


_NAMES: dict[Any, str] = {int: "integer", float: "number", bool: "true or false", type(None): "none", str: "name"}


def _parts(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        found = typing.get_args(annotation)
        return tuple(part for part in found if not (part is int and float in found))
    return (annotation,)


@functools.cache
def shipped() -> dict[str, BlockInfo]:
    """Blocks, structures and letters that every file knows, by name."""
    sources = _prelude_sources()
    found = {
        name: BlockInfo(
            name, "prelude" if name in sources else "primitive", block.summary, arguments_of(block), block.positional,
            sources.get(name, ""),
        )
        for name, block in prelude.blocks().items()
    }  # fmt: skip
    for name, structure in STRUCTURES.items():
        if name != "sequence":
            found[name] = BlockInfo(name, "structure", structure.summary, arguments_of(structure))
    for letter, stands in prelude.letters().items():
        found[letter] = overridden(
            replace(found[stands.kind], name=letter, origin="letter"),
            {name: show(value) for name, value in stands.arguments.items()},
            stands.kind,
        )
    ranks = ("letter", "prelude", "structure", "primitive")
    return dict(sorted(found.items(), key=lambda entry: ranks.index(entry[1].origin)))


def overridden(block: BlockInfo, said: dict[str, str], kind: str) -> BlockInfo:
    """A block under another name, with other defaults."""
    arguments = tuple(replace(a, default=said.get(a.name, a.default)) for a in block.arguments)
    inner = ", ".join(f"{name}={value}" for name, value in said.items())
    stands = f"`{block.name}` stands for `{kind}{f'({inner})' if inner else ''}`"
    return replace(block, arguments=arguments, summary=f"{stands}: {block.summary}")


def _prelude_sources() -> dict[str, str]:
    text = (resources.folder("grammars") / "prelude.arch").read_text(encoding="utf-8")
    return {s.name.text: text[slice(*s.stretch)] for s in Scan(text).statements if s.name is not None}


@functools.cache
def recipe() -> tuple[Argument, ...]:
    """The arguments of `train(…)`, their meanings taken from the recipe's own words."""
    said = (line.strip().partition(": ") for line in (Recipe.__doc__ or "").split("Attributes:")[1].splitlines())
    return arguments_of(Recipe, {name: meaning for name, _, meaning in said if meaning})


STAGE: tuple[Argument, ...] = (
    Argument("width", "integer", None, (), "output channels; twice those of the stage before where it is not given"),
    Argument("stride", "integer", None, (), "1 in the first stage and 2 in further ones where it is not given"),
    Argument("down", "patch, conv or pool", "patch", ("patch", "conv", "pool"), ARGUMENTS["down"]),
)


def defined(scan: Scan, statement: Statement, block: Kind | None = None) -> BlockInfo:
    """A block that the file defines, from its text; types come from its class, where there is one."""
    name = statement.name.text if statement.name else ""
    typed = {a.name: a for a in arguments_of(block)} if block else {}
    found = []
    opening = next((i for i, token in enumerate(statement.tokens) if token.text == "("), len(statement.tokens))
    for part in parts(statement.tokens[opening + 1 :]):
        if part[0].role == "parameter":
            said = scan.text[part[1].end : part[-1].end].strip() if len(part) > 1 and part[1].text == "=" else ""
            known = typed.get(part[0].text) or Argument(part[0].text, words=words_by_name(part[0].text))
            meaning = known.meaning or ARGUMENTS.get(part[0].text, "")
            found.append(replace(known, default=said or None, meaning=meaning))
    named = {argument.name for argument in found}
    found += [a for a in typed.values() if a.name not in named]  # width and stride come from the stage unsaid
    source = scan.text[slice(*statement.stretch)]
    return BlockInfo(
        name, "file", comment_above(scan, statement.keyword), tuple(found), tuple(a.name for a in found), source
    )


def comment_above(scan: Scan, token: Token) -> str:
    """The comment lines right above a statement, which say what it is."""
    lines = scan.text[: token.start].split("\n")[:-1]
    found: list[str] = []
    while lines and lines[-1].lstrip().startswith("#"):
        found.insert(0, lines.pop().strip().lstrip("#").strip())
    return " ".join(found)


@functools.cache
def words_by_name(name: str) -> tuple[str, ...]:
    """The words that some shipped block takes for an argument of this name."""
    found = [word for block in shipped().values() if (a := block.argument(name)) for word in a.words]
    found += [word for a in (*STAGE, *recipe()) if a.name == name for word in a.words]
    return tuple(dict.fromkeys(found))
