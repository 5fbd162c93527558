"""A stranger's folder is opened: nothing that lies in it is run by the language server or by what that starts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from editor_client import Editor

from archdsl.editor.checking import check

# No member satisfies this, and finding that out takes longer than the server does itself: it starts `archdsl check`.
LONG = "stage(64)[{C|M}*14] require params <= 1"
NAMES = (
    "archdsl", "lark", "pydantic", "pydantic_core", "typer", "rich", "pygls", "lsprotocol", "sitecustomize",
    "usercustomize", "pickle", "json", "typing", "asyncio", "subprocess", "numpy", "torch", "_socket", "encodings",
)  # fmt: skip


@pytest.fixture
def traps(tmp_path: Path) -> Path:
    folder = tmp_path / "stranger"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')\n")
    (folder / "archdsl").mkdir()
    (folder / "archdsl" / "__init__.py").write_text((folder / "archdsl.py").read_text())
    (folder / "net.arch").write_text(LONG)
    return folder


def ran(traps: Path) -> str:
    file = traps.parent / "ran"
    return file.read_text() if file.exists() else ""


def test_the_server_and_the_process_it_starts_run_nothing_of_the_folder(traps: Path) -> None:
    session = Editor(folder=traps)
    uri = (traps / "net.arch").as_uri()
    session.open(uri, LONG)
    assert session.diagnostics(uri, 1) == []
    (mistake,) = session.diagnostics(uri, 1, number=2)
    assert mistake["message"]
    session.about("hover", uri, position={"line": 0, "character": 1})
    assert session.leave() == 0
    assert ran(traps) == ""


@pytest.mark.parametrize("path", [".", "", "stranger/..", ":"])
def test_the_process_it_starts_ignores_what_is_relative_in_the_module_path(
    traps: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(traps)
    monkeypatch.setenv("PYTHONPATH", path)
    assert asyncio.run(check(LONG))
    assert ran(traps) == ""


def test_as_a_module_archdsl_imports_nothing_of_the_folder_but_what_python_takes_for_it(traps: Path) -> None:
    (traps / "archdsl.py").unlink()
    (traps / "archdsl" / "__init__.py").unlink()
    (traps / "archdsl").rmdir()
    done = subprocess.run(
        [sys.executable, "-m", "archdsl", "check", "net.arch"], cwd=traps, capture_output=True, text=True
    )
    assert "no member" in done.stderr
    assert not {"lark", "pydantic", "pydantic_core", "typer", "rich", "numpy"} & set(ran(traps).split())


def test_a_workspace_cannot_choose_the_command() -> None:
    extension = Path(__file__).parent.parent / "editors" / "vscode"
    package = json.loads((extension / "package.json").read_text())
    assert package["contributes"]["configuration"]["properties"]["archdsl.command"]["scope"] == "machine"
    assert package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] == ["archdsl.command"]
    source = (extension / "extension.js").read_text()
    assert 'cwd: folder, env: { PYTHONSAFEPATH: "1" }' in source
    assert "const folder = context.extensionPath" in source
