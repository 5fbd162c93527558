"""`check`, `show`, `space`, `compile` as commands: exit codes, JSON as in the interface, and anything bad as input."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from work import at_most

from archdsl import ir, resources
from archdsl.cli.main import run
from archdsl.errors import ArchdslError, DataError, RunError, SpecError, StudyError, UsageError
from archdsl.language import parse


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Done]


@pytest.fixture
def archdsl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in this process, with `stdin` as standard input."""

    def command(*arguments: str, stdin: str | bytes = "") -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = run(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "failed where it should not" not in err
        return Done(code, out, err)

    return command


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., str]:
    """Writes a file and returns its path."""

    def write(text: str | bytes, name: str = "a.arch") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return write


# ---- check -----------------------------------------------------------------------------------------------------


def test_check_of_good_files(archdsl: Command, spec: Callable[..., str]) -> None:
    model, space = spec("stage[C C C M]"), spec("stage[{C|M}*3]", "b.arch")
    done = archdsl("check", model, space)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [f"{model}: ok, 298,379 parameters, 836,436,608 MACs", f"{space}: ok, a space of 8"]
    assert archdsl("check", model, "--json").json == {"files": [{"path": model, "ok": True, "errors": []}]}


def test_check_reports_all_errors_of_all_files(archdsl: Command, spec: Callable[..., str]) -> None:
    files = [spec("stage[C MM M(heads=0)]"), spec("stage[C]", "good.arch"), spec("stage[C", "b.arch"), "absent.arch"]
    done = archdsl("check", *files)
    assert done.code == 1
    assert done.err.count("error: ") == 4
    assert f"{files[0]}:1:9: error: unknown block 'MM'\n  |\n1 | stage[C MM M(heads=0)]\n  |         ^^\n" in done.err
    document = archdsl("check", *files, "--json")
    assert document.code == 1
    entries = document.json["files"]
    assert [(e["path"], e["ok"], len(e["errors"])) for e in entries] == [
        (files[0], False, 2),
        (files[1], True, 0),
        (files[2], False, 1),
        (files[3], False, 1),
    ]
    assert entries[0]["errors"][0] == {
        "line": 1,
        "column": 9,
        "end_line": 1,
        "end_column": 11,
        "message": "unknown block 'MM'",
        "help": "did you mean 'M'?",
    }
    assert entries[3]["errors"][0]["line"] is None
    assert entries[3]["errors"][0]["message"] == "no file 'absent.arch'"


def test_check_reads_standard_input(archdsl: Command) -> None:
    assert archdsl("check", "-", stdin="stage[C]").code == 0
    done = archdsl("check", "-", stdin="stage[Z]")
    assert done.code == 1
    assert done.err.startswith("<stdin>:1:7: error: unknown block 'Z'")


def test_check_takes_names_of_shipped_specs(archdsl: Command) -> None:
    assert archdsl("check", *resources.shipped_specs(), "vit_ti.arch").code == 0
    done = archdsl("check", "alternet_5")
    assert (done.code, done.err) == (
        1,
        "error: no file 'alternet_5'\n  = help: did you mean 'alternet_50'?\n\n",
    )


# ---- show ------------------------------------------------------------------------------------------------------


def test_show_every_stage(archdsl: Command, spec: Callable[..., str]) -> None:
    text = "stage[C {C|M}]"
    path = spec(text)
    assert archdsl("show", path, "--emit", "tree").out.startswith("start\n  stage\n")
    shown = archdsl("show", path, "--emit", "ir").json
    jsonschema.validate(shown, ir.json_schema())
    assert ir.Spec.model_validate(shown) == parse(text)
    assert archdsl("show", path, "--emit", "ir", "--json").json == shown
    assert archdsl("show", path).json == shown
    assert archdsl("show", path, "--emit", "space").out.splitlines() == [
        "2 fillings, 2 feasible, 2 different networks",
        "  stage1.block2  C | M",
    ]
    assert archdsl("show", path, "--emit", "space", "--json").json["size"] == 2
    done = archdsl("show", path, "--emit", "module")
    assert done.code == 1
    assert "this file is a space: 'stage1.block2' is still to be decided" in done.err
    model = spec("stage(8)[C]", "model.arch")
    assert archdsl("show", model, "--emit", "module").out.startswith("Network(\n  (stem)")
    assert archdsl("show", model, "--emit", "module", "--json").json["module"].startswith("Network(")
    assert archdsl("show", model, "--emit", "tree", "--json").json["tree"].startswith("start")


@pytest.mark.parametrize("emit", ["tree", "ir", "space", "module"])
def test_show_reads_standard_input(archdsl: Command, emit: str) -> None:
    assert archdsl("show", "-", "--emit", emit, stdin="stage(8)[C]").code == 0
    assert archdsl("show", "-", "--emit", emit, stdin="stage(8)[C").code == 1


# ---- space -----------------------------------------------------------------------------------------------------


def test_space_counts_and_lists(archdsl: Command, spec: Callable[..., str]) -> None:
    path = spec("stage(128, heads={2|4|8})[{C|M}*3] require count(M) >= 1")
    found = archdsl("space", path, "--json").json
    assert (found["size"], found["feasible"], found["networks"]) == (24, 21, 21)
    assert found["decisions"][0] == {"name": "stage1.heads", "choices": ["2", "4", "8"]}
    assert found["members"] == []
    members = archdsl("space", path, "--list", "--json").json["members"]
    assert len(set(members)) == 21
    assert all(parse(member).has_holes() is False for member in members)
    lines = archdsl("space", path, "--list").out.splitlines()
    assert lines[0] == "24 fillings, 21 feasible, 21 different networks"
    assert lines.count("model model") == 21


