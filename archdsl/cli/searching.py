"""Adds the commands about searches: `search`, `report`, `worker`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from archdsl.base.passwords import masked
from archdsl.cli.app import Data, DataRoot, Device, Download, Epochs, Json, Seed, app, print_json


@app.command(
    epilog="Example:  archdsl search my.arch --budget 99 --data npz:cifar10.npz --objective accuracy --objective params"
)
def search(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="The space. Default: the shipped 'placement'.")
    ] = "placement",
    budget: Annotated[int, typer.Option("--budget", metavar="N", help="How many different networks to train.")] = 50,
    data: Data = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective", metavar="SCORE", help="What to optimise (accuracy, minimize:nll, …); several: Pareto."
        ),
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(
            "--sampler", metavar="NAME", help="auto, bayes, tpe, gp, evolution, nsga2, buildup, random or exhaustive."
        ),
    ] = "auto",
    epochs: Epochs = None,
    seed: Seed = 0,
    halving: Annotated[bool, typer.Option(help="Stop networks early whose accuracy lags behind.")] = True,
    final_seeds: Annotated[
        int, typer.Option("--final-seeds", metavar="N", help="Trainings of the leaders and the baselines at the end.")
    ] = 3,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Training processes. Default: one per core, one on a GPU."),
    ] = None,
    device: Device = "auto",
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="The run's folder. Default: under runs/.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SEC", help="Start no further training, finals included, after so many seconds."
        ),
    ] = None,
    trial_timeout: Annotated[
        float | None, typer.Option("--trial-timeout", metavar="SEC", help="Give up a training after so many seconds.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="URL", help="postgresql+psycopg://…, in which other machines can join."),
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", metavar="NAME", help="Its name in the storage. Default: the run's.")
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option("--log", metavar="NAME", help="Log the search to tensorboard or mlflow as well; may be repeated."),
    ] = None,
    warm_start: Annotated[
        list[Path] | None,
        typer.Option(
            "--warm-start",
            metavar="RUN",
            help="Train the ten best networks of this earlier search first, whatever data and recipe they were found "
            "with; may be repeated.",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="DIR", help="Take trainings from this folder, and keep new ones there."),
    ] = None,
    data_root: DataRoot = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Search a space: train its members, keep the best, test it against all-Conv, all-MSA and alternating layouts.

    Running the same command again goes on where it stopped. The run's folder holds best.arch, trials.csv, report.html
    and an Optuna journal.
    """
    from archdsl.api.search import search as search_space
    from archdsl.cli.networks import _text_or_path
    from archdsl.cli.progress import SearchView
    from archdsl.study.tracking import Watches, make

    results = search_space(
        _text_or_path(file), budget=budget, data=data, data_root=data_root, download=download,
        objectives=objective or [], sampler=sampler, epochs=epochs, seed=seed, halving=halving,
        final_seeds=final_seeds, workers=workers, device=device, run=run, timeout=timeout,
        trial_timeout=trial_timeout, storage=storage, study=study, warm_start=warm_start or [],
        cache=cache,
        watch=Watches(SearchView(), make(log or [])),
        command=shlex.join(["archdsl", *map(masked, sys.argv[1:])]),
    )  # fmt: skip
    folder = Path(results["run"])
    if json:
        print_json(
            {
                "run": results["run"],
                "hash": results["spec"]["hash"],
                "trials": results["trials"],
                "best": results["best"],
                "pareto": [results["trials"][number] for number in results["pareto"]],
                "baselines": {f["name"]: f for f in results["finalists"] if f["name"] != "winner"},
                "winner": next((f for f in results["finalists"] if f["name"] == "winner"), None),
                "seconds": results["seconds"],
            }
        )
        return
    from rich.console import Console

    from archdsl.report import summary

    console = Console()
    (console if console.is_terminal else Console(width=140)).print(summary(results))
    print(f"\n{folder / 'best.arch'}\n{folder / 'trials.csv'}\n{folder / 'report.html'}")


@app.command(epilog="Example:  archdsl report runs/placement-fashion-1a2b3c4d")
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a search.")],
    json: Json = False,
) -> None:
    """Write or refresh report.html of a search, finished, killed or still at work."""
    from archdsl.report import write
    from archdsl.study.results import is_outdated

    if is_outdated(run):
        from archdsl.study.snapshot import snapshot  # brings PyTorch along

        page = write(run, snapshot(run))
    else:
        page = write(run)
    print_json({"report": str(page)}) if json else print(page)


@app.command(
    epilog="Example:  archdsl worker --storage postgresql+psycopg://me@db/archdsl --study placement-fashion-1a2b3c4d"
)
def worker(
    storage: Annotated[str, typer.Option("--storage", metavar="URL", help="postgresql+psycopg://…")],
    study: Annotated[str, typer.Option("--study", metavar="NAME", help="As 'archdsl search --storage' prints it.")],
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Training processes. Default: one per core, one per GPU."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="D", help="Where the study's data set is on this machine.")
    ] = None,
    data_root: DataRoot = None,
    device: Device = "auto",
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Folder for checkpoints, shared between machines where possible."),
    ] = None,
    trial_timeout: Annotated[
        float | None, typer.Option("--trial-timeout", metavar="SEC", help="Give up a training after so many seconds.")
    ] = None,
    json: Json = False,
) -> None:
    """Join a running search from this machine.

    Ctrl-C leaves it at any time; what was in training here goes to others.
    """
    from archdsl.study.distributed import join

    say = None if json else lambda text: print(text, file=sys.stderr)
    trained = join(
        storage, study, workers=workers, data=data, data_root=data_root, device=device, run=run,
        trial_timeout=trial_timeout, say=say,
    )  # fmt: skip
    print_json({"study": study, "networks": trained}) if json else print(f"{study}: {trained} networks")
