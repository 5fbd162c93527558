"""The commands `bench table`, `bench samplers`, `bench correlation`: a space trained whole, and what it shows."""

from __future__ import annotations

import json as jsons
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from archdsl.cli.app import Data, DataRoot, Device, Download, Epochs, File, Json, bench, print_json

Trained: TypeAlias = Annotated[
    Path | None, typer.Option("--table", metavar="CSV", help="A trained table. Default: the shipped one.")
]


@bench.command(epilog="Example:  archdsl bench table placement -o placement.csv --seeds 3")
def table(
    file: File,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="CSV", help="The table; a JSON file stands beside it.")],
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Trainings of each network.")] = 3,
    data: Data = None,
    epochs: Epochs = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, help="Processes that train.")] = 1,
    device: Device = "auto",
    data_root: DataRoot = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Train every member of a space on several seeds and measure it; running it again goes on where it stopped."""
    from archdsl.bench import make
    from archdsl.cli.networks import _text_or_path
    from archdsl.cli.progress import Bar

    with Bar("trainings") as bar:

        def told(done: int, total: int, row: Any) -> None:
            bar.step(done, total)
            if not bar.console.is_terminal:
                bar.say(f"{done}/{total}  {row.layout}  seed {row.seed}  accuracy {row.scores['accuracy']:.4f}")

        trained = make(
            _text_or_path(file), out, data=data, data_root=data_root, download=download, seeds=seeds, epochs=epochs,
            workers=workers, device=device, command=shlex.join(["archdsl", *sys.argv[1:]]), on_row=told,
        )  # fmt: skip
    document = {"table": str(out), "networks": len(trained.by_hash), "rows": len(trained.rows)}
    print_json(document) if json else print(f"{out}: {document['networks']} networks, {document['rows']} trainings")


@bench.command(epilog="Example:  archdsl bench samplers --seeds 50 --sampler tpe --sampler random -o found")
def samplers(
    table: Trained = None,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="Simulated searches of each sampler.")] = 50,
    budget: Annotated[int, typer.Option("--budget", metavar="N", help="Networks trained in each.")] = 100,
    sampler: Annotated[
        list[str] | None,
        typer.Option("--sampler", metavar="NAME", help="Which; may be repeated. Default: all but exhaustive."),
    ] = None,
    objective: Annotated[str, typer.Option("--objective", metavar="SCORE", help="What is searched for.")] = "accuracy",
    guide: Annotated[
        str | None, typer.Option("--guide", metavar="SCORE", help="What samplers are told. Default: the objective.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Write samplers.json, .svg and .png here.")
    ] = None,
    json: Json = False,
) -> None:
    """Search a table with every sampler: trainings until a best network is found, and regret against trainings.

    A simulated search goes through the code that proposes in a real one; only the trainings are looked up. It sees one
    noisy training of a network; what counts is the mean over the table's seeds.
    """
    from archdsl.base.errors import RunError
    from archdsl.base.files import write_atomically
    from archdsl.bench import Table, shipped
    from archdsl.bench.regret import compare
    from archdsl.cli.progress import Bar
    from archdsl.study.plan import versions
    from archdsl.study.samplers import EXHAUSTIVE, SAMPLERS

    trained = shipped() if table is None else Table.read(table)
    names = list(dict.fromkeys(sampler or [name for name in SAMPLERS if name != EXHAUSTIVE]))
    for name in names:
        _ = SAMPLERS[name]  # a typo is found before an hour of simulation
    with Bar("searches") as bar:
        result = compare(trained, names, seeds=seeds, budget=budget, score=objective, guide=guide, on_search=bar.step)
    facts = {"name": trained.facts.get("name"), "data": trained.facts.get("data"), "seeds": trained.seeds}
    result |= {"table": facts, "versions": versions(), "command": shlex.join(["archdsl", *sys.argv[1:]])}
    if out is not None:
        from archdsl.bench.regret_plot import draw

        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make the folder '{out}': {error.strerror}", "choose another with -o") from None
        write_atomically(out / "samplers.json", jsons.dumps(result, indent=1) + "\n")
        draw(result, out / "samplers")
    print_json(result) if json else _print_samplers(result)


def _print_samplers(result: dict[str, Any]) -> None:
    unit = 100 if result["objective"]["name"] == "accuracy" else 1
    name = result["objective"]["name"]
    told = f", told {result['guide']}" if result["guide"] != name else ""
    grid = _grid(
        f"{result['networks']} networks, {result['seeds']} searches of {result['budget']} trainings by {name}{told}"
    )
    grid.add_column("sampler")
    grid.add_column(f"trainings to a best {result['best']} (median)", justify="right")
    places = list(next(iter(result["samplers"].values()))["regret_at"])
    for place in places:
        grid.add_column(f"regret at {place}", justify="right")
    grid.add_column("proposals in vain", justify="right")
    for sampler, entry in result["samplers"].items():
        median = entry["median_first_best"]
        regrets = []
        for place in places:
            at = entry["regret_at"][place]
            regrets.append(f"{unit * at['value']:.2f} ± {unit * (at['high'] - at['value']):.2f}")
        shown = f"over {result['budget']}" if median is None else f"{median:g}"
        grid.add_row(sampler, shown, *regrets, f"{entry['wasted']:.1f}")
    _show(grid)
    points = "points of accuracy" if name == "accuracy" else name
    print(f"\nRegret of the network that looks best, in {points}, with 95% intervals of the mean over searches.")
    print(f"Draws without repetition take {result['random_in_theory']} trainings (median, exact, without baselines).")


@bench.command(epilog="Example:  archdsl bench correlation --target accuracy")
def correlation(
    table: Trained = None,
    target: Annotated[
        str, typer.Option("--target", metavar="SCORE", help="test_accuracy, or accuracy (on validation).")
    ] = "test_accuracy",
    json: Json = False,
) -> None:
    """Rank correlation of every score and of early epochs with mean accuracy, and whether the paper's rule holds."""
    from archdsl.bench import Table, shipped
    from archdsl.bench.correlation import YARDSTICK, correlations, places

    trained = shipped() if table is None else Table.read(table)
    result = correlations(trained, target)
    result["placement"] = places(trained, target)
    if json:
        print_json(result)
        return
    grid = _grid(f"Spearman's rho with the mean {target.replace('_', ' ')} of the other seeds")
    for head in ("score of one training", "rho", "95%", "networks"):
        grid.add_column(head, justify="left" if head.startswith("score") else "right")
    for name, rho in sorted(result["scores"].items(), key=lambda item: -abs(item[1]["value"])):
        label = f"{name} (yardstick)" if name == YARDSTICK else name
        grid.add_row(label, f"{rho['value']:+.2f}", f"{rho['low']:+.2f} to {rho['high']:+.2f}", str(rho["n"]))
    _show(grid)
    _print_places(result["placement"])


def _print_places(result: dict[str, Any]) -> None:
    grid = _grid("Effect of an MSA at each place, the others held still, in points of accuracy")
    for head in ("place", "effect", "95%"):
        grid.add_column(head, justify="left" if head == "place" else "right")
    for name, effect in result["msa_at"].items():
        grid.add_row(name, *_points(effect))
    grid.add_section()
    for count, effect in result["ends"]["strata"].items():
        grid.add_row(f"at stage ends, not beginnings; {count} MSAs", *_points(effect))
    if result["ends"]["all"] is not None:
        grid.add_row("the same over all these", *_points(result["ends"]["all"]), style="bold")
    print()
    _show(grid)


def _points(effect: dict[str, float]) -> tuple[str, str]:
    return f"{100 * effect['value']:+.2f}", f"{100 * effect['low']:+.2f} to {100 * effect['high']:+.2f}"


def _grid(title: str) -> Any:
    from rich.table import Table as Grid

    print(title)  # a title of the grid's own would be folded to its width
    return Grid(box=None, pad_edge=False)


def _show(grid: Any) -> None:
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=130)).print(grid, highlight=False)
