"""The command about several networks: `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from archdsl.cli.app import Data, DataRoot, Device, Download, Epochs, Json, Seed, app, print_json
from archdsl.cli.networks import Batches, BatchSize, Compat, Only, names


@app.command(epilog="Example:  archdsl compare resnet_18 alternet_18 --data npz:cifar10.npz --epochs 30 --seeds 3")
def compare(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|CHECKPOINT…",
            help="Two or more: specs, which are trained alike, or checkpoints of 'archdsl train'.",
        ),
    ],
    data: Data = None,
    only: Only = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", min=1, help="Trainings of each spec; intervals are then over these.")
    ] = 1,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for trainings, analyses, table and page.")
    ] = None,
    batches: Batches = None,
    batch_size: BatchSize = None,
    compat: Compat = None,
    race: Annotated[
        float | None,
        typer.Option(
            "--race",
            metavar="ALPHA",
            help="Measure the Hessian batch by batch and stop once each network is settled as flatter or sharper than "
            "the first; any wrong verdict has at most this probability, such as 0.05.",
        ),
    ] = None,
    data_root: DataRoot = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Measure trained networks side by side: how they behave. (For how two specs are written, see `archdsl diff`.)"""
    from archdsl.api.compare import compare as compare_networks
    from archdsl.base.errors import ArchdslError
    from archdsl.cli.progress import Bar

    with Bar("training") as bar:
        try:
            result = compare_networks(
                files, data=data, data_root=data_root, download=download, only=names(only), epochs=epochs, seed=seed,
                seeds=seeds, device=device, out=out, batches=batches, batch_size=batch_size, compat=compat, race=race,
                on_step=bar.step, say=bar.say,
            )  # fmt: skip
        except ArchdslError as error:
            if error.finished is not None and not json:
                _print(dict(error.finished))
            raise
    if json:
        print_json(result)
        return
    _print(result)


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from archdsl.report.wording import short

    networks = result["networks"]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("")
    for network in networks:
        grid.add_column(network["name"], justify="right", no_wrap=True)
    grid.add_column("better", style="dim")
    grid.add_row("parameters", *(short(network["params"]) for network in networks))
    group = ""
    for row in result["table"]:
        if row["group"] != group:
            group = row["group"]
            grid.add_section()
            grid.add_row(group, style="bold")
        told = [""] + ["" if gap is None else _told(gap) for gap in row["differences"]]
        values = [f"{_value(v)}{t}" for v, t in zip(row["values"], told, strict=True)]
        unit = "" if row["unit"] == "1" else f" [dim]({row['unit']})[/dim]"
        grid.add_row(f"  {row['score']}{unit}", *values, row["better"])
    console = Console()
    console = console if console.is_terminal else Console(width=max(80, 50 + 30 * len(networks)))
    console.print(grid, highlight=False)
    print(f"↑ ↓ above or below {networks[0]['name']}, told from chance at 95%; intervals, figures: {result['folder']}")


def _value(found: dict[str, Any] | None) -> str:
    if found is None:
        return "–"
    half = "" if found["high"] is None else f" ± {(found['high'] - found['low']) / 2:.2g}"
    return f"{found['value']:.4g}{half}"


def _told(gap: dict[str, Any]) -> str:
    """An arrow where the interval of the difference excludes 0."""
    if gap["low"] is None or gap["low"] <= 0 <= gap["high"]:
        return "  "
    return " ↑" if gap["value"] > 0 else " ↓"
