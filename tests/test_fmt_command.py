"""`archdsl fmt` as a command: files in place, `--check`, `--diff`, standard input, exit codes, files it cannot format."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from shipped_files import SHIPPED

from archdsl.cli.main import run


class Done(NamedTuple):
    code: int
    out: str
    err: str


Fmt = Callable[..., Done]
UGLY, PRETTY = "stage( 64 )[ C ]\r\n", "stage(64) [C]\n"


@pytest.fixture
def fmt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fmt:
    """Runs `archdsl fmt` in an empty folder, with `stdin` as standard input."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(["fmt", *arguments])
        return Done(code, *capsys.readouterr())

    return command


def put(name: str, text: str) -> Path:
    path = Path(name)
    path.write_bytes(text.encode())
    return path


def test_files_are_written_in_place(fmt: Fmt) -> None:
    ugly, pretty = put("ugly.arch", UGLY), put("pretty.arch", PRETTY)
    os.utime(pretty, (1, 1))
    assert fmt("ugly.arch", "pretty.arch") == (0, "", "reformatted ugly.arch\n1 file reformatted, 1 file unchanged\n")
    assert ugly.read_bytes() == PRETTY.encode()
    assert pretty.stat().st_mtime == 1
    assert fmt("ugly.arch", "pretty.arch") == (0, "", "2 files unchanged\n")
    assert sorted(path.name for path in Path().iterdir()) == ["pretty.arch", "ugly.arch"]


def test_check_writes_nothing(fmt: Fmt) -> None:
    ugly = put("ugly.arch", UGLY)
    assert fmt("ugly.arch", "--check") == (1, "", "would reformat ugly.arch\n1 file would be reformatted\n")
    assert ugly.read_bytes() == UGLY.encode()
    put("ugly.arch", PRETTY)
    assert fmt("ugly.arch", "--check") == (0, "", "1 file unchanged\n")


def test_diff_prints_what_would_change(fmt: Fmt) -> None:
    ugly, _ = put("ugly.arch", "model a\nstage( 64 )[ C ]"), put("pretty.arch", PRETTY)
    for arguments, code in ((["--diff"], 0), (["--diff", "--check"], 1)):
        done = fmt("ugly.arch", "pretty.arch", *arguments)
        assert done.code == code
        assert done.out == (
            "--- ugly.arch\n+++ ugly.arch\n@@ -1,2 +1,2 @@\n model a\n"
            "-stage( 64 )[ C ]\n\\ No newline at end of file\n+stage(64) [C]\n"
        )
        assert done.err == "would reformat ugly.arch\n1 file would be reformatted, 1 file unchanged\n"
    assert ugly.read_text() == "model a\nstage( 64 )[ C ]"


