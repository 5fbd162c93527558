"""Everything that needs a GPU, checked and timed, in parts of under ten minutes each; JSON comes out.

    python benchmarks/gpu.py checks      # numbers against the CPU, no waiting inside an epoch
    python benchmarks/gpu.py default --out benchmarks/results/gpu.json   # the default search, 50 networks
    python benchmarks/gpu.py cifar --data npz:cifar10.npz --epochs 5   # alternet_18: images/s, share of the peak
    python benchmarks/gpu.py zoo     # every shipped model against the CPU; what compiling costs; torch.compile
    python benchmarks/gpu.py analyses   # every analysis against the CPU, within stated tolerances; what they cost
    python benchmarks/gpu.py all --data npz:cifar10.npz

`--device cpu` runs the same code where there is no GPU, to see that it works. Without CIFAR-10 at hand, `cifar` takes
random images of its size and says so. Results are merged into the file named by --out, part by part.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from analyses import agreement, speed
from by_hand import BY_HAND, carry
from machine import describe
from zoo import compare, interleaved, stepper

import archdsl
from archdsl import analyses
from archdsl.base.device import pick_device
from archdsl.base.errors import ArchdslError
from archdsl.data import load
from archdsl.ir import first_hole
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.language.sources import read_file
from archdsl.network import resolve_model
from archdsl.network.model import build
from archdsl.training.experiment import fit_to_data
from archdsl.training.loop import evaluate, train

SMALL = (
    "input 1x28x28 defaults(head_dim=16) stem patch(16, k=4) stage(16, heads=1)[C M] stage(32, heads=2, down=conv)[C T]"
)


def agree(device: torch.device) -> dict[str, Any]:
    """Logits, metrics, Hessian and Fourier scores of one network on the device against the CPU in float32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    data = load("fashion")
    architecture = resolve_model(parse(SMALL))
    torch.manual_seed(0)
    cpu = build(architecture)
    train(cpu, data, Recipe(epochs=1, precision="float32"), seed=0)
    other = build(architecture)
    other.load_state_dict(cpu.state_dict())
    other.to(device).eval()
    images = data.test.images[:64].float() / 255
    with torch.no_grad():
        difference = (cpu(images) - other(images.to(device)).cpu()).abs().max().item()
    measured = []
    for network, place in ((cpu, "cpu"), (other, device)):
        results = analyses.measure_all(
            network, data, units=architecture.units, only=["hessian", "fourier"], device=place, batches=2
        )
        metrics = evaluate(network, data.test, data, device=place)
        measured.append(analyses.scores(results) | {"accuracy": metrics.accuracy, "nll": metrics.nll})
    relative = {k: abs(measured[0][k] - v) / max(abs(v), 1e-9) for k, v in measured[1].items()}
    return {"max_logit_difference": difference, "relative_score_differences": relative, "scores": measured[1]}


