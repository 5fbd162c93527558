"""Measures the density of all eigenvalues of the loss Hessian, and its trace.

Stochastic Lanczos quadrature (Ghorbani et al. 2019, arXiv 1901.10159): the spectrum as a random vector sees it is, in
the mean over such vectors, the density of the eigenvalues.

The loss is the NLL alone. Weight decay would move every eigenvalue by itself, those of the flat bulk too: the trace and
the sum of all eigenvalues would be those of the weight decay times the number of parameters before anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.curvature.lanczos import Krylov, lanczos
from archdsl.analyses.curvature.loss_hessian import LossHessian, check_loss, check_symmetry, trained
from archdsl.analyses.measuring.exact import Batch, check_batches, generator, held_still, memory_guard
from archdsl.analyses.measuring.parts import Parts, batch_by_batch
from archdsl.analyses.results.result import Floats, Result, Statistic
from archdsl.base import colours
from archdsl.base.device import out_of_memory
from archdsl.base.errors import RunError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 1 / 400  # standard deviation of a node in the density, of the spectrum's width


@dataclass(frozen=True, eq=False)
class DensityResult(Result):
    """Quadratures of B batches with P probes each.

    Attributes:
        nodes: (B, P, m) Ritz values, ascending; where a probe's space is exhausted earlier, the last one again.
        weights: (B, P, m) of the nodes, 0 for such repetitions; they add up to 1 over the last axis.
        traces: (B, P) v'Hv of each probe v, an unbiased estimate of the trace (Hutchinson 1989).
        asymmetry: (B,) |u.Hv - v.Hu| / (|u| |H|), the worst met.
        loss: (B,) NLL, nats.
        params: length of w.
        images: per batch.
    """

    nodes: Floats
    weights: Floats
    traces: Floats
    asymmetry: Floats
    loss: Floats
    params: int
    images: int

    @property
    def draws(self) -> int:
        """Batches."""
        return len(self.traces)

    def probe_error(self) -> float | None:
        """Standard error of the trace that the probes alone make, on these batches; it takes two probes to tell."""
        batches, probes = self.traces.shape
        if probes < 2:
            return None
        return float(np.sqrt(self.traces.var(axis=1, ddof=1).sum() / probes) / batches)

    @property
    def notes(self) -> tuple[str, ...]:
        """The trace, with what the probes leave open of it."""
        error = self.probe_error()
        if error is None:
            return ()
        return (f"trace {self.traces.mean():.5g}, standard error of the probes alone {error:.2g}",)

    def density(self, count: int = 2000) -> tuple[Floats, Floats]:
        """The density of the eigenvalues at `count` places: the nodes as Gaussians of `WIDTH` of the spectrum."""
        low, high = float(self.nodes.min()), float(self.nodes.max())
        width = max((high - low) * WIDTH, 1e-9 * max(abs(low), abs(high)), 1e-300)
        at = np.linspace(low - 8 * width, high + 8 * width, count)
        share = self.weights.ravel() / self.traces.size
        kernels = np.exp(-0.5 * ((at[:, None] - self.nodes.ravel()) / width) ** 2)
        return at, kernels @ share / (width * np.sqrt(2 * np.pi))

    def statistics(self) -> dict[str, Statistic]:
        """hessian_trace and negative_energy, means over batches and probes; the probes' scatter is in their errors."""
        energy = self.weights * self.nodes

        def negative(kept: np.ndarray) -> float:
            total = float(np.abs(energy[kept]).sum())
            return float(-energy[kept][energy[kept] < 0].sum()) / total if total else 0.0

        return {"hessian_trace": lambda kept: float(self.traces[kept].mean()), "negative_energy": negative}


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    *,
    steps: int = 64,
    probes: int = 2,
    seed: int = 0,
    parts: Parts | None = None,
) -> DensityResult:
    """The density of the eigenvalues of the Hessian of NLL_b, for each batch b.

    It is over the parameters w that are trained (`requires_grad`); the model is in eval mode meanwhile and comes back
    as it was. Memory: one gradient graph at a time (where that is too large, of half the images, and so on: slower, and
    the same Hessian), and `steps` vectors of the size of w.

    Args:
        model: images (B, C, H, W) -> logits (B, classes), float32.
        batches: images and labels, on the model's device.
        steps: Lanczos steps of a probe, that is Hessian-vector products.
        probes: random vectors of +1 and -1 per batch.
        seed: of the probes.
        parts: results of the first batches from before, and where those of the others go one by one.

    Raises:
        UsageError: `steps` or `probes` is below 1, or the batches are unusable.
        RunError: the loss is not finite, the Hessian not symmetric, or memory has no room for the vectors or ran out.
    """
    check_batches(model, batches)
    params = trained(model)
    if steps < 1 or probes < 1:
        raise UsageError(f"{probes} probes of {steps} steps", "a density takes one probe of one step at least")
    size = sum(p.numel() for p in params)
    _check_room(params[0], min(steps, size), size)

    def one(number: int, batch: Batch, chunk: int) -> DensityResult:
        hessian = LossHessian(model, batch, params, chunk=chunk)  # its graph goes with it
        check_loss(hessian.loss, number)
        draws = generator(seed * 1_000_003 + number)
        runs = []
        for _ in range(probes):
            probe = torch.randint(0, 2, (size,), generator=draws).mul_(2).sub_(1).to(params[0])
            runs.append(lanczos(hessian, probe, _exhausted, limit=steps))
            check_symmetry(runs[-1].asymmetry, number, params[0].dtype)
        return _result(hessian.loss, runs, min(steps, size), size, len(batch[0]))

    with held_still(model), memory_guard("the Hessian density"):
        return batch_by_batch(batches, one, parts)