def test_a_diff_is_coloured_on_a_terminal_only(fmt: Fmt, monkeypatch: pytest.MonkeyPatch) -> None:
    put("ugly.arch", UGLY)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[32m+stage(64) [C]\x1b[0m\n" in fmt("ugly.arch", "--diff").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in fmt("ugly.arch", "--diff").out


def test_marks_and_line_ends_of_other_systems_are_a_change(fmt: Fmt) -> None:
    for text in ("\ufeff" + PRETTY, PRETTY.replace("\n", "\r\n"), PRETTY.rstrip("\n"), PRETTY + "\n"):
        path = put("a.arch", text)
        assert fmt("a.arch", "--check").code == 1
        assert fmt("a.arch", "--diff").out
        assert fmt("a.arch").code == 0
        assert path.read_bytes() == PRETTY.encode()


def test_standard_input_goes_to_standard_output(fmt: Fmt) -> None:
    assert fmt("-", stdin=UGLY.encode()) == (0, PRETTY, "")
    assert fmt("-", stdin=PRETTY.encode()) == (0, PRETTY, "")
    assert fmt("-", "--check", stdin=UGLY.encode()) == (1, "", "would reformat <stdin>\n1 file would be reformatted\n")
    assert fmt("-", "--diff", stdin=UGLY.encode()).out.startswith("--- <stdin>\n+++ <stdin>\n@@ -1 +1 @@\n-stage( 64 )")
    done = fmt("-", stdin=b"stage[C")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("<stdin>:1:6: error: '[' is never closed")


def test_a_mistake_of_syntax_leaves_the_file_and_the_others_go_on(fmt: Fmt) -> None:
    wrong, ugly = put("wrong.arch", "stage( 8 )[ C"), put("ugly.arch", UGLY)
    done = fmt("wrong.arch", "ugly.arch")
    assert done.code == 1
    assert done.err.startswith("wrong.arch:1:11: error: '[' is never closed\n  |\n1 | stage( 8 )[ C\n")
    assert done.err.endswith("reformatted ugly.arch\n1 file reformatted, 1 file not formatted\n")
    assert wrong.read_text() == "stage( 8 )[ C"
    assert ugly.read_text() == PRETTY


def test_names_that_mean_nothing_do_not_stop_it(fmt: Fmt) -> None:
    path = put("a.arch", "stage[ZZ(hats = 3)]")
    assert fmt("a.arch").code == 0
    assert path.read_text() == "stage[ZZ(hats=3)]\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("absent.arch", "no file 'absent.arch'"),
        (".", "'.' is a folder"),
        ("", "no file ''"),
        ("x" * 5000, "File name too long"),
        (
            "alternet_50",
            "'alternet_50' is a spec that comes with archdsl, not a file of yours\n  = help: name the path",
        ),
        ("placement.arch", "'placement.arch' is a spec that comes with archdsl"),
        (os.devnull, f"'{os.devnull}' is not a regular file"),
        ("binary.arch", "is not a text file"),
    ],
)
def test_bad_files(fmt: Fmt, name: str, expected: str) -> None:
    Path("binary.arch").write_bytes(bytes(range(256)))
    before = {path: path.read_bytes() for path in SHIPPED}
    put("ugly.arch", UGLY)
    for arguments in ([], ["--check"], ["--diff"]):
        done = fmt(name, "ugly.arch", *arguments)
        assert done.code == 1
        assert f"error: {expected}" in done.err or expected in done.err
        assert "1 file not formatted" in done.err
    assert {path: path.read_bytes() for path in SHIPPED} == before


def test_a_file_that_may_not_be_written(fmt: Fmt, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("ugly.arch", UGLY)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as it is for others than root
    assert fmt("ugly.arch") == (
        3,
        "",
        "error: cannot write 'ugly.arch': it is read-only\n  = help: check its permissions\n\n1 file not formatted\n",
    )
    assert path.read_bytes() == UGLY.encode()
    assert fmt("ugly.arch", "--check").code == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="anyone may read anything here")
def test_a_file_that_may_not_be_read(fmt: Fmt) -> None:
    path = put("ugly.arch", UGLY)
    path.chmod(0)
    done = fmt("ugly.arch")
    assert (done.code, done.out) == (1, "")
    assert "cannot be read: Permission denied" in done.err


@pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")
def test_links_and_permissions_stay(fmt: Fmt) -> None:
    path = put("ugly.arch", UGLY)
    path.chmod(0o640)
    Path("link.arch").symlink_to("ugly.arch")
    assert fmt("link.arch").err.startswith("reformatted link.arch\n")
    assert Path("link.arch").is_symlink()
    assert path.read_text() == PRETTY
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_wrong_command_line_is_2(fmt: Fmt) -> None:
    assert fmt().code == fmt("--unheard-of").code == 2


def test_help(fmt: Fmt) -> None:
    assert "Example:  archdsl fmt" in fmt("--help").out


def test_it_does_not_import_pytorch(fmt: Fmt) -> None:
    put("ugly.arch", UGLY)
    code = (
        "import sys; from archdsl.cli.main import run; code = run(['fmt', 'ugly.arch', '--diff']);"
        "slow = {'torch', 'timm', 'optuna', 'matplotlib', 'scipy', 'numpy'} & set(sys.modules);"
        "sys.exit(f'imported: {slow}' if slow else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_hooks_name_commands_that_exist() -> None:
    text = (Path(__file__).parent.parent / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"entry: archdsl (\w+)", text)
    assert entries == ["fmt", "check"]
    assert re.findall(r"id: (\S+)", text) == [f"archdsl-{entry}" for entry in entries]
    assert all(json.loads(f'"{found}"') for found in re.findall(r"files: '\\(\..*)'", text))
