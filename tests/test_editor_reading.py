"""What the language server reads from a text: places, mistakes as on the command line, words as in the syntax tree."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from editor_page import GHOST, SPECS, text_of

from archdsl import space
from archdsl.base.errors import ArchdslError, Diagnostic, SpecError
from archdsl.editor.analysis import Analysis, forget
from archdsl.editor.outline import fix
from archdsl.editor.positions import Lines
from archdsl.editor.reading import read_again
from archdsl.editor.scanner import Scan
from archdsl.language import parse, syntax
from archdsl.language.parser import parse_syntax, read

FIXTURES = Path(__file__).parent / "fixtures"
PRELUDE = Path(__file__).parents[1] / "grammars" / "prelude.arch"
VALID = sorted([*(FIXTURES / "valid").glob("*.arch"), *SPECS.glob("*.arch"), PRELUDE])
INVALID = sorted((FIXTURES / "invalid").glob("*.arch"))


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
def test_places_are_counted_as_the_editor_counts(encoding: str, column: int) -> None:
    lines = Lines("a\r\n🦊C\rb\n", encoding)
    assert lines.position(4) == (1, column)
    assert lines.offset(1, column) == 4
    assert lines.offset(1, 99) == 5
    assert lines.position(6) == (2, 0), "a lone carriage return ends a line for an editor"
    assert lines.offset_of(2, 4) == 6, "but not for the language"
    assert all(
        lines.offset(*lines.position(i)) == i for i in range(len(lines.text)) if lines.text[i - 1 : i + 1] != "\r\n"
    )


# ---- mistakes ------------------------------------------------------------------------------------------------


def expected(text: str) -> list[Diagnostic]:
    """What `archdsl check` says."""
    try:
        space.check(parse(text), text)
    except SpecError as error:
        return list(error.diagnostics)
    except ArchdslError as error:
        return [Diagnostic(error.message, None, error.help)]
    return []


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=lambda path: path.stem)
def test_the_mistakes_are_those_of_the_command_line(path: Path) -> None:
    text = text_of(path).removeprefix("\ufeff")
    analysis = Analysis(text)
    if analysis.settled:
        assert list(analysis.mistakes) == expected(text)
    for mistake in analysis.mistakes:
        start, end = analysis.lines.stretch(mistake.span)
        assert 0 <= start <= end <= len(text)
        if (found := fix(analysis, mistake)) is not None:
            (start, end), new = found
            after = Analysis(text[:start] + new + text[end:])
            assert mistake.message not in [m.message for m in after.mistakes if m.span == mistake.span]


def broken(text: str, rng: random.Random, count: int) -> Iterator[str]:
    """A text as it looks while it is being written and changed."""
    for _ in range(count):
        here, gone = rng.randrange(len(text) + 1), rng.choice((0, 0, 1, 3))
        yield (
            text[:here]
            + rng.choice(["", "x", "(", "]", "\n", "stage", "3", "=", "let ", "{", "|"])
            + text[here + gone :]
        )
        yield text[: rng.randrange(len(text) + 1)]


def attempt(function: Any, text: str) -> Any:
    try:
        return function(text)
    except SpecError as error:
        return error.diagnostics


@pytest.mark.parametrize("path", [*VALID, *INVALID[::3]], ids=lambda path: path.stem)
def test_reading_anew_only_what_changed_gives_the_same(path: Path) -> None:
    text = text_of(path)
    if len(text) < 5_000:
        for version in [text, "\n" + text, *broken(text, random.Random(0), 3)]:
            assert attempt(read_again, version) == attempt(read, version)


def test_tidying_up_forgets_nothing_that_is_needed() -> None:
    before = Analysis(GHOST)
    forget()
    after = Analysis(GHOST)
    assert after.mistakes == before.mistakes == ()
    assert after.plain.hash == before.plain.hash


# ---- words ---------------------------------------------------------------------------------------------------


def nodes(part: Any) -> Iterator[Any]:
    if isinstance(part, tuple):
        for inner in part:
            yield from nodes(inner)
    elif dataclasses.is_dataclass(part) and hasattr(part, "span"):
        yield part
        for field in dataclasses.fields(part):
            yield from nodes(getattr(part, field.name))


def roles(text: str) -> dict[int, str]:
    """What the syntax tree says every word is, by its place."""
    lines, found = Lines(text), {}
    named = {"let": "let", "block": "definition", "maximize": "score", "minimize": "score"}
    for statement in parse_syntax(text):
        found[lines.stretch(statement.span).start] = "keyword"
        if statement.name_span:
            found[lines.stretch(statement.name_span).start] = named.get(statement.keyword, statement.keyword)
        for node in nodes(statement):
            start = lines.stretch(node.span).start
            match node:
                case syntax.BlockCall() | syntax.Structure():
                    found[start] = "block"
                case syntax.Parameter():
                    found[start] = "parameter"
                case syntax.Argument() if node.name:
                    found[start] = "argument"
                case syntax.Measure():
                    found[start] = "measure"
                case syntax.Name() if found.get(start) != "argument":
                    found[start] = "value"
    return found


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_words_are_what_the_syntax_tree_says(path: Path) -> None:
    text = text_of(path).removeprefix("\ufeff")
    found = {token.start: token.role for token in Scan(text).tokens if token.role not in ("", "word")}
    # In a condition the tree tells neither measures nor counted blocks from other names.
    plain = {start: "value" if role == "counted" else role for start, role in found.items()}
    said = roles(text)
    for start, role in said.items():
        assert plain[start] == role or (role == "value" and plain[start] == "measure"), text[start : start + 20]
    assert plain.keys() == said.keys()
