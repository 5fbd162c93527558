"""The rooms: imports run one way only, what answers in a blink does not wait for PyTorch, nothing runs foreign code."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import archdsl

PACKAGE = Path(archdsl.__file__).parent
FILES = {
    ".".join(("archdsl", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in FILES.items()}

# In which data flows; a room may know those before it, never those behind it.
ORDER = (
    "base", "ir", "blocks", "language", "network", "space", "interchange", "data", "training", "analyses", "study",
    "report", "drawing", "editor", "api", "cli",
)  # fmt: skip
AT_THE_ROOT = {"__init__", "__main__", "timm_models"}  # the last is the name that timm's users import and run
MOST_FLOORS = 10  # rooms that stand on each other, `__main__` among them
WITHOUT_TORCH = ("ir", "language", "space", "cli", "drawing", "editor")
TOO = ("errors", "registry", "resources", "files", "colours", "effort")  # of `base`, whose `device` needs it
SLOW = {"torch", "timm", "torchvision", "optuna", "matplotlib", "scipy"}


def imported(nodes: Iterator[ast.AST], named: bool = False) -> Iterator[str]:
    """Modules of ours that are imported; with `named`, also those whose names stand in texts, for `importlib`."""
    for node in nodes:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in FILES else node.module for name in inner]
        elif named and isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value.partition(":")[0]]
        yield from (name for name in names if name in FILES and name != "archdsl")


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: no functions, nothing for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from at_import(node)


def room(module: str) -> str:
    """The file or folder directly below the package."""
    return module.split(".")[1]


def graph() -> dict[str, set[str]]:
    """Which rooms know which, imports inside functions and for type checkers included."""
    known: dict[str, set[str]] = {}
    for module, tree in TREES.items():
        if module != "archdsl":  # the front door may know all
            known.setdefault(room(module), set()).update(room(name) for name in imported(ast.walk(tree), named=True))
    return {name: others - {name} for name, others in known.items()}


def test_rooms_know_each_other_one_way_only() -> None:
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of rooms: {' -> '.join(error.args[1])}")


def test_rooms_stand_in_the_order_of_the_data() -> None:
    known = graph()
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(ORDER)
    assert {path.stem for path in PACKAGE.glob("*.py")} == AT_THE_ROOT
    for i, name in enumerate(ORDER):
        behind = known[name] & set(ORDER[i + 1 :])
        assert not behind, f"'{name}' imports {sorted(behind)}, which come after it"


def test_the_house_has_few_floors() -> None:
    known, floors = graph(), {}
    for name in TopologicalSorter(known).static_order():
        floors[name] = 1 + max((floors[other] for other in known.get(name, ())), default=0)
    assert max(floors.values()) <= MOST_FLOORS, floors


def test_modules_are_imported_one_way_only() -> None:
    """Inside the rooms too, and inside functions: a registry's files import the registry, not the other way round."""
    known = {m: set(imported(ast.walk(tree))) - {m} for m, tree in TREES.items() if m != "archdsl"}
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of modules: {' -> '.join(error.args[1])}")


def test_what_answers_in_a_blink_does_not_wait_for_pytorch() -> None:
    known = {module: set(imported(at_import(tree))) for module, tree in TREES.items()}
    waiting = [m for m in TREES if m != "archdsl" and room(m) in WITHOUT_TORCH]
    waiting += [f"archdsl.base.{name}" for name in TOO]
    seen: set[str] = set()
    while waiting:  # and whatever they import, on and on
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        waiting += known[module]
        for node in at_import(TREES[module]):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            slow = {n.partition(".")[0] for n in names} & SLOW
            assert not slow, f"{module} imports {slow}"


@pytest.mark.parametrize(
    "command",
    [
        ["check", "alternet_50", "placement"],
        ["check", "alternet_50", "--json"],
        ["--help"],
        ["check", "--help"],
        ["search", "--help"],
        ["train", "--help"],
        ["space", "placement", "--sample", "1"],
        ["show", "alternet_50", "--emit", "ir"],
        ["show", "alternet_50", "--emit", "tree"],
        ["show", "placement", "--emit", "space"],
    ],
    ids=" ".join,
)
def test_commands_that_do_not_import_pytorch(command: list[str]) -> None:
    code = (
        "import sys; from archdsl.cli.main import run; code = run(sys.argv[1:]);"
        "slow = {'torch', 'timm', 'optuna', 'matplotlib', 'scipy', 'numpy'} & set(sys.modules);"
        "sys.exit(f'imported: {slow}' if slow else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call, by the dotted name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("module", TREES)
def test_nothing_runs_foreign_code(module: str) -> None:
    for name, call in calls(TREES[module]):
        assert name not in ("eval", "exec", "__import__", "torch.load", "pickle.load", "pickle.loads"), (
            f"line {call.lineno}"
        )
        keywords = {k.arg: ast.unparse(k.value) for k in call.keywords}
        if name.endswith("np.load"):
            assert keywords.get("allow_pickle") == "False", f"line {call.lineno}"
        assert keywords.get("shell") != "True", f"line {call.lineno}"
    for node in ast.walk(TREES[module]):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {a.name for a in node.names} | {getattr(node, "module", None)}
            assert not names & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}, f"line {node.lineno}"
        if isinstance(node, ast.Assert):  # it vanishes under -O; telling the type checker of None is all it may do
            assert ast.unparse(node.test).endswith(" is not None"), f"line {node.lineno}: raise an error instead"


@pytest.mark.parametrize("module", TREES)
def test_modules_say_what_they_are(module: str) -> None:
    assert ast.get_docstring(TREES[module]), "a module opens with one sentence"
