"""The command line reference, made from the Typer application: every command, argument and option it has."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from archdsl.cli.app import COMMANDS, app


def commands() -> str:
    """Markdown: a section for every command."""
    for module in COMMANDS.values():
        importlib.import_module(f"archdsl.cli.{module}")
    group: Any = typer.main.get_command(app)
    names = [*COMMANDS, *(name for name in group.commands if name not in COMMANDS)]
    return "\n".join(line for name in names for line in _sections(name, group.commands[name])) + "\n"


def _sections(name: str, command: Any) -> Iterator[str]:
    """The section of a command, or those of all commands of a group."""
    for inner, member in getattr(command, "commands", {}).items():
        yield from _sections(f"{name} {inner}", member)
    if not hasattr(command, "commands"):
        yield from _command(name, command)


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([f"archdsl {name}", *map(_metavar, arguments), *(["[OPTIONS]"] if options else [])])
    yield f"## {name}\n\n{inspect.cleandoc(command.help or '')}\n\n```text\n{usage}\n```\n"
    yield "| | |\n|---|---|"
    for parameter in arguments:
        yield f"| `{_metavar(parameter)}` | {_cell(parameter.help)} |"
    for option in options:
        yield f"| {_flags(option)} | {_cell(option.help)}{_default(option)} |"
    yield ""
    if command.epilog:
        example = command.epilog.removeprefix("Example:").strip()
        yield f"```sh\n{example}\n```\n" if example.startswith("archdsl") else f"{command.epilog}\n"


def _metavar(argument: Any) -> str:
    shown = argument.metavar or argument.name.upper()
    return shown if argument.required or shown.startswith("[") else f"[{shown}]"


def _flags(option: Any) -> str:
    takes = "" if option.is_flag else f" {option.metavar or _choices(option)}"
    return ", ".join(f"`{flag}{takes}`" for flag in (*option.opts, *option.secondary_opts))


def _choices(option: Any) -> str:
    """The words of an option that is an enumeration, which its default tells."""
    kind = type(option.default)
    return "\\|".join(member.value for member in kind) if issubclass(kind, Enum) else "VALUE"


def _default(option: Any) -> str:
    value = getattr(option.default, "value", option.default)
    if option.is_flag or option.multiple or value is None or value in ("", ()):
        return ""
    return f" Default: `{value}`."


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("[FILE]", "`[FILE]`")
