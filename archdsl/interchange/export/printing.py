"""Expressions to lines of Python, broken as ruff breaks them; the comma at the end keeps broken what is broken."""

from __future__ import annotations

from archdsl.interchange.export.expressions import Argument, Atom, Call, Expression

WIDTH = 88


def lines(lead: str, value: Expression, tail: str = "", indent: int = 0) -> list[str]:
    """`lead value tail` on one line if it fits into 88 columns, else with every part on a line of its own.

    Args:
        lead: what stands before, such as `return ` or `self.stem = `.
        tail: what follows at once, such as a comma.
        indent: in columns.
    """
    margin = " " * indent
    one = f"{margin}{lead}{flat(value)}{tail}"
    opening, parts, closing = _parts(value)
    if len(one) <= WIDTH or not parts:
        return [one]
    found = [f"{margin}{lead}{opening}"]
    for name, part in parts:
        found += lines(name, part, ",", indent + 4)
    return [*found, f"{margin}{closing}{tail}"]


def flat(value: Expression) -> str:
    """An expression on one line."""
    if isinstance(value, Atom):
        return str(value)
    opening, parts, closing = _parts(value)
    inner = ", ".join(name + flat(part) for name, part in parts)
    return f"{opening}{inner}{',' if opening == '(' and len(parts) == 1 else ''}{closing}"


def _parts(value: Expression) -> tuple[str, list[tuple[str, Expression]], str]:
    if isinstance(value, Atom):
        return "", [], ""
    if isinstance(value, Call):
        return f"{value.name}(", [(_name(a), a.value) for a in value.arguments if a.positional or not a.is_default], ")"
    return value.brackets[0], [("", item) for item in value.items], value.brackets[1]


def _name(argument: Argument) -> str:
    return "" if argument.positional else f"{argument.name}="