def waits(device: torch.device) -> dict[str, Any]:
    """One epoch with PyTorch told to fail on every synchronisation inside the steps (GPU only)."""
    if device.type != "cuda":
        return {"skipped": "needs a GPU"}
    data = load("fashion")
    network = build(resolve_model(parse(SMALL)))
    last = [0]

    def on_step(done: int, total: int) -> None:
        torch.cuda.set_sync_debug_mode("error" if done < total else "default")
        last[0] = total

    try:
        train(network, data, Recipe(epochs=1), device=device, on_step=on_step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return {"steps_without_a_wait": last[0]}


def default_search(device: torch.device) -> dict[str, Any]:
    """`archdsl search --budget 50` as a user runs it."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        results = archdsl.search("placement", budget=50, device=str(device), run=Path(folder) / "run")
    trained = [t for t in results["trials"] if t["state"] != "failed"]
    winner = results["finalists"][0]
    return {
        "seconds": time.perf_counter() - began,
        "networks": len(trained),
        "median_seconds_per_network": statistics.median(t["seconds"] for t in trained),
        "winner": winner["layout"],
        "winner_test_accuracy": statistics.fmean(s["test"]["accuracy"] for s in winner["seeds"]),
    }


def cifar(device: torch.device, source: str | None, epochs: int, batches: list[int]) -> dict[str, Any]:
    """A training of alternet_18: images/s per batch size, and the share of what the matrix units could do at most."""
    with tempfile.TemporaryDirectory() as folder:
        if source is None:
            rng = np.random.default_rng(0)
            count = 2_000 if device.type == "cpu" else 50_000
            path = Path(folder) / "random.npz"
            made = {"x_train": (count, 32, 32, 3), "x_test": (1_000, 32, 32, 3)}
            images = {name: rng.integers(0, 256, shape, dtype=np.uint8) for name, shape in made.items()}
            labels = {f"y{name[1:]}": rng.integers(0, 10, shape[0]) for name, shape in made.items()}
            np.savez(path, **images, **labels)
        data = load(source or f"npz:{path}")
    text = read_file("alternet_18").text.replace("classes 100", "classes 10")
    architecture = resolve_model(fit_to_data(parse(text), data, "alternet_18"))
    peak, bandwidth = ceilings(device)
    found: dict[str, Any] = {
        "data": data.name if source else "random images of CIFAR-10's size",
        "peak_flops_measured": peak,
        "bytes_per_second_measured": bandwidth,
        "macs_per_image": architecture.macs,
        "batches": {},
    }
    for batch in batches:
        torch.manual_seed(0)
        network = build(architecture)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        result = train(network, data, Recipe(epochs=epochs, batch=batch), seed=0, device=device)
        flops = result.images_per_second * architecture.macs * 2 * 3  # backward costs twice the forward
        found["batches"][str(batch)] = {
            "images_per_second": result.images_per_second,
            "share_of_matrix_peak": flops / peak,
            "validation_accuracy": [epoch.metrics.accuracy for epoch in result.curve],
            "seconds": result.seconds,
            "gpu_bytes": torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
        }
    return found


def zoo(device: torch.device, names: list[str]) -> dict[str, Any]:
    """Logits of shipped models on the device against the CPU; steps against networks by hand; code by Inductor."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    found: dict[str, Any] = {"max_logit_difference": {}, "against_by_hand": {}, "torch_compile": {}}
    for name in names or shipped():
        torch.manual_seed(0)
        network = archdsl.compile(name).eval()
        images = torch.randn(2, *network.architecture.input)
        with torch.no_grad():
            expected = network(images)
            difference = network.to(device)(images.to(device)).cpu() - expected
        found["max_logit_difference"][name] = (difference.abs().max() / expected.abs().max()).item()
    for name in BY_HAND:
        ours, theirs = archdsl.compile(name), BY_HAND[name]()
        carry(ours, theirs)
        batch = 256 if device.type == "cuda" else 8
        found["against_by_hand"][name] = compare(ours, theirs, 32, batch, 30 if device.type == "cuda" else 3, device)
        found["torch_compile"][name] = inductor(ours, batch, device)
    return found


def shipped() -> list[str]:
    """Names of the models in specs/, without spaces."""
    files = sorted((Path(__file__).parents[1] / "specs").glob("*.arch"))
    return [path.stem for path in files if first_hole(parse(path.read_text())) is None]


def inductor(network: torch.nn.Module, batch: int, device: torch.device) -> dict[str, Any]:
    """A training step as it is, and through `torch.compile(fullgraph=True)`, in turn."""
    images = torch.randn(batch, 3, 32, 32, device=device)
    labels = torch.randint(100, (batch,), device=device)
    network.to(device).train()
    began = time.perf_counter()
    fast = torch.compile(network, fullgraph=True)
    steps = [stepper(module, images, labels) for module in (fast, network)]
    steps[0]()
    compiling = time.perf_counter() - began
    seconds = interleaved(*steps, 20 if device.type == "cuda" else 2, device)
    return {
        "seconds_to_compile": compiling,
        "seconds_compiled": seconds["seconds_compiled"],
        "seconds_eager": seconds["seconds_by_hand"],
        "ratio_of_medians": seconds["ratio_of_medians"],
    }


def ceilings(device: torch.device) -> tuple[float, float]:
    """Measured bf16 matrix FLOP/s on random data, and bytes/s of a copy (read plus written)."""
    size, copied = (8192, 2**30) if device.type == "cuda" else (1024, 2**24)
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    source = torch.randn(copied, device=device)
    target = torch.empty_like(source)

    def timed(action: Any) -> float:
        seconds = []
        for _ in range(8):
            if device.type == "cuda":
                torch.cuda.synchronize()
            began = time.perf_counter()
            action()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds[2:])

    product = timed(lambda: torch.matmul(a, b))
    copy = timed(lambda: target.copy_(source))
    return 2 * size**3 / product, 2 * source.numel() * 4 / copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["checks", "default", "cifar", "zoo", "analyses", "all"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--only", nargs="+", default=[], help="of the models in specs/, for zoo")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    try:
        device = pick_device(options.device)
    except ArchdslError as error:
        parser.error(f"{error.message}; --device cpu runs the same code without a GPU")
    result: dict[str, Any] = {}
    if options.out and options.out.exists():
        result = json.loads(options.out.read_text())
    result["machine"] = describe()
    if options.part in ("checks", "all"):
        result["agreement_with_cpu"] = agree(device)
        result["waits"] = waits(device)
    if options.part in ("default", "all"):
        result["default_search"] = default_search(device)
    if options.part in ("cifar", "all"):
        result["alternet_18_on_cifar_10"] = cifar(device, options.data, options.epochs, options.batches)
    if options.part in ("zoo", "all"):
        result["zoo"] = zoo(device, options.only)
    if options.part in ("analyses", "all"):
        result["analyses"] = {"agreement_with_cpu": agreement(device), "speed": speed(device, 7, 1000, 1000)}
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    apart = [
        name for name, found in result.get("analyses", {}).get("agreement_with_cpu", {}).items() if not found["agrees"]
    ]
    if apart:
        raise SystemExit(f"not as on the CPU: {', '.join(apart)}")


if __name__ == "__main__":
    main()
