"""The command `bench screens`: what every screen is worth on a fully trained table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from archdsl.cli.app import DataRoot, Device, Json, bench, print_json


@bench.command(epilog="Example:  archdsl bench screens --screen synflow --screen supernet --seeds 1")
def screens(
    table: Annotated[
        Path | None, typer.Option("--table", metavar="CSV", help="A trained table. Default: the shipped one.")
    ] = None,
    screen: Annotated[
        list[str] | None,
        typer.Option("--screen", metavar="NAME", help="Which to measure; may be repeated. Default: all."),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="How often a screen that draws something is measured.")
    ] = 3,
    device: Device = "cpu",
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Measure what the screens of 'archdsl search --screen' are worth, on a space that was trained whole."""
    from archdsl.base.device import pick_device
    from archdsl.bench import Table, shipped
    from archdsl.bench.screens import measure_screens
    from archdsl.cli.progress import Bar

    where = pick_device(device)
    trained = shipped() if table is None else Table.read(table)
    with Bar("preparing") as bar:
        result = measure_screens(
            trained, screen or [], seeds=seeds, data_root=data_root, device=where,
            command=shlex.join(["archdsl", *sys.argv[1:]]), say=bar.say, on_step=bar.step,
        )  # fmt: skip
    if json:
        print_json(result)
        return
    _print(result)


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    from archdsl.bench.screens import YARDSTICK, verdict

    training = result["training_seconds"]["before"]
    title = f"{result['networks']} networks of {result['table']['name']} on {result['table']['data']}"
    grid = Grid(box=None, pad_edge=False, title=title, title_justify="left")
    grid.add_column("screen")
    for head in ("rho test", "95%", "rho validation", "best 1% kept", "best 5% kept", "prepare", "per member"):
        grid.add_column(head, justify="right")
    grid.add_column("")
    for name, entry in result["screens"].items():
        rho, kept = entry["test"]["correlation"], entry["test"]["survive"]
        said = "yardstick" if name == YARDSTICK else verdict(entry)
        grid.add_row(
            name, f"{rho['value']:+.2f}", f"{rho['low']:+.2f} to {rho['high']:+.2f}",
            f"{entry['validation']['correlation']['value']:+.2f}", f"{kept['1%']['share']:.0%}",
            f"{kept['5%']['share']:.0%}", f"{entry['seconds']['prepare']:.1f} s",
            f"{entry['seconds']['member'] / training:.1%}", said,
        )  # fmt: skip
    console = Console()
    (console if console.is_terminal else Console(width=130)).print(grid, highlight=False)
    print(f"\n'kept' counts members of the best by test accuracy in the admitted {result['share']:.0%}.")
    print(f"'per member' is a share of one training, {training:.1f} s here and now.")
    if result["ceiling"]:
        top = result["ceiling"]["test"]
        print(
            f"Of the mean of the other seeds, one whole training tells {top['training']:+.2f}, "
            f"its first epoch {top['first_epoch']:+.2f}."
        )
