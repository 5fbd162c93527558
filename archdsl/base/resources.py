"""Finds the shipped grammar and specs: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

import re
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def folder(name: str) -> Path:
    """The folder `grammars` or `specs`: in the package when installed from a wheel, beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def shipped_specs() -> dict[str, Path]:
    """Every shipped spec by name, in order; numbers in names count by their size."""
    return {path.stem: path for path in sorted(folder("specs").glob("*.arch"), key=_by_number)}


def _by_number(path: Path) -> list[str | int]:
    """Sorts resnet_18 before resnet_101."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.stem)]
