"""`check`, `show`, `space`, `compile` as commands: what they print, JSON as in the interface, files they write."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from commands import Command, run_here, write_spec  # noqa: F401

from archdsl import ir
from archdsl.base import resources
from archdsl.language import parse

# ---- check ---------------------------------------------------------------------------------------------------


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


# ---- show ----------------------------------------------------------------------------------------------------


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


# ---- space ---------------------------------------------------------------------------------------------------


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


# ---- compile -------------------------------------------------------------------------------------------------


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
