"""Adds the command `lsp`, which editors start."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Annotated, NoReturn

import typer

from archdsl.cli.app import app


@app.command(epilog="Set-up for VS Code, Neovim and Helix: editors/README.md")
def lsp(
    stdio: Annotated[bool, typer.Option("--stdio", help="Some editors say so; there is no other way.")] = False,
) -> None:
    """Serve an editor on standard input and output, by the Language Server Protocol."""
    from archdsl.editor.server import serve

    signal.signal(signal.SIGINT, _end)
    raise typer.Exit(serve())


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Ctrl-C: the editor has all texts, and Python could not end in order beside the thread that waits for input."""
    os.write(2, b"interrupted\n")
    os._exit(3)
