"""Sets up the Typer application that every command file adds to, and the options several commands share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
import typer.core

# Every command, in the order in which one meets them, and the module that adds it: it alone is imported to run it.
COMMANDS = {
    "check": "specs", "fmt": "formatting", "show": "specs", "space": "specs", "draw": "pictures", "diff": "pictures",
    "compile": "networks", "train": "networks", "analyze": "networks", "compare": "comparing", "search": "searching",
    "worker": "searching", "report": "searching", "reproduce": "reproducing",
    "lsp": "editor",
}  # fmt: skip


class Commands(typer.core.TyperGroup):
    """The commands in the order in which one meets them, not in that of the files they stand in."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names for `--help`; one that COMMANDS does not know comes last."""
        order = list(COMMANDS)
        return sorted(super().list_commands(ctx), key=lambda name: order.index(name) if name in order else len(order))


app = typer.Typer(
    name="archdsl",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Declare vision architectures that mix convolution and self-attention, and search for the good ones.\n\n"
    "A FILE is a path, the name of a shipped spec (alternet_50), or - for standard input.\n\n"
    "Begin with:  `archdsl compile alternet_50`  and  `archdsl search --budget 50`",
)

File: TypeAlias = Annotated[str, typer.Argument(metavar="FILE", help="Path, shipped name, or - for standard input.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Data: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="fashion (embedded), fashion-mnist, cifar10, cifar100, npz:PATH, imagefolder:PATH. Default: what the file "
        "names, else fashion.",
    ),
]
DataRoot: TypeAlias = Annotated[Path | None, typer.Option("--data-root", metavar="DIR", help="Where data sets lie.")]
Download: TypeAlias = Annotated[bool, typer.Option("--download", help="Fetch the data set if it is not there.")]
Seed: TypeAlias = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, max=2**63 - 1, help="Seed of everything random.")
]
Epochs: TypeAlias = Annotated[
    int | None, typer.Option("--epochs", metavar="N", help="Epochs of a training, in place of the file's.")
]
Device: TypeAlias = Annotated[str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")]


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
