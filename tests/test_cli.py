"""The commands as a user runs them: exit codes, JSON of the agreed form, bad input."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rough_analyses import rough_analyses_here_and_in_workers  # noqa: F401
from work import at_most

from archdsl.cli.main import run


def command(*arguments: str, stdin: bytes = b"", timeout: float = 300) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "archdsl", *arguments], input=stdin, capture_output=True, timeout=timeout
    )


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON document of a command run in this process."""
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_check(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    (tmp_path / "bad.arch").write_text("stage(64)[C MM]\nstage[M(head=2)]\n")
    code, document = asked(capsys, "check", "alternet_50", str(tmp_path / "bad.arch"))
    assert code == 1
    good, bad = document["files"]
    assert good == {"path": "alternet_50", "ok": True, "errors": []}
    assert (bad["ok"], len(bad["errors"])) == (False, 2)
    first = bad["errors"][0]
    assert {k: first[k] for k in ("line", "column", "end_line", "end_column")} == dict(
        line=1, column=13, end_line=1, end_column=15
    )
    assert first["message"] == "unknown block 'MM'"
    assert first["help"] == "did you mean 'M'?"
    assert asked(capsys, "check", "placement")[0] == 0


def test_compile_and_space_and_show(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    code, table = asked(capsys, "compile", "alternet_18", "--out", str(tmp_path / "out"))
    assert code == 0
    assert {"name", "hash", "params", "macs", "input", "classes", "blocks"} <= table.keys()
    assert table["input"] == [3, 32, 32]
    assert {"path", "stage", "index", "kind", "out", "params", "macs"} <= table["blocks"][0].keys()
    assert sum(block["params"] for block in table["blocks"]) == table["params"] == 9_499_063
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["alternet_18.arch", "alternet_18.json"]
    code, document = asked(capsys, "space", "placement", "--sample", "3", "--seed", "4")
    assert (document["size"], document["feasible"], document["networks"]) == (256, 256, 256)
    assert len(document["members"]) == 3
    assert document["decisions"][0] == {"name": "stage1.block1", "choices": ["C", "M"]}
    assert len(asked(capsys, "space", "placement", "--list")[1]["members"]) == 256
    for stage in ("tree", "ir", "space", "module"):
        assert run(["show", "alternet_18" if stage == "module" else "placement", "--emit", stage]) == 0
        assert capsys.readouterr().out


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    stdin = io.TextIOWrapper(io.BytesIO(b"stage(8)[C C C M]"))
    monkeypatch.setattr(sys, "stdin", stdin)
    code, table = asked(capsys, "compile", "-")
    assert (code, [b["label"] for b in table["blocks"] if b["stage"]]) == (0, ["C", "C", "C", "M"])


@pytest.mark.usefixtures("rough_analyses")
def test_train_and_analyze_and_search(capsys: pytest.CaptureFixture[str], tmp_path: Path, little: Path):
    spec = tmp_path / "tiny.arch"
    spec.write_text("model tiny stem patch(4, k=4) stage(4, heads=1, head_dim=4)[C M] train(epochs=1, batch=32)")
    weights = tmp_path / "tiny.safetensors"
    common = ["--data", f"npz:{little}", "--device", "cpu"]
    code, trained = asked(capsys, "train", str(spec), *common, "--out", str(weights))
    assert code == 0
    assert {"accuracy", "nll", "ece", "seconds", "checkpoint"} <= trained.keys()
    code, again = asked(capsys, "train", str(spec), *common, "--out", str(weights))
    assert (again["accuracy"], again["nll"]) == (trained["accuracy"], trained["nll"])
    code, analyzed = asked(
        capsys,
        "analyze",
        str(weights),
        *common,
        "--only",
        "hessian,fourier",
        "--batches",
        "2",
        "--out",
        str(tmp_path / "a"),
    )
    assert code == 0
    assert {"log_ape", "nep", "ncr", "lambda_max", "high_freq", "smoothing_contrast"} <= analyzed["scores"].keys()
    files = {p.name for p in (tmp_path / "a").iterdir()}
    drawn = {f"{n}.{e}" for n in ("hessian", "fourier", "fourier-depth") for e in ("svg", "png")}
    kept = {f"{n}.{e}" for n in ("hessian", "fourier") for e in ("json", "npz")}
    assert drawn | kept | {"scores.json", "analysis.html"} == files
    assert asked(capsys, "analyze", str(weights), *common, "--only", "hesian")[0] == 1
    weights.write_bytes(weights.read_bytes()[:1000])
    assert asked(capsys, "analyze", str(weights), *common)[0] == 1
    spec.write_text(
        "model tiny stem patch(4, k=4) stage(4, heads=1, head_dim=4)[{C|M} {C|M}] train(epochs=1, batch=32)"
    )
    code, found = asked(
        capsys,
        "search",
        str(spec),
        *common,
        "--budget",
        "2",
        "--workers",
        "1",
        "--final-seeds",
        "1",
        "--run",
        str(tmp_path / "run"),
    )
    assert code == 0
    assert {"run", "hash", "trials", "best", "pareto", "baselines"} <= found.keys()
    assert {"spec", "hash", "scores"} <= found["best"].keys()
    assert set(found["baselines"]) == {"all C", "all M", "alternating"}
    assert asked(capsys, "report", str(tmp_path / "run"))[1]["report"].endswith("report.html")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["check", "nowhere.arch"], 1, "no file 'nowhere.arch'"),
        (["check", "alternet_5"], 1, "did you mean 'alternet_50'?"),
        (["check", "{folder}"], 1, "is a folder"),
        (["check", "{empty}"], 1, "the file is empty"),
        (["check", "{binary}"], 1, "not a text file"),
        (["check", "{large}"], 1, "a spec is a short text"),
        (["check", "{repeat}"], 1, "more than"),
        (["check", "{deep}"], 1, "nested more than"),
        (["check", "{loop}"], 1, "defined by itself"),
        (["compile", "placement"], 1, "this file is a space"),
        (["compile"], 2, "Missing argument"),
        (["serach"], 2, "No such command"),
        (["search", "--budget", "0"], 2, "trains nothing"),
        (["search", "--budget", "many"], 2, "valid integer"),
        (["search", "--data", "npz:nowhere.npz"], 1, "nowhere.npz"),
        (["train", "alternet_18", "--data", "fashion"], 1, "says input 3x32x32"),
        (["train", "alternet_18", "--device", "cuda:99"], 2, "no device"),
        (["report", "{folder}"], 1, "results.json"),
        (["analyze", "nowhere.safetensors"], 1, "nowhere.safetensors"),
    ],
)
def test_bad_input_gets_a_message_and_a_code(
    arguments: list[str], code: int, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    made = {
        "empty": b"", "binary": bytes(range(256)) * 9, "large": b"stage[C] " * 1_200_000, "repeat": b"stage[C*1000000000]",
        "deep": b"stage[" + b"(" * 10_000 + b"C" + b")" * 10_000 + b"]", "loop": b"let A = B let B = A stage[A]",
    }  # fmt: skip
    for name, content in made.items():
        (tmp_path / f"{name}.arch").write_bytes(content)
    places = {name: str(tmp_path / f"{name}.arch") for name in made} | {"folder": str(tmp_path)}
    with at_most(calls=10_000_000):
        found = run([argument.format(**places) if argument.startswith("{") else argument for argument in arguments])
    shown = capsys.readouterr()
    assert found == code
    assert text in (shown.err + shown.out).replace("\n", " ").replace("│", "")
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    "imported", ["typer", "archdsl.base.errors", "archdsl.cli.main", "pydantic", "archdsl.blocks", "lark"]
)
def test_ctrl_c_while_modules_are_imported_ends_quietly(imported: str):
    """The first of them is imported by our entry; Python says of each when it is there."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "archdsl", "check", "-"], bufsize=0, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.rpartition(b"|")[2].strip().startswith(imported.encode()):
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=300)
    assert errors.endswith(b"interrupted\n"), errors[-2000:]
    assert b"Traceback" not in errors
    assert (output, process.returncode) == (b"", 3)


def test_standard_output_holds_only_json():
    done = command("check", "-", "--json", stdin=b"stage[Q]")
    assert done.returncode == 1
    assert json.loads(done.stdout)["files"][0]["ok"] is False
    assert b"unknown block 'Q'" in done.stderr
    assert b"\x1b[" not in done.stderr


def test_help_names_every_command_and_shows_an_example():
    done = command("--help")
    for name in ("check", "show", "space", "compile", "train", "analyze", "search", "report"):
        assert name.encode() in done.stdout
        assert b"Example:" in command(name, "--help").stdout
