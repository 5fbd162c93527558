"""Renames a `let`, a `block` or a parameter wherever it stands, unless that would change the meaning."""

from __future__ import annotations

import random
import re
from typing import Any

from archdsl import ir
from archdsl.base.errors import ArchdslError, SpecError
from archdsl.blocks.structures import STRUCTURES
from archdsl.editor import known
from archdsl.editor.analysis import Analysis
from archdsl.editor.hover import token_at
from archdsl.editor.names import Definition
from archdsl.editor.positions import Stretch
from archdsl.editor.scanner import Token
from archdsl.editor.terminals import patterns, words
from archdsl.ir.measures import MEASURES
from archdsl.language import parse
from archdsl.language.values import RESERVED
from archdsl.network import Misfit, resolve
from archdsl.network.identity import spec_hash
from archdsl.space import options

SAMPLED = 16


class RenameError(ArchdslError):
    """A name that cannot be given, with the reason."""


def renameable(analysis: Analysis, offset: int) -> tuple[Token, Definition]:
    """The name at an offset, and what defines it.

    Raises:
        RenameError: the file does not define what stands there.
    """
    token = token_at(analysis, offset)
    definition = analysis.names.definition(token) if token is not None else None
    if token is None or definition is None:
        raise RenameError("only lets, blocks and their parameters can be renamed" + (
            f"; this file does not define '{token.text}'" if token is not None and token.kind == "name" else ""
        ))  # fmt: skip
    return token, definition


def rename(analysis: Analysis, offset: int, new: str) -> list[tuple[Stretch, str]]:
    """The edits that rename what stands at an offset.

    Raises:
        RenameError: the name is no name, is taken, or the file would come to mean something else.
    """
    _, definition = renameable(analysis, offset)
    if new == definition.name:
        return []
    _check_name(analysis, definition, new)
    edits = [edit for token in analysis.names.uses(definition) for edit in [_edit(definition, token, new)]]
    _check_meaning(analysis.text, applied(analysis.text, edits), definition.name, new)
    return edits


def applied(text: str, edits: list[tuple[Stretch, str]]) -> str:
    """The text with edits made."""
    for stretch, new in sorted(edits, reverse=True):
        text = text[: stretch.start] + new + text[stretch.end :]
    return text


def _edit(definition: Definition, token: Token, new: str) -> tuple[Stretch, str]:
    if definition.kind == "parameter" and token.role == "block":
        # A block called as the parameter takes it as its first argument: `act` is `act(act)`.
        return token.stretch, f"{token.text}({new})"
    return token.stretch, new


def _check_name(analysis: Analysis, definition: Definition, new: str) -> None:
    names = analysis.names
    if not re.fullmatch(patterns()["NAME"], new):
        raise RenameError(f"'{new}' is not a name", "a name is letters, digits and _, and begins with no digit")
    if new in words() or new in RESERVED or new in STRUCTURES:
        raise RenameError(f"'{new}' has a meaning of its own", "choose another name")
    if definition.kind == "parameter":
        if new in names.parameters.get(definition.statement, {}):
            raise RenameError(f"'{new}' is a parameter of this block already", "choose another name")
        return
    if new in names.defined:
        line = analysis.text.count("\n", 0, names.defined[new].token.start) + 1
        raise RenameError(f"'{new}' is defined in line {line} already", "choose another name")
    shipped = known.shipped().get(new)
    if new in MEASURES or (shipped is not None and shipped.origin != "letter"):
        raise RenameError(f"'{new}' is a block or measure that every file has", "choose another name")
    if any(token.text == new and token.role in ("block", "value", "counted") for token in analysis.scan.tokens):
        raise RenameError(f"'{new}' stands for something else in this file", "choose another name")


def _check_meaning(text: str, changed: str, old: str, new: str) -> None:
    try:
        before = parse(text)
    except ArchdslError:
        raise RenameError("the file has mistakes, so a new name cannot be checked", "mend them first") from None
    try:
        after = parse(changed)
    except SpecError as error:
        raise RenameError(
            f"'{new}' does not work here: {error.diagnostics[0].message}", "choose another name"
        ) from None
    sample = _sample(before)
    same = spec_hash(before) == spec_hash(after) or (sample is not None and sample == _sample(after))
    if not same or _rest(before, old, new) != _rest(after, new, new):
        help = "it reaches further: an argument of a stage or of 'defaults', or another use of the name"
        raise RenameError(f"with the name '{new}' the file would mean something else", help)


def _sample(spec: ir.Spec) -> list[tuple[str, tuple[int, ...]]] | None:
    """Some members of a space and what was decided for them; None for a model, whose hash tells everything.

    The hash of a space holds the names of parameters, which make no difference to what it means.
    """
    if not spec.has_holes():
        return None
    found: list[tuple[str, tuple[int, ...]]] = []
    for seed in range(SAMPLED):
        rng, met = random.Random(seed), list[int]()

        def choose(hole: ir.AnyHole, rng: random.Random = rng, met: list[int] = met) -> float:
            met.append(options(hole))
            return hole.low if isinstance(hole, ir.FloatRange) else rng.randrange(options(hole))

        try:
            found.append((resolve(spec, choose).hash, tuple(met)))
        except Misfit as error:
            found.append((error.diagnostic.message, tuple(met)))
    return found


def _rest(spec: ir.Spec, old: str, new: str) -> Any:
    """What the hash leaves out, with one name for another."""
    name = re.compile(rf"(let )?{re.escape(old)}(?=\.|$)")

    def told(content: Any) -> Any:
        if isinstance(content, dict):
            return {key: told(value) for key, value in content.items()}
        if isinstance(content, list):
            return [told(value) for value in content]
        return name.sub(new, content, count=1) if isinstance(content, str) and name.match(content) else content

    return told(spec.model_dump(mode="json", include={"require", "objectives", "data", "train"}))
