"""The command about the paper: `reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.cli.app import Data, DataRoot, Device, Download, Json, app, print_json


@app.command(epilog="Example:  archdsl reproduce --full --data npz:cifar10.npz --device cuda")
def reproduce(
    full: Annotated[
        bool, typer.Option("--full", help="Larger networks for 32 x 32 images, on a GPU; needs --data.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Try the whole path with one epoch: the numbers mean nothing.")
    ] = False,
    data: Data = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="Trainings per network. Default: 5; with --full 3.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="Epochs on all images. Default: 12; with --full 60.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Training processes. Default: one per core, one on a GPU."),
    ] = None,
    device: Device = "auto",
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="The run's folder. Default: under runs/.")
    ] = None,
    render: Annotated[
        bool, typer.Option("--render", help="Train nothing: write page and figures of --run again from its results.")
    ] = False,
    data_root: DataRoot = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Rerun the paper (arXiv 2202.06709): train matched networks, draw its figures, judge its claims.

    Running the same command again goes on where it stopped. The run's folder holds report.html, index.md, the figures
    and results.json with every record.
    """
    from archdsl.api.reproduction import render as render_again
    from archdsl.api.reproduction import reproduce as rerun
    from archdsl.base.errors import UsageError
    from archdsl.cli.progress import Bar

    if render:
        if run is None:
            raise UsageError("--render needs a run", "name its folder with --run")
        given = {"--full": full, "--quick": quick, "--data": data, "--seeds": seeds, "--epochs": epochs}
        if ignored := [name for name, value in given.items() if value]:
            raise UsageError(f"--render trains nothing, so {' and '.join(ignored)} would be ignored", "leave them out")
        results = render_again(run)
    else:
        with Bar("trainings") as bar:
            results = rerun(
                full=full, quick=quick, data=data, data_root=data_root, download=download, seeds=seeds, epochs=epochs,
                workers=workers, device=device, run=run, say=bar.say,
                on_step=lambda done, total: bar.step(int(done), int(total)),
            )  # fmt: skip
    if json:
        print_json({name: results[name] for name in ("run", "seeds", "data", "networks", "claims", "seconds")})
        return
    for claim in results["claims"]:
        print(f"  {claim['verdict']:<14}{claim['says']}")
    print(f"\n{Path(results['run']) / 'report.html'}")
