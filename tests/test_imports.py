"""How the rooms hang together: imports run one way only, and what answers in a blink never imports PyTorch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "archdsl"

# From the ground up: a room imports rooms above it in this list, never below.
ROOMS = [
    ["errors"], ["registry", "resources", "shapes", "units", "files", "palette", "recipe"], ["scores"], ["ir"], ["arguments"],
    ["blocks"], ["architecture"], ["identity"], ["language"], ["space"], ["sources"], ["layers"], ["model"], ["checkpoint"],
    ["device"], ["data"], ["metrics", "optimizer"], ["resume"], ["training"], ["analyses"], ["report"], ["study"],
    ["train_spec"], ["analyze_spec"], ["cli"], ["__main__"],
]  # fmt: skip
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imported(path: Path) -> set[str]:
    """The rooms a file imports when it is loaded, or inside its functions; those for type checkers alone do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "archdsl":
            found |= {alias.name for alias in node.names if alias.name in LEVEL}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("archdsl."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("archdsl.")}
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    # Building a module is the one place where a block reaches up, into the layers, and only when it is called.
    allowed = {"layers"} if room == "blocks" else {"study"} if room == "train_spec" else set()
    wrong = {other for other in imported(path) - {room} - allowed if LEVEL[other] >= LEVEL[room]}
    assert not wrong, f"{path.name} imports {wrong}, which stand later"


@pytest.mark.parametrize(
    "code",
    [
        "import archdsl; archdsl.parse('stage[C M]'); archdsl.hash('stage[C {C|M}]')",
        "import archdsl.errors, archdsl.registry, archdsl.ir, archdsl.blocks, archdsl.space, archdsl.language, archdsl.scores",
        "from archdsl.cli.main import run; run(['--help'])",
        "from archdsl.cli.main import run; run(['search', '--help'])",
        "from archdsl.cli.main import run; run(['check', 'alternet_50', 'placement'])",
        "from archdsl.cli.main import run; run(['space', 'placement', '--sample', '2'])",
        "from archdsl.cli.main import run; run(['show', 'alternet_50'])",
    ],
)
def test_pytorch_is_not_imported(code: str):
    program = f"{code}\nimport sys; heavy = {{'torch', 'timm', 'optuna', 'matplotlib'}} & set(sys.modules); sys.exit(str(heavy or ''))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode in (0, 1)
    assert done.stderr.strip() == ""


def test_the_ir_needs_neither_lark_nor_torch():
    program = "import sys, archdsl.ir; sys.exit(len({'torch', 'lark'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_from_a_file_is_ever_executed(path: Path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![.\w])(eval|exec)\(|\bpickle\b|torch\.load\(|allow_pickle=True", text)
