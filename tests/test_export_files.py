"""Exports to disk: no half file is ever left, and the checkpoint that is exported is not replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from exported_networks import TINY, as_training_writes_it, network

from archdsl.base.errors import RunError
from archdsl.base.files import write_atomically
from archdsl.cli.main import run
from archdsl.interchange.export import FORMATS, export

resource = pytest.importorskip("resource", reason="file size limits exist on POSIX systems alone")


def test_the_checkpoint_it_came_from_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = as_training_writes_it(network(TINY), tmp_path / "tiny.safetensors")
    before = file.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert run(["compile", "tiny.safetensors", "--export", "safetensors"]) == 2
    assert "the export would replace 'tiny.safetensors'" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.slow
def test_a_full_disk_leaves_the_older_file(tmp_path: Path) -> None:
    formats = ["safetensors", "python", "pt2", "onnx"]
    (tmp_path / "tiny.arch").write_text(TINY)
    old = [tmp_path / f"tiny{FORMATS[format].suffix}" for format in formats]
    for path in old:
        path.write_bytes(b"old")
    code = (
        "import resource, sys\n"
        "from archdsl.interchange.export import check_formats\n"
        "from archdsl.cli.main import run\n"
        "formats = sys.argv[1].split(',')\n"
        "check_formats(formats)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"  # a write past it fails as it does on a full disk
        "sys.exit(sum(run(['compile', 'tiny.arch', '--export', format]) != 3 for format in formats))\n"
    )
    command = [sys.executable, "-B", "-c", code, ",".join(formats)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for path in old:
        assert f"error: cannot write '{path.name}'" in done.stderr
        assert path.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["tiny.arch", *(path.name for path in old)])


@pytest.mark.parametrize("format", ["safetensors", "python"])
def test_a_folder_in_the_way(format: str, tmp_path: Path) -> None:
    (tmp_path / f"tiny{FORMATS[format].suffix}").mkdir()
    with pytest.raises(RunError, match="cannot write"):
        export(network(TINY), [format], tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match="cannot write"):
        export(network(TINY), ["safetensors"], tmp_path)
    tmp_path.chmod(0o700)


def test_no_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot make the folder"):
        export(network(TINY), ["python"], tmp_path / "file" / "inside")


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    class Interrupted(str):
        def encode(self, *args: Any) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", Interrupted("text"))
    assert list(tmp_path.iterdir()) == []
