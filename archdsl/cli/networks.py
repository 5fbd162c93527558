"""Commands about one network: `compile`, `train`, `analyze`."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from archdsl.base.errors import ArchdslError, RunError, UsageError
from archdsl.cli.app import Data, DataRoot, Device, Download, Epochs, File, Json, Seed, app, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archdsl.language.sources import Source
    from archdsl.network import Architecture
    from archdsl.network.model import Network


@app.command(epilog="Example:  archdsl compile alternet_50 --export safetensors,onnx --out exports")
def compile(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|CHECKPOINT",
            help="Path of a spec, shipped name, or - for standard input; or a .safetensors file of 'archdsl train' or "
            "--export, whose weights are then taken.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write NAME.arch (as compiled) and NAME.json here, and the exports."),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            "--export",
            metavar="FORMATS",
            help="Write the network as NAME.…, with commas: safetensors,pt2,onnx,python. Without --out: here.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the weights of a spec.")] = 0,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency",
            help="Measure the milliseconds of every block; done unasked where the file requires latency_ms.",
        ),
    ] = False,
    batch: Annotated[
        int,
        typer.Option("--batch-size", metavar="N", min=1, help="Images that flow at once where latency is measured."),
    ] = 1,
    device: Annotated[str, typer.Option("--device", metavar="DEVICE", help="Where latency is measured.")] = "auto",
    json: Json = False,
) -> None:
    """Build the PyTorch model, run one forward pass, print its blocks with shapes, parameters and MACs; export it."""
    import torch

    from archdsl.interchange.arch_text import write

    formats = list(dict.fromkeys(name.strip() for name in (export or "").split(",") if name.strip()))
    if export is not None and not formats:
        raise UsageError("--export names no format", "for example: --export safetensors,onnx")
    if formats:
        from archdsl.interchange.export import check_formats

        check_formats(formats)
    model, source = _network(file, seed)
    architecture = model.architecture
    times = _latencies(source, architecture, device, batch, asked=latency)
    try:
        with torch.no_grad():
            logits = model(torch.zeros(1, *architecture.input))
    except (MemoryError, RuntimeError) as error:
        raise RunError(f"the forward pass failed: {error}", "is there enough memory for one image?") from None
    if tuple(logits.shape) != (1, architecture.classes):
        raise RunError(f"the model gives {tuple(logits.shape)}, not {architecture.classes} classes")
    table = architecture.table()
    if times is not None:
        settings, milliseconds = times
        table |= {"latency_ms": sum(milliseconds), "latency": settings}
        for row, time in zip(table["blocks"], milliseconds, strict=True):
            row["latency_ms"] = time
    if out is not None:
        from archdsl.base.files import write_atomically

        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make the folder '{out}': {error.strerror}", "choose another with --out") from None
        write_atomically(out / f"{architecture.name}.arch", write(architecture))
        write_atomically(out / f"{architecture.name}.json", jsons.dumps(table, indent=1) + "\n")
    written = _exports(model, formats, out or Path(), file)
    if json:
        print_json(table | ({"exports": {name: str(path) for name, path in written.items()}} if formats else {}))
        return
    _print_blocks(table)
    for name, path in written.items():
        print(f"{name}: {path} ({_bytes(path.stat().st_size)})")


def _latencies(
    source: Source | None, architecture: Architecture, device: str, batch: int, asked: bool
) -> tuple[str, list[float]] | None:
    """Under which settings, and milliseconds of every block; None where neither the user nor the file asks for them.

    Raises:
        SpecError: the file requires another latency.
    """
    from archdsl.ir.conditions import is_measured

    spec = None if source is None else source.spec()
    if not asked and (spec is None or not any(map(is_measured, spec.require))):
        return None
    from archdsl.base.device import pick_device
    from archdsl.network.latency import Latencies, check

    latencies = Latencies(pick_device(device), batch=batch)
    milliseconds = latencies.blocks(architecture)
    if source is not None and spec is not None:
        check(spec, architecture, latencies, source.text, source.path)
    return latencies.settings, milliseconds


def _network(file: str, seed: int) -> tuple[Network, Source | None]:
    """The network of a file in eval mode with fresh weights, and the file; or that of a checkpoint with its weights."""
    import torch

    from archdsl.interchange.export.weights import load
    from archdsl.language.sources import read_file
    from archdsl.network import resolve_model
    from archdsl.network.model import build

    if file.endswith(".safetensors"):
        return load(file), None
    source = read_file(file)
    architecture = resolve_model(source.spec(), source.text, source.path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(architecture).eval(), source


def _exports(model: Network, formats: list[str], folder: Path, file: str) -> dict[str, Path]:
    """Export the model, but not over the checkpoint that it came from, which holds more than its weights."""
    if not formats:
        return {}
    from archdsl.interchange.export import export, paths

    for path in paths(model.architecture.name, formats, folder).values():
        if path.exists() and Path(file).exists() and path.samefile(file):
            raise UsageError(f"the export would replace '{file}', from which it is made", "name a folder with --out")
    return export(model, formats, folder)


def _bytes(size: int) -> str:
    """A size as people read it: 1.2 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def _print_blocks(table: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    def size(dims: list[int]) -> str:
        return "x".join(map(str, dims))

    grid = Table(box=None, pad_edge=False, title=f"{table['name']}  {table['hash'][:12]}", title_justify="left")
    grid.add_column("block")
    grid.add_column("kind")
    measured = "latency_ms" in table
    for name in ("out", "params", "MACs", *(("ms",) if measured else ())):
        grid.add_column(name, justify="right")
    for b in table["blocks"]:
        kind = b["label"] if b["label"] == b["kind"] else f"{b['label']} ({b['kind']})"
        time = (f"{b['latency_ms']:.3f}",) if measured else ()
        grid.add_row(b["path"], kind, size(b["out"]), f"{b['params']:,}", f"{b['macs']:,}", *time)
    grid.add_section()
    time = (f"{table['latency_ms']:.3f}",) if measured else ()
    grid.add_row("total", "", f"{table['classes']}", f"{table['params']:,}", f"{table['macs']:,}", *time, style="bold")
    # Wide enough for every column even where output is piped.
    console = Console()
    console = console if console.is_terminal else Console(width=120)
    console.print(grid, highlight=False)
    if measured:
        print(f"ms: each block alone, then their sum; {table['latency']}")


@app.command(epilog="Example:  archdsl train resnet_18 --data npz:cifar10.npz --epochs 30")
def train(
    file: File,
    data: Data = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option("--out", metavar="PATH", help="The checkpoint (.safetensors).")] = None,
    keep_every: Annotated[
        int | None,
        typer.Option(
            "--keep-every", metavar="N", min=1, help="Keep the weights after every N epochs in files of their own."
        ),
    ] = None,
    data_root: DataRoot = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Train one network and test it; an interrupted training goes on where it stopped."""
    from archdsl.api.train import train as train_spec
    from archdsl.cli.progress import Bar

    with Bar("training") as bar:
        result = train_spec(
            _text_or_path(file), data=data, data_root=data_root, download=download, epochs=epochs, seed=seed,
            device=device, out=out, keep_every=keep_every, on_step=bar.step, on_epoch=bar.epoch,
        )  # fmt: skip
    if json:
        print_json(result)
        return
    print(
        f"{result['name']} on {result['data']}: test accuracy {result['accuracy']:.4f}, NLL {result['nll']:.4f}, "
        f"ECE {result['ece']:.4f} ({result['epochs']} epochs, {result['seconds']:.1f} s, {result['device']})"
    )
    print(f"checkpoint: {result['checkpoint']}")
    if result["kept"]:
        print(f"epochs: {' '.join(result['kept'])}")


Only: TypeAlias = Annotated[
    str | None,
    typer.Option("--only", metavar="NAMES", help="Analyses, with commas: hessian,fourier. Default: the usual ones."),
]
Batches: TypeAlias = Annotated[
    int | None, typer.Option("--batches", metavar="N", min=1, help="Batches of each analysis but quality.")
]
BatchSize: TypeAlias = Annotated[
    int | None, typer.Option("--batch-size", metavar="N", min=1, help="Images in each of them.")
]
Compat: TypeAlias = Annotated[
    str | None,
    typer.Option("--compat", metavar="NAME", help="parkkim: measure as the public code of arXiv 2202.06709 does."),
]


@app.command(epilog="Example:  archdsl analyze runs/resnet_18-fashion-1a2b3c4d-seed0/model.safetensors --only hessian")
def analyze(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|CHECKPOINT…",
            help="A checkpoint of 'archdsl train', or a spec, which is trained first; or several checkpoints of one "
            "training (--keep-every), whose Hessian eigenvalues are drawn against the epochs.",
        ),
    ],
    data: Data = None,
    only: Only = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for scores, arrays, figures and the page.")
    ] = None,
    batches: Batches = None,
    batch_size: BatchSize = None,
    compat: Compat = None,
    density: Annotated[
        bool, typer.Option("--density", help="The density of all Hessian eigenvalues and the trace, too.")
    ] = False,
    data_root: DataRoot = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Measure a trained network: curvature, frequencies, noise, lesions (ablation), …; writes scores, arrays, a page.

    What is finished is kept: the same command goes on where it was interrupted.
    """
    from archdsl.api.analyze import analyze as analyze_spec
    from archdsl.api.analyze_checkpoints import analyze_checkpoints
    from archdsl.cli.progress import Bar

    with Bar("training") as bar:
        options: dict[str, Any] = {
            "data": data, "data_root": data_root, "download": download, "only": names(only), "seed": seed,
            "device": device, "out": out, "batches": batches, "batch_size": batch_size, "compat": compat,
            "density": density, "say": bar.say,
        }  # fmt: skip
        try:
            if len(files) > 1:
                if epochs is not None:
                    raise UsageError("--epochs is for specs, which are trained first", "leave it out")
                result = analyze_checkpoints(files, **options)
            else:
                result = analyze_spec(_text_or_path(files[0]), epochs=epochs, on_step=bar.step, **options)
        except ArchdslError as error:
            if error.finished is not None and not json:
                _print_analysis(error.finished)
            raise
    if json:
        print_json(result)
    else:
        _print_analysis(result)


def _print_analysis(result: Mapping[str, Any]) -> None:
    """The scores of a network, or of its epochs."""
    if "epochs" in result:
        _print_epochs(result)
        return
    for name, value in result["scores"].items():
        error = result["standard_errors"].get(name)
        print(f"  {name:<20} {value:>12.5g}" + (f"  ± {error:.2g}" if error is not None else ""))
    print(f"{result['params']:,} parameters; arrays and figures in {result['folder']}")


def _print_epochs(result: Mapping[str, Any]) -> None:
    """A row of scores for each epoch."""
    from rich.console import Console
    from rich.table import Table

    scores = list(dict.fromkeys(name for found in result["scores"] for name in found))
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("epoch", *scores):
        grid.add_column(name, justify="right", no_wrap=True)
    for epoch, found, errors in zip(result["epochs"], result["scores"], result["standard_errors"], strict=True):
        cells = [
            f"{found[n]:.4g}" + (f" ± {errors[n]:.1g}" if n in errors else "") if n in found else "–" for n in scores
        ]
        grid.add_row(str(epoch), *cells)
    console = Console()
    console = console if console.is_terminal else Console(width=max(80, 10 + 24 * len(scores)))
    console.print(grid, highlight=False)
    print(f"arrays and figures in {result['folder']}")


def names(text: str | None) -> list[str]:
    """The names in a list with commas; none where there is no list.

    Raises:
        UsageError: the list names nothing, as where a script's variable is empty.
    """
    found = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not found:
        raise UsageError("--only names no analysis", "leave it out for the usual ones, or write --only hessian,fourier")
    return found


def _text_or_path(file: str) -> str:
    """What the library takes for a FILE: standard input is read here, a path stays a path."""
    from archdsl.language.sources import read_file

    return read_file(file).text if file == "-" else file
