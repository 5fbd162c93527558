"""Commands that read specs when something is wrong: exit codes, anything bad as input, and the same as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Command, Done, run_here, write_spec  # noqa: F401
from work import at_most

from archdsl.base.errors import ArchdslError, DataError, RunError, SpecError, StudyError, UsageError
from archdsl.language import parse

# ---- exit codes ----------------------------------------------------------------------------------------------


def test_exit_codes_belong_to_errors() -> None:
    codes = {ArchdslError: 1, SpecError: 1, DataError: 1, StudyError: 1, UsageError: 2, RunError: 3}
    assert {kind: kind.exit_code for kind in codes} == codes


@pytest.mark.parametrize(
    "arguments",
    [
        ["unheard-of"],
        ["check"],
        ["check", "--unheard-of"],
        ["show", "placement", "--emit", "picture"],
        ["space", "placement", "--sample", "many"],
        ["space", "placement", "--sample", "-1"],
        ["space", "placement", "--list", "--sample", "2"],
        ["space", "placement", "two"],
        ["compile"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_2(archdsl: Command, arguments: list[str]) -> None:
    done = archdsl(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err


@pytest.mark.parametrize("command", ["check", "show", "space", "compile", "train", "analyze", "search", "report"])
def test_help_tells_what_a_newcomer_needs(archdsl: Command, command: str) -> None:
    done = archdsl(command, "--help")
    assert done.code == 0
    assert f"Example:  archdsl {command}" in " ".join(done.out.split("\n")).replace("│", "")


def test_errors_are_json_too(archdsl: Command) -> None:
    done = archdsl("compile", "-", "--json", stdin="stage[Z]")
    assert done.code == 1
    assert done.json["errors"][0]["message"] == "unknown block 'Z'"
    done = archdsl("space", "absent", "--json")
    assert done.code == 1
    assert done.json["errors"][0]["message"] == "no file 'absent'"


# ---- bad input -----------------------------------------------------------------------------------------------


BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "the file is empty"),
    "blank": (" \n\t\n", "the file is empty"),
    "binary": (bytes(range(256)) * 10, "is not a text file"),
    "control characters": ("stage[C]\x00\x01", "a control character"),
    "another encoding": ("stage[C] # größer".encode("latin-1"), "is not a text file"),
    "two-byte characters": ("stage[C]".encode("utf-16"), "is not a text file"),
    "10 MB": (b"stage[C]\n" * 1_200_000, "has more than 100,000 characters"),
    "10 MB of nothing": (b"\n" * 10_000_000, "has more than 100,000 characters"),
    "a billion blocks": ("stage[C*1000000000]", "this makes more than 10,000 blocks"),
    "10,000 brackets": ("stage[" + "(" * 10_000 + "C" + ")" * 10_000 + "]", "nested more than 64 deep"),
    "10,000 open brackets": ("stage[" * 10_000, "nested more than 64 deep"),
    "recursion": ("let A = B let B = A stage[A]", "is defined by itself"),
    "unknown block": ("stage[X]", "unknown block 'X'"),
    "unknown argument": ("stage[M(hats=3)]", "block 'M' has no argument 'hats'"),
    "wrong type": ("stage[M(heads=true)]", "'heads' takes an integer, not true"),
    "no member": ("stage[{C|M}] require params < 5", "no member of this space"),
}


@pytest.mark.parametrize("command", ["check", "compile"])
@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_told_with_little_work(
    archdsl: Command, spec: Callable[..., str], name: str, command: str
) -> None:
    content, expected = BAD[name]
    with at_most(calls=1_000_000):
        done = archdsl(command, spec(content))
    assert (done.code, done.out) == (1, "")
    if not (name == "no member" and command == "compile"):
        assert expected in done.err
    assert len(done.err) < 2000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("absent.arch", "no file 'absent.arch'"),
        (".", "'.' is a folder"),
        ("/", "'/' is a folder"),
        ("", "no file ''"),
        ("x" * 5000, "File name too long"),
        ("a\x00b", "is not a file name"),
    ],
)
@pytest.mark.parametrize("command", ["check", "show", "space", "compile"])
def test_bad_file_names(archdsl: Command, command: str, name: str, expected: str) -> None:
    done = archdsl(command, name)
    assert done.code == 1
    assert expected in done.err
    assert len(done.err) < 1000


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="anyone may read anything here")
def test_a_file_that_may_not_be_read(archdsl: Command, spec: Callable[..., str]) -> None:
    path = spec("stage[C]")
    Path(path).chmod(0)
    assert "cannot be read: Permission denied" in archdsl("check", path).err


# ---- as a process --------------------------------------------------------------------------------------------


def process(*arguments: str, stdin: str = "", **environment: str) -> Done:
    """Runs `python -m archdsl`, as a terminal would."""
    done = subprocess.run(
        [sys.executable, "-m", "archdsl", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_the_process_returns_the_exit_code() -> None:
    assert process("check", "-", stdin="stage[C]").code == 0
    wrong = process("check", "-", "--json", stdin="stage[MM]", NO_COLOR="1")
    assert wrong.code == 1
    assert wrong.json["files"][0]["errors"][0]["help"] == "did you mean 'M'?"
    assert "\x1b" not in wrong.err + wrong.out
    assert process("check").code == 2


def test_a_reader_that_goes_away_is_no_failure() -> None:
    code = f"{sys.executable} -m archdsl space placement --list | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from archdsl.cli.main import report

    error = SpecError(parse_errors("stage[MM]"), "stage[MM]")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    report(error)
    assert "\x1b[1;31m^^\x1b[0m" in capsys.readouterr().err
    monkeypatch.setenv("NO_COLOR", "1")
    report(error)
    assert "\x1b" not in capsys.readouterr().err


def parse_errors(text: str) -> tuple[Any, ...]:
    """The diagnostics of a wrong text."""
    with pytest.raises(SpecError) as caught:
        parse(text)
    return caught.value.diagnostics
