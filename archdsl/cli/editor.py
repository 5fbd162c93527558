"""The command that editors start: `lsp`."""

from __future__ import annotations

from typing import Annotated

import typer

from archdsl.cli.app import app


@app.command(epilog="Set-up for VS Code, Neovim and Helix: editors/README.md")
def lsp(
    stdio: Annotated[bool, typer.Option("--stdio", help="Some editors say so; there is no other way.")] = False,
) -> None:
    """Serve an editor on standard input and output, by the Language Server Protocol."""
    from archdsl.editor.server import serve

    raise typer.Exit(serve())
