"""What formatting never changes: the words, comments and meaning of any text; its mistakes are those of `check`."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path
from typing import Any

import arch_texts
import pytest
from hypothesis import HealthCheck, example, given, settings
from shipped_files import SHIPPED

from archdsl.base.errors import Span, SpecError
from archdsl.language import parse
from archdsl.language.formatting import format_text
from archdsl.language.parser import parse_syntax
from archdsl.network.identity import spec_hash

FIXTURES = Path(__file__).parent / "fixtures"
FILES = [*SHIPPED, *sorted(FIXTURES.glob("*/*.arch"))]

thoroughly = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


def bare(part: Any) -> Any:
    """A syntax tree without its places."""
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        fields = (getattr(part, field.name) for field in dataclasses.fields(part))
        return (type(part).__name__, *(bare(value) for value in fields if not isinstance(value, Span)))
    return tuple(bare(value) for value in part) if isinstance(part, (tuple, list)) else part


def comments(text: str) -> list[str]:
    """The comments of a text, apart from the spaces around them."""
    words = arch_texts.split(text)
    ends = [0, *(word.end_pos or 0 for word in words)]
    starts = [*(word.start_pos or 0 for word in words), len(text)]
    gaps = (text[end:start] for end, start in zip(ends, starts, strict=True))
    return [re.sub(r"^#\s*", "#", found.rstrip()) for gap in gaps for found in re.findall(r"#[^\n]*", gap)]


def words(text: str) -> list[str]:
    """The words of a text, but for commas at the end of arguments."""
    found = [str(word) for word in arch_texts.split(text)]
    return [word for word, after in zip(found, [*found[1:], ""], strict=False) if (word, after) != (",", ")")]


def check_form(text: str) -> str:
    """What holds for every text that follows the grammar."""
    formatted = format_text(text)
    assert format_text(formatted) == formatted
    assert words(formatted) == words(text)
    assert comments(formatted) == comments(text)
    lines = formatted.split("\n")
    assert lines.pop() == ""
    assert lines[:1] != [""]
    assert lines[-1:] != [""]
    assert all(line == line.rstrip(" \t\r") and "\t" not in line.partition("#")[0] for line in lines)
    assert "\n\n\n" not in formatted
    return formatted


def meaning(text: str) -> Any:
    """The IR of a text with its JSON and its hash, or the mistakes in it; what comments say is left out."""
    try:
        spec = parse(text)
    except SpecError as error:
        return sorted(re.sub(r"line \d+|column \d+", "", d.message) for d in error.diagnostics)
    blocks = {name: block.model_copy(update={"summary": ""}) for name, block in spec.blocks.items()}
    spec = spec.model_copy(update={"blocks": blocks})
    return spec, spec.model_dump_json(), spec_hash(spec)


@given(arch_texts.texts())
@thoroughly
def test_any_text_keeps_its_words_and_comments(text: str) -> None:
    assert bare(parse_syntax(check_form(text))) == bare(parse_syntax(text))


@given(arch_texts.specs())
@thoroughly
def test_any_spec_keeps_its_meaning(text: str) -> None:
    assert meaning(check_form(text)) == meaning(text)


@given(arch_texts.plain_specs())
@example("stage[C]")
@thoroughly
def test_what_has_no_comments_has_one_form(text: str) -> None:
    """Spacing leaves no trace, except line ends in sequences too long for a line."""
    text = text.replace('"npz:my data.npz"', "fashion")
    assert format_text(re.sub(r" +", "  ", text).replace("\n", "\r\n\t")) == format_text(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_files_keep_their_meaning(path: Path) -> None:
    text = path.read_bytes().decode("utf-8-sig")
    try:
        parse_syntax(text, "a.arch")
    except SpecError as error:
        if any(part in str(error) for part in ("digits", "the largest is", "a word of", "more than 64 deep")):
            return  # limits of those who look closer
        with pytest.raises(SpecError) as caught:
            format_text(text, "a.arch")
        assert str(caught.value) == str(error)
    else:
        assert meaning(check_form(text)) == meaning(text)


def test_a_block_keeps_the_comment_that_describes_it() -> None:
    text = "#one\n#  two\n\n# What  it does.\n#And how.\nblock   f=residual[ norm ] stage[f]"
    assert parse(format_text(text)).blocks["f"].summary == parse(text).blocks["f"].summary == "What  it does. And how."


@pytest.mark.parametrize(
    "text",
    [
        "stage[Z(hats=3)]",
        "let C = 99999999999999999999999",
        "stage[C] stage[C] head head norm",
        "# nothing but a comment",
        "train(lr=maybe)",
        "stage[" + "C" + "*1" * 3000 + "]",
        "require params < " + "1 + " * 3000 + "1",
        "stage[" + "(" * 60 + "C # deep\n" + ")" * 60 + "]",
    ],
    ids=lambda text: text[:30],
)
def test_other_mistakes_do_not_matter(text: str) -> None:
    check_form(text) if len(text) < 1000 else format_text(text)


@pytest.mark.parametrize(
    "text", ["", " \n", "stage[C", "stage C]", "stage[C\x00]", "stage[" + "(" * 400 + ")" * 400 + "]"]
)
def test_mistakes_of_syntax_are_those_of_check(text: str) -> None:
    with pytest.raises(SpecError) as ours:
        format_text(text, "a.arch")
    with pytest.raises(SpecError) as theirs:
        parse(text, "a.arch")
    assert str(ours.value) == str(theirs.value)


def test_a_text_does_not_outgrow_the_language() -> None:
    with pytest.raises(SpecError, match="formatted, the file would have 1") as caught:
        format_text("stage[" + "C#\n" * 24_000 + "]")
    assert caught.value.help is None
    assert "a spec has at most 100,000" in str(caught.value)


def test_its_time_grows_with_the_length_of_the_file() -> None:
    line = "stage(64, heads={2|4|8}) [C {C|M}*3 M(heads=2)]  # a comment\n"

    def least(lines: int) -> float:
        taken = []
        for _ in range(3):
            start = time.process_time()
            format_text(line * lines)
            taken.append(time.process_time() - start)
        return min(taken)

    # Eight times the lines: 8 where it is linear, 64 where every line looks at every other.
    assert least(400) < 24 * least(50)
