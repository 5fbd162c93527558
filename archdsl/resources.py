"""Where the shipped grammar and specs lie: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder `grammars` or `specs`: in the package when installed from a wheel, beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def shipped_specs() -> dict[str, Path]:
    """Every shipped spec by name, in alphabetical order."""
    return {path.stem: path for path in sorted(folder("specs").glob("*.arch"))}
