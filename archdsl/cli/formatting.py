"""Adds the command `fmt`, which writes specs in their canonical form."""

from __future__ import annotations

import difflib
import os
import stat
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from archdsl.base.errors import ArchdslError, RunError, SpecError
from archdsl.cli.app import app


class Outcome(Enum):
    """What became of a file."""

    reformatted = "reformatted"
    unchanged = "unchanged"
    failed = "not formatted"


class Reformatted(NamedTuple):
    """A file as it is, byte order mark and carriage returns included, and as it should be."""

    path: str
    before: str
    after: str


@app.command(epilog="Example:  archdsl fmt specs/*.arch --check --diff")
def fmt(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Paths, or - for standard input.")],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")] = False,
) -> None:
    """Write files in canonical form, in place. Comments stay, and so does the meaning; names need not be right.

    Standard input goes to standard output.
    """
    outcomes: list[Outcome] = []
    code = 0
    for name in files:
        try:
            found = _format(name)
            _deliver(found, check, diff)
        except ArchdslError as error:
            sys.stderr.write(f"{error}\n\n" if isinstance(error, SpecError) else f"error: {error}\n\n")
            outcomes.append(Outcome.failed)
            code = max(code, error.exit_code)
        else:
            outcomes.append(Outcome.unchanged if found.before == found.after else Outcome.reformatted)
    if files != ["-"] or check:
        sys.stderr.write(_summary(outcomes, would=check or diff) + "\n")
    if check and Outcome.reformatted in outcomes:
        code = max(code, 1)
    if code:
        raise typer.Exit(code)


def _format(name: str) -> Reformatted:
    """Read a file and format it.

    Raises:
        SpecError: it does not follow the grammar.
        ArchdslError: it cannot be read, or is a shipped spec by its name alone.
    """
    from archdsl.base import resources
    from archdsl.language.formatting import format_text
    from archdsl.language.sources import read_file

    if name != "-" and os.path.exists(name) and not (os.path.isfile(name) or os.path.isdir(name)):
        raise ArchdslError(f"'{name}' is not a regular file", "pipe it in: archdsl fmt -")
    source = read_file(name)
    if name == "-":
        before = source.text
    elif not os.path.exists(name):
        shipped = resources.shipped_specs()[name.removesuffix(".arch")]
        raise ArchdslError(
            f"'{name}' is a spec that comes with archdsl, not a file of yours",
            f"name the path of a copy; cp '{shipped}' . makes one",
        )
    else:
        before = Path(name).read_bytes().decode("utf-8")
    return Reformatted(source.path, before, format_text(source.text, source.path))


def _deliver(found: Reformatted, check: bool, diff: bool) -> None:
    """Write the file, or say what would become of it."""
    path, before, after = found
    if diff:
        sys.stdout.write(_diff(found))
    elif path == "<stdin>" and not check:
        sys.stdout.write(after)
    if before == after or (path == "<stdin>" and not check):
        return
    if not (check or diff):
        _replace(Path(path), after)
    sys.stderr.write(f"{'would reformat' if check or diff else 'reformatted'} {path}\n")


def _replace(path: Path, text: str) -> None:
    """Write a file anew, where a link leads to, with the permissions it has.

    Raises:
        RunError: it cannot be written; it is left as it was.
    """
    from archdsl.base.files import write_atomically

    if not os.access(path, os.W_OK):
        raise RunError(f"cannot write '{path}': it is read-only", "check its permissions")
    target = path.resolve()
    mode = stat.S_IMODE(target.stat().st_mode)
    write_atomically(target, text).chmod(mode)


def _diff(found: Reformatted) -> str:
    lines = difflib.unified_diff(_lines(found.before), _lines(found.after), found.path, found.path)
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    out = []
    for line in lines:
        shown = _coloured(line.removesuffix("\n")) if colours else line.removesuffix("\n")
        out.append(f"{shown}\n" if line.endswith("\n") else f"{shown}\n\\ No newline at end of file\n")
    return "".join(out)


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a line feed ends one."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1].removesuffix("\n")
    return lines if lines[-1] else lines[:-1]


def _coloured(line: str) -> str:
    """A line of a diff in the colours of git."""
    for start, colour in (("+++", "1"), ("---", "1"), ("@@", "36"), ("+", "32"), ("-", "31")):
        if line.startswith(start):
            return f"\x1b[{colour}m{line}\x1b[0m"
    return line


def _summary(outcomes: list[Outcome], would: bool) -> str:
    """`1 file reformatted, 2 files unchanged`, as black says it."""
    parts = []
    for outcome in Outcome:
        if count := outcomes.count(outcome):
            verb = "would be " if would and outcome is Outcome.reformatted else ""
            parts.append(f"{count} file{'s' if count > 1 else ''} {verb}{outcome.value}")
    return ", ".join(parts)
