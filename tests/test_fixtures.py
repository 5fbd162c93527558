"""Every `fixtures/valid/*.arch` gives the IR beside it, every `fixtures/invalid/*.arch` the message beside it.

After a change that is meant, `python tests/test_fixtures.py --write` writes what comes out now; read it before committing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from archdsl import ir, space
from archdsl.base.errors import ArchdslError
from archdsl.language import parse
from archdsl.language.sources import read_file

FIXTURES = Path(__file__).parent / "fixtures"
VALID = sorted((FIXTURES / "valid").glob("*.arch"))
INVALID = sorted((FIXTURES / "invalid").glob("*.arch"))


def meaning(path: Path) -> str:
    """The IR of a file, as JSON; the blocks of the prelude are left out, they are the same in every file."""
    spec = parse(read_file(str(path)).text, path.name)
    own = {name: block for name, block in spec.blocks.items() if block.at is not None}
    return spec.model_copy(update={"blocks": own}).model_dump_json(indent=1) + "\n"


def message(path: Path) -> str:
    """What `archdsl check` says about a file, without its folder."""
    try:
        text = read_file(str(path)).text
        space.check(parse(text, path.name), text, path.name)
    except ArchdslError as error:
        return str(error) + "\n"
    return "no error\n"


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid(path: Path) -> None:
    expected = path.with_suffix(".json").read_text(encoding="utf-8")
    assert meaning(path) == expected
    spec = parse(read_file(str(path)).text)
    assert ir.Spec.model_validate_json(spec.model_dump_json()) == spec
    space.check(spec)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid(path: Path) -> None:
    assert message(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_mistake_has_a_file_of_its_own() -> None:
    messages = {message(path).replace(path.name, "") for path in INVALID}
    assert len(messages) == len(INVALID) >= 45
    assert "no error\n" not in messages


def test_nothing_is_left_over() -> None:
    for folder, suffix, files in (("valid", ".json", VALID), ("invalid", ".txt", INVALID)):
        beside = {path.stem for path in (FIXTURES / folder).glob(f"*{suffix}")}
        assert beside == {path.stem for path in files}, folder


def write() -> None:
    for path in VALID:
        path.with_suffix(".json").write_text(meaning(path), encoding="utf-8")
    for path in INVALID:
        path.with_suffix(".txt").write_text(message(path), encoding="utf-8")


if __name__ == "__main__" and "--write" in sys.argv:
    write()
