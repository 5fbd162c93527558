"""Runs a command and turns whatever goes wrong into a message and an exit code; no traceback reaches a user."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import typer
import typer.main

from archdsl.base.errors import ArchdslError, SpecError
from archdsl.base.interrupts import answered, as_interrupt
from archdsl.cli.app import COMMANDS, app, print_json

# Typer brings Click, as a package of its own or (of late) within; its base of all complaints is the same either way.
WrongCommandLine: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
INTERRUPTED = 130  # what Typer makes of Ctrl-C, wherever it is at that moment; no command of ours ends with it
# Commands that keep what they have finished.
GOES_ON = ("train", "analyze", "compare", "reproduce")


def main(arguments: list[str] | None = None) -> None:
    """The `archdsl` command; its exit code is 0 fine, 1 spec, data or study wrong, 2 command line wrong, 3 failed."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(given)
    except (typer.Abort, KeyboardInterrupt):
        code = _interrupted(given)
        sys.stdout.flush()
        sys.stderr.flush()
        # Where Ctrl-C came while a text was run as code, as when an import makes a data class, CPython remembers it as
        # unhandled, whoever handles it, and would end by the signal.
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        return _run(arguments)
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted(arguments)


def _interrupted(arguments: list[str]) -> int:
    """Say that the command was interrupted, and what is left of it; its exit code."""
    answered()
    goes_on = arguments[:1] and arguments[0] in GOES_ON
    sys.stderr.write("interrupted" + ("; the same command goes on from what is finished" if goes_on else "") + "\n")
    return 3


def _run(arguments: list[str]) -> int:
    try:
        with as_interrupt():
            command = _command_line(arguments)
            code = int(command(arguments, prog_name="archdsl", standalone_mode=False) or 0)
            if code == INTERRUPTED:
                raise KeyboardInterrupt
            sys.stdout.flush()
        return code
    except typer.Exit as exit:
        return int(exit.exit_code)
    except WrongCommandLine as error:
        error.show()  # type: ignore[attr-defined]
        return 2
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        # The reader of our output went away (`archdsl … | head`); that is no failure of ours. Click makes it an exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ArchdslError as error:
        report(error)
        if "--json" in arguments:
            print_json(_document(error))
        return error.exit_code
    except Exception as error:
        if os.environ.get("ARCHDSL_DEBUG"):
            raise
        name = type(error).__name__
        sys.stderr.write(
            f"error: archdsl failed where it should not: {name}: {error}\n"
            "  = help: please report this; ARCHDSL_DEBUG=1 shows where it happened\n"
        )
        return 3


def _command_line(arguments: list[str]) -> Any:
    """The application as far as these arguments need it: with all commands where they do not begin with one."""
    named = [COMMANDS[name] for name in arguments[:1] if name in COMMANDS]
    for module in dict.fromkeys(named or COMMANDS.values()):
        importlib.import_module(f"archdsl.cli.{module}")
    return typer.main.get_group(app)


def report(error: ArchdslError) -> None:
    """An error on standard error, its marks coloured on a terminal."""
    text = str(error) if isinstance(error, SpecError) else f"error: {error}"
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        text = _coloured(text)
    sys.stderr.write(text + "\n")


def _coloured(text: str) -> str:
    red, blue, plain = "\x1b[1;31m", "\x1b[1;34m", "\x1b[0m"
    lines = []
    for line in text.split("\n"):
        if set(line.strip()) <= {"|", "^", " "} and "^" in line:
            line = line.replace("^" * line.count("^"), f"{red}{'^' * line.count('^')}{plain}")
        line = line.replace("error: ", f"{red}error:{plain} ", 1).replace("= help: ", f"{blue}= help:{plain} ", 1)
        lines.append(line)
    return "\n".join(lines)


def _document(error: ArchdslError) -> dict[str, object]:
    if isinstance(error, SpecError):
        from archdsl.cli.specs import error_documents

        return {"errors": error_documents(error)}
    document: dict[str, object] = {"errors": [{"message": error.message, "help": error.help}]}
    return document if error.finished is None else document | {"finished": error.finished}
