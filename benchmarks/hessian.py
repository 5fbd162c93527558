"""Compares two ways to the top five Hessian eigenvalues: Lanczos on a retained graph, and power iteration.

    python benchmarks/hessian.py [--batches 3] [--rounds 3] [--out benchmarks/results/hessian.json]

The other side is power iteration with deflation, PyHessian's way, in two forms: the gradient's graph retained (what it
does for one batch) and rebuilt for every product (what it does for a loader). PyHessian itself takes part where it is
installed (`pip install pyhessian`). Each of these starts from PyHessian's default tolerance of 1e-3 and is tightened
tenfold until all five eigenvalues are right to 1e-3; that run alone is timed. Lanczos stops where it always does, and
in a second entry at the loosest of its own stops that is right to 1e-3. What is right is said by ARPACK (SciPy) in
float64, on products that PyTorch's own double backward gives. One thread; a 0.25 M hybrid after four epochs on the embedded
data.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from archdsl.analyses import batches, hessian
from archdsl.analyses.curvature.loss_hessian import LossHessian
from archdsl.data import load
from archdsl.ir.recipe import Recipe
from archdsl.training.loop import train

K, ERROR, MOST = 5, 1e-3, 1000
STRICTER = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
TOLS = {"lanczos": (1e-3,), "lanczos, loosest stop": (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)}
Batch = tuple[Tensor, Tensor]
Solver = Callable[[nn.Module, Batch, float], tuple[np.ndarray, int]]


class Conv(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.branch(x))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.norm, self.heads = nn.LayerNorm(width), heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        q, k, v = self.qkv(self.norm(x.flatten(2).mT)).view(B, H * W, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, H * W, C)
        return x + self.out(mixed).mT.reshape(B, C, H, W)


def network() -> nn.Sequential:
    """Two stages, C C M and C M, on 14 x 14 and 7 x 7."""
    return nn.Sequential(
        nn.Conv2d(1, 48, 3, 2, 1), Conv(48), Conv(48), Attention(48),
        nn.Conv2d(48, 72, 3, 2, 1), Conv(72), Attention(72),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(72, 10),
    )  # fmt: skip


def trained() -> nn.Module:
    """As a candidate of a search is: four epochs on the embedded data."""
    torch.manual_seed(0)
    model = network()
    print("trained to", train(model, load("fashion"), Recipe(epochs=4, precision="float32")).metrics)
    return model


def lanczos(model: nn.Module, batch: Batch, tol: float) -> tuple[np.ndarray, int]:
    found = hessian.measure(model, [batch], k=K, tol=tol)
    return found.eigenvalues[0], int(found.products[0])


def power(model: nn.Module, batch: Batch, tol: float, *, rebuild: bool) -> tuple[np.ndarray, int]:
    """Eigenvalues one after the other, each iterated in the complement of those before until it changes by < tol."""
    params = list(model.parameters())
    size = sum(p.numel() for p in params)
    generator = torch.Generator().manual_seed(0)
    product = None if rebuild else LossHessian(model, batch, params)
    found: list[Tensor] = []
    values, products = [], 0
    for _ in range(K):
        vector, value = torch.randn(size, generator=generator), None
        for _ in range(MOST):
            vector = vector - sum(((v @ vector) * v for v in found), torch.zeros(()))
            vector = vector / vector.norm()
            image = (product or LossHessian(model, batch, params))(vector)
            products += 1
            last, value = value, float(vector @ image)
            vector, direction = image, vector
            if last is not None and abs(value - last) < tol * (abs(value) + 1e-6):
                break
        found.append(direction)
        values.append(value)
    return np.array(values), products


def pyhessian(model: nn.Module, batch: Batch, tol: float) -> tuple[np.ndarray, int]:
    from pyhessian import hessian as of  # type: ignore[import-not-found]

    with sdpa_kernel(SDPBackend.MATH):
        values, _ = of(model, nn.CrossEntropyLoss(), data=batch, cuda=False).eigenvalues(MOST, tol, top_n=K)
    model.zero_grad(set_to_none=True)
    return np.array(values), -1  # it does not count


def reference(model: nn.Module, batch: Batch) -> np.ndarray:
    """The five eigenvalues by an eigensolver, an arithmetic and second derivatives that no side uses."""
    model = copy.deepcopy(model).double().eval()
    params = list(model.parameters())
    size = sum(p.numel() for p in params)
    with sdpa_kernel(SDPBackend.MATH):
        loss = F.cross_entropy(model(batch[0].double()), batch[1])
        gradient = torch.autograd.grad(loss, params, create_graph=True)

    def product(vector: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(vector.ravel().copy()).split([p.numel() for p in params])
        directions = [part.view_as(p) for part, p in zip(parts, params, strict=True)]
        found = torch.autograd.grad(gradient, params, directions, retain_graph=True)
        return torch.cat([part.reshape(-1) for part in found]).numpy()

    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    # Three more than are asked for, so that a large one that surfaces late is not taken for the next.
    values = eigsh(operator, k=K + 3, which="LM", ncv=40, tol=1e-7, v0=start, return_eigenvectors=False)
    ordered: np.ndarray = values[np.argsort(-np.abs(values))][:K]
    return ordered


def worst(values: np.ndarray, exact: np.ndarray) -> float:
    """Largest relative error of the five, in order of magnitude."""
    ordered = values[np.argsort(-np.abs(values))]
    return float(np.max(np.abs(ordered - exact) / np.abs(exact)))


def settle(
    solver: Solver, tols: Sequence[float], model: nn.Module, batch: Batch, exact: np.ndarray
) -> dict[str, float]:
    """The first of the tolerances that reaches the error on this batch."""
    for tol in tols:
        values, products = solver(model, batch, tol)
        if worst(values, exact) <= ERROR:
            break
    return {"tol": tol, "products": products, "error": worst(values, exact)}


def gradients_per_product(model: nn.Module, batch: Batch, rounds: int) -> dict[str, float]:
    """What a product costs in gradients: as training computes them (fused attention), and with plain attention."""
    params = list(model.parameters())
    vector = torch.randn(sum(p.numel() for p in params))
    product = LossHessian(model, batch, params)

    def gradient() -> None:
        torch.autograd.grad(F.cross_entropy(model(batch[0]), batch[1]), params)

    def plain() -> None:
        with sdpa_kernel(SDPBackend.MATH):
            gradient()

    sides: dict[str, Callable[[], Any]] = {
        "gradient": gradient,
        "gradient, plain attention": plain,
        "product": lambda: product(vector),
        "product, graph rebuilt": lambda: LossHessian(model, batch, params)(vector),
    }
    interleaved(sides, 2)  # warm
    seconds = {name: (statistics.median(s), min(s)) for name, s in interleaved(sides, rounds).items()}
    return {
        f"{above}, per {below}, {figure}": round(seconds[above][index] / seconds[below][index], 2)
        for above in ("product", "product, graph rebuilt")
        for below in ("gradient", "gradient, plain attention")
        for index, figure in enumerate(("median", "minimum"))
    }


def memory_per_training_step(model: nn.Module, batch: Batch) -> dict[str, float]:
    """Bytes that are taken at most, above those that stand before, per those of a gradient as training computes it.

    Of building the Hessian and one product: with the whole batch's graph, and with that of a part of the images at a
    time, as where memory runs out. The vectors of Lanczos come on top: one of the size of the weights per product.
    """
    params = list(model.parameters())
    vector = torch.randn(sum(p.numel() for p in params))

    def peak(work: Callable[[], Any]) -> int:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            work()
        events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
        changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
        return int(np.cumsum(changes).max())

    step = peak(lambda: torch.autograd.grad(F.cross_entropy(model(batch[0]), batch[1]), params))
    images = len(batch[0])
    return {
        name: round(peak(lambda chunk=chunk: LossHessian(model, batch, params, chunk=chunk)(vector)) / step, 2)
        for name, chunk in (("whole batch", images), ("halves", images // 2), ("quarters", images // 4))
    }


def interleaved(sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """A side's time against Lanczos's own, the median over the batches."""

    def against(figure: str) -> float:
        return statistics.median(row["sides"][name][figure] / row["sides"]["lanczos"][figure] for row in rows)

    return {
        "median": round(against("seconds_median"), 2),
        "minimum": round(against("seconds_min"), 2),
        "reached": all(row["sides"][name]["error"] <= ERROR for row in rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "hessian.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = trained()
    drawn = batches(load("fashion"), count=options.batches, size=16)
    sides: dict[str, Solver] = {
        "lanczos": lanczos,
        "lanczos, loosest stop": lanczos,
        "power, retained graph": lambda m, b, t: power(m, b, t, rebuild=False),
        "power, rebuilt graph": lambda m, b, t: power(m, b, t, rebuild=True),
    }
    if importlib.util.find_spec("pyhessian"):
        sides["PyHessian"] = pyhessian
    rows = []
    for number, batch in enumerate(drawn, start=1):
        exact = reference(model, batch)
        found = {name: settle(solver, TOLS.get(name, STRICTER), model, batch, exact) for name, solver in sides.items()}
        timed = {
            name: (lambda solver=solver, tol=found[name]["tol"], batch=batch: solver(model, batch, tol))
            for name, solver in sides.items()
        }
        for name, seconds in interleaved(timed, options.rounds).items():
            found[name] |= {"seconds_median": statistics.median(seconds), "seconds_min": min(seconds)}
        rows.append({"eigenvalues": exact.tolist(), "sides": found})
        print(number, json.dumps(found))
    document = {
        "benchmark": "hessian",
        "rounds": options.rounds,
        "machine": {
            "processor": getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name") or platform.processor(),
            "threads": 1,
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "scipy": scipy.__version__},
        "model": {"params": sum(p.numel() for p in model.parameters()), "images": 16, "k": K, "error": ERROR},
        "gradients_per_product": gradients_per_product(model, drawn[0], max(15, options.rounds)),
        "memory_per_training_step": memory_per_training_step(model, drawn[0]),
        "times_as_long_as_lanczos": {name: ratios(rows, name) for name in sides},
        "batches": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    print(
        json.dumps(
            {
                key: document[key]
                for key in ("model", "gradients_per_product", "memory_per_training_step", "times_as_long_as_lanczos")
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