def _check_room(like: nn.Parameter, steps: int, size: int) -> None:
    """Raises RunError where the Lanczos vectors alone do not fit: no smaller graph would help then."""
    try:
        like.new_empty(steps, size)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise RunError(
            f"memory has no room for {steps} Lanczos vectors of {size} parameters",
            "give the density fewer `steps`, or leave it out",
        ) from error


def _exhausted(run: Krylov) -> bool:
    """The probe's own Krylov space is whole: whatever comes after has no weight."""
    return bool(run.offdiagonal[-1] == 0)


def _result(loss: float, runs: Sequence[Krylov], steps: int, params: int, images: int) -> DensityResult:
    """Of one batch."""
    rules = [run.quadrature() for run in runs]
    return DensityResult(
        nodes=np.array([[np.pad(nodes, (0, steps - len(nodes)), "edge") for nodes, _ in rules]]),
        weights=np.array([[np.pad(weights, (0, steps - len(weights))) for _, weights in rules]]),
        traces=np.array([[params * run.diagonal[0] for run in runs]]),  # |v|^2 is exactly n
        asymmetry=np.array([max(run.asymmetry for run in runs)]),
        loss=np.array([loss]),
        params=params,
        images=images,
    )


def plot(result: DensityResult, ax: Axes, *, label: str | None = None, color: str | None = None) -> None:
    """Draw the density of all eigenvalues, as Ghorbani et al. 2019 do; call it again on the same axes to compare.

    The lower end of the axis is a tenth of one eigenvalue of the network with the most parameters: what lies below is
    the flank of a Gaussian and no eigenvalue.

    Args:
        result: what to draw.
        ax: where.
        label: the network's name, for the legend.
        color: the network's colour; by default the next of the palette.
    """
    drawn = len(ax.collections)
    color = color or colours.network(drawn)
    at, heights = result.density()
    width = (at[-1] - at[0]) or 1.0
    floor = 0.1 / (result.params * width)
    ax.plot(at, np.maximum(heights, 0.01 * floor), color=color, label=label, lw=1.2, solid_joinstyle="round")
    ax.fill_between(at, heights, 0.01 * floor, color=color, alpha=0.12, linewidth=0)
    bottom, top = (floor, 3 * float(heights.max()))
    if drawn:
        low, high = ax.get_ylim()
        bottom, top = min(low, bottom), max(high, top)
    ax.set_yscale("log")
    ax.set_ylim(bottom, top)
    if not drawn:
        ax.axvline(0, color=colours.FAINT, lw=0.8, zorder=0, label="_zero")
    ax.set_xlabel("eigenvalue of the NLL's Hessian")
    ax.set_ylabel("density")
    if label is not None:
        ax.legend(frameon=False, loc="upper right")


ANALYSES.register("hessian_density")(
    Analysis(
        name="hessian_density",
        scores=("hessian_trace", "negative_energy"),
        result=DensityResult,
        measure=measure,
        plot=plot,
        sample=Sample("train", augment=True, count=6, size=16),  # the first half of the Hessian's batches
        usual=False,
        overlaid=("",),
    )
)
