"""Collects the source of our layers, with all they need and nothing else: classes, functions, constants, imports."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import sys
from dataclasses import dataclass, field

LAYERS = "archdsl.blocks.layers"


class Unwritable(Exception):
    """What cannot be written in Python without the packages it comes from."""


@dataclass
class Sources:
    """Definitions collected so far, each after those it needs.

    Attributes:
        texts: source by name.
        imports: `import …` by module.
        names: `from module import …` by module.
    """

    texts: dict[str, str] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    _homes: dict[str, str] = field(default_factory=dict)

    def need(self, name: str, home: str) -> None:
        """Take a definition of a module of ours, and all it speaks of.

        Raises:
            Unwritable: it needs more than PyTorch and Python's own library.
        """
        page = _page(home)
        if name in page.definitions:
            if self._homes.setdefault(name, home) != home:
                raise Unwritable(f"both '{home}' and '{self._homes[name]}' have a '{name}'")
            if name in self.texts:
                return
            node, text = page.definitions[name]
            self.texts[name] = ""  # on the way, should it speak of itself
            for spoken in _spoken(node):
                self.need(spoken, home)
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    _check(inner, name)
            del self.texts[name]
            self.texts[name] = text
        elif name in page.imports:
            self._import(name, page.imports[name], home)

    def _import(self, name: str, node: ast.Import | ast.ImportFrom, home: str) -> None:
        alias = next(a for a in node.names if _bound(a) == name)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{LAYERS}."):
            if alias.asname not in (None, alias.name):
                raise Unwritable(f"'{home}' calls '{alias.name}' by another name")
            self.need(name, node.module or "")
            return
        _check(node, home)
        written = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
        if isinstance(node, ast.Import):
            self.imports[written] = f"import {written}"
        else:
            self.names.setdefault(node.module or "", set()).add(written)

    def defined(self) -> set[str]:
        """All names that the definitions and the imports take."""
        written = [*self.imports, *(name for names in self.names.values() for name in names)]
        return {*self.texts, *(name.partition(" as ")[2] or name.partition(".")[0] for name in written)}

    def header(self) -> list[str]:
        """The import statements, Python's own library first."""
        lines: dict[bool, list[str]] = {True: [], False: []}
        for module, line in sorted(self.imports.items()):
            lines[_is_pythons(module)].append(line)
        for module, names in sorted(self.names.items()):
            # As ruff sorts them: constants, classes, the rest.
            order = sorted(names, key=lambda n: (0 if n.isupper() and len(n) > 1 else 1 if n[0].isupper() else 2, n))
            lines[_is_pythons(module)].append(f"from {module} import {', '.join(order)}")
        return [*lines[True], *([""] if lines[True] and lines[False] else []), *lines[False]]


@dataclass(frozen=True)
class _Page:
    """A module of ours: what it defines and what it imports, by name."""

    definitions: dict[str, tuple[ast.AST, str]]
    imports: dict[str, ast.Import | ast.ImportFrom]


@functools.cache
def _page(home: str) -> _Page:
    source = inspect.getsource(importlib.import_module(home))
    rows = source.splitlines()
    page = _Page({}, {})
    for node in ast.parse(source).body:
        for inner in ast.walk(node) if isinstance(node, ast.If) else [node]:  # `if TYPE_CHECKING:` among them
            if isinstance(inner, ast.Import | ast.ImportFrom):
                page.imports.update({_bound(alias): inner for alias in inner.names})
        names = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        if names:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            text = "\n".join(_bare(row) for row in rows[first - 1 : node.end_lineno])
            page.definitions.update(dict.fromkeys(names, (node, text)))
    return page


def _bound(alias: ast.alias) -> str:
    """The name that an import brings."""
    return alias.asname or alias.name.partition(".")[0]


def _bare(row: str) -> str:
    """A line without what it says to our own tools."""
    return re.sub(r"  # (type: ignore|fmt: skip|noqa)\b.*$", "", row)


def _spoken(node: ast.AST) -> list[str]:
    """The names that are read in a definition, in order."""
    names = (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return list(dict.fromkeys(names))


def _check(node: ast.Import | ast.ImportFrom, where: str) -> None:
    modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for module in modules:
        if not _is_pythons(module) and module.partition(".")[0] != "torch":
            raise Unwritable(f"'{where}' needs '{module.partition('.')[0]}'")


def _is_pythons(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names
