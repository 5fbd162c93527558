"""A search of a stranger's repository runs nothing that lies there, in none of its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_space import tiny

# Whatever a worker, or what starts it, imports at some time; the first found decides.
MODULES = (
    "archdsl", "pickle", "torch", "optuna", "numpy", "sitecustomize", "usercustomize", "multiprocessing", "signal",
    "threading", "warnings", "tiny", "timm", "matplotlib", "logging", "trapped_backend",
)  # fmt: skip
TRAP = "open(__file__.rpartition('.')[0] + '.sprung', 'w').close()\n"
RC = "backend: module://trapped_backend\n"


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A folder full of traps, with a space in it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.py").write_text(TRAP)
    (folder / "matplotlibrc").write_text(RC)
    (folder / "tiny.arch").write_text(tiny(epochs=1))
    return folder


# The command as an installed script starts it, without the current folder, in an environment that would bring it back.
STARTER = """
import os, sys
os.environ.update({environment!r})
if __name__ == "__main__":
    sys.path[:] = [place for place in sys.path if place not in ("", ".")]
    from archdsl.cli.main import main
    main()
"""


def test_the_workers_of_a_search_run_nothing_of_the_folder(trapped: Path, little: Path) -> None:
    environment = {"PYTHONSAFEPATH": "", "PYTHONPATH": os.pathsep.join([str(trapped.parent), ".", ""])}
    starter = trapped.parent / "archdsl-command"
    starter.write_text(STARTER.format(environment=environment))
    done = subprocess.run(
        [sys.executable, str(starter), "search", "tiny.arch", "--data", f"npz:{little}", "--budget", "4",
         "--workers", "2", "--final-seeds", "1", "--device", "cpu", "--run", "../run"],
        cwd=trapped, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (trapped.parent / "run" / "report.html").exists()
    assert sorted(path.name for path in trapped.glob("*.sprung")) == []


def test_the_traps_would_be_sprung(trapped: Path) -> None:
    """As multiprocessing starts a process where nobody sees to it."""
    subprocess.run(
        [sys.executable, "-c", "import multiprocessing.spawn"], cwd=trapped, capture_output=True, check=False
    )
    assert (trapped / "multiprocessing.sprung").exists()