def test_space_samples_with_a_seed(archdsl: Command) -> None:
    one, same, other = (
        archdsl("space", "placement", "--sample", "3", "--seed", seed, "--json").json["members"] for seed in "001"
    )
    assert one == same != other
    assert len(one) == 3


def test_space_says_when_there_are_fewer(archdsl: Command) -> None:
    done = archdsl("space", "-", "--sample", "5", "--json", stdin="stage[{C|M}]")
    assert len(done.json["members"]) == 2
    assert done.err == "only 2 different members were found\n"


def test_space_estimates_what_is_too_large_to_count(archdsl: Command) -> None:
    text = "stage[conv({1..300})*3] require count(conv) == 3"
    found = archdsl("space", "-", "--json", stdin=text).json
    assert found["size"] == 300**3
    assert found["feasible"] is None
    assert found["networks"] is None
    low, high = found["feasible_interval"]
    assert low <= found["feasible_estimate"] <= high <= 300**3
    assert "95% interval" in archdsl("space", "-", stdin=text).out


def test_space_counts_large_spaces(archdsl: Command) -> None:
    text = "stage(8)[{C|M}*40] require count(M) >= 20"
    found = archdsl("space", "-", "--json", stdin=text).json
    feasible = sum(math.comb(40, attentions) for attentions in range(20, 41))
    assert (found["size"], found["feasible"], found["networks"]) == (2**40, feasible, feasible)
    lines = archdsl("space", "-", stdin="stage(8)[{C|M}*100]").out.splitlines()
    assert lines[0] == "1.268e30 fillings, 1.268e30 feasible, 1.268e30 different networks"
    assert lines[1].startswith("exactly 1,267,650,600,228,229,401,496,703,205,376 fillings, ")
    huge = archdsl("space", "-", stdin="stage(8)[norm {norm|act}*1500]")
    assert huge.out.startswith("3.507e451 fillings, 3.507e451 feasible, 3.507e451 different networks\n  stage1")


def test_space_of_a_model(archdsl: Command) -> None:
    assert archdsl("space", "-", stdin="stage[C]").out == "a model: nothing is left to decide\n"


def test_space_shows_real_and_long_ranges(archdsl: Command) -> None:
    out = archdsl("space", "-", stdin="stage({1..100})[C] train(lr={1e-4..1e-2 log})").out
    assert "  stage1.width  1 .. 100 (100 values)" in out
    assert "  train.lr      0.0001 .. 0.01 (log)" in out


def test_an_infeasible_space(archdsl: Command) -> None:
    for command in ("check", "space"):
        done = archdsl(command, "-", stdin="stage[{C|M}*3] require count(M) > 3")
        assert done.code == 1
        assert "no member of this space meets this requirement" in done.err
        assert "here count(M) goes from 0 to 3" in done.err


# ---- compile -----------------------------------------------------------------------------------------------------


def test_compile_prints_a_table_of_blocks(archdsl: Command) -> None:
    done = archdsl("compile", "-", stdin="input 3x8x8 model mine stage(8)[C T(heads=2)]")
    assert done.code == 0
    assert "mine" in done.out
    assert "stage1.block2" in done.out
    assert "T (transformer)" in done.out


def test_compile_as_json(archdsl: Command) -> None:
    table = archdsl("compile", "-", "--json", stdin="input 3x8x8 classes 4 stage(8)[C T(heads=2)]").json
    assert (table["input"], table["classes"], len(table["hash"])) == ([3, 8, 8], 4, 64)
    block = table["blocks"][2]
    assert {k: block[k] for k in ("path", "stage", "index", "kind", "out")} == {
        "path": "stage1.block2",
        "stage": 1,
        "index": 2,
        "kind": "transformer",
        "out": [8, 8, 8],
    }
    assert sum(b["params"] for b in table["blocks"]) == table["params"]
    assert sum(b["macs"] for b in table["blocks"]) == table["macs"]


def test_compile_writes_files(archdsl: Command, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "folder"
    assert archdsl("compile", "-", "--out", str(out), stdin="model mine input 3x8x8 stage(8)[C*2]").code == 0
    assert sorted(path.name for path in out.iterdir()) == ["mine.arch", "mine.json"]
    table = json.loads((out / "mine.json").read_text())
    assert archdsl("compile", str(out / "mine.arch"), "--json").json == table


def test_compile_where_nothing_can_be_written(archdsl: Command, spec: Callable[..., str]) -> None:
    done = archdsl("compile", "-", "--out", spec("a file") + "/inside", stdin="input 3x8x8 stage(8)[C]")
    assert done.code == 3
    assert "cannot make the folder" in done.err


def test_file_names_with_brackets(archdsl: Command, spec: Callable[..., str]) -> None:
    path = spec("input 3x8x8 stage(8)[C]", "odd [name] {1}.arch")
    for command in (["check"], ["space"], ["show"], ["compile"], ["show", "--emit", "module"]):
        assert archdsl(*command, path).code == 0


# ---- exit codes ----------------------------------------------------------------------------------------------------


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


# ---- bad input -----------------------------------------------------------------------------------------------------

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


# ---- as a process ----------------------------------------------------------------------------------------------------


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
