"""Measures the top eigenvalues of the loss Hessian in each block's own weights alone, and in each stage's.

They are those of a diagonal sub-block of the Hessian: how sharp the loss is when this block alone moves. None exceeds
the stage's, nor a stage's the whole network's (Cauchy's interlacing).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.curvature.lanczos import Extremes, top
from archdsl.analyses.curvature.loss_hessian import LossHessian, check_loss, check_symmetry, trained
from archdsl.analyses.measuring.exact import Batch, check_batches, held_still, memory_guard
from archdsl.analyses.measuring.features import module_of
from archdsl.analyses.measuring.parts import Parts, batch_by_batch
from archdsl.analyses.results.hessian_blocks import BlocksResult, Spectrum, StageSpectrum, UnitSpectrum, plot
from archdsl.analyses.results.result import place
from archdsl.base.errors import RunError, UsageError
from archdsl.network.units import Unit


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    units: Sequence[Unit],
    *,
    k: int = 3,
    weight_decay: float = 0.0,
    tol: float = 1e-3,
    seed: int = 0,
    limit: int = 200,
    parts: Parts | None = None,
) -> BlocksResult:
    """The k eigenvalues of largest magnitude of the Hessian of NLL_b + (wd/2)|w|^2 in the weights of each unit alone.

    All units and stages of a batch share one forward pass and one gradient graph; a product runs back through the part
    of it that a unit's weights reach.

    Args:
        model: images (B, C, H, W) -> logits (B, classes), float32; it comes back as it was.
        batches: images and labels, on the model's device.
        units: `archdsl.network.model.units(model)`, or a choice of them.
        k: eigenvalues per batch; all of them where a unit has fewer weights.
        weight_decay: wd.
        tol: relative residual at which an eigenvalue counts as found.
        seed: of the starting vectors.
        limit: products per unit and batch after which what is not settled is left at the residual it has.
        parts: results of the first batches from before, and where those of the others go one by one.

    Raises:
        UsageError: a unit is not in the model, k is below 1, or the batches are unusable.
        RunError: no unit has weights, the loss is not finite, the Hessian not symmetric, or memory ran out.
    """
    check_batches(model, batches)
    params = trained(model)
    if not units:
        raise UsageError("no blocks to look at", "name at least one block of the network")
    if k < 1:
        raise UsageError(f"{k} eigenvalues of each block", "k is 1 or more")
    weights = [_weights(model, unit, params) for unit in units]
    kept = [index for index, among in enumerate(weights) if among]
    if not kept:
        raise RunError("no block has weights that are trained", "leave the analysis 'hessian_blocks' out")
    stages = _stages(units, weights)
    groups = [*(weights[index] for index in kept), *stages.values()]
    sizes = [sum(params[index].numel() for index in among) for among in groups]
    notes = tuple(f"{u.path} has no weights" for u, among in zip(units, weights, strict=True) if not among)

    def one(number: int, batch: Batch, chunk: int) -> BlocksResult:
        hessian = LossHessian(model, batch, params, weight_decay, chunk)  # its graph goes with it
        check_loss(hessian.loss, number)
        found = []
        for group, (among, size) in enumerate(zip(groups, sizes, strict=True)):
            start = hessian.start((seed * 1_000_003 + number) * 10_007 + group, among)
            found.append(top(hessian.restricted(among), start, min(k, size), tol=tol, limit=limit))
            check_symmetry(found[-1].krylov.asymmetry, number, params[0].dtype)
        spectra = [_spectrum(extremes, size) for extremes, size in zip(found, sizes, strict=True)]
        return BlocksResult(
            units=tuple(UnitSpectrum(**place(units[i]), spectrum=s) for i, s in zip(kept, spectra, strict=False)),
            stages=tuple(StageSpectrum(n, s) for n, s in zip(stages, spectra[len(kept) :], strict=True)),
            products=np.array([float(sum(extremes.krylov.steps for extremes in found))]),
            asymmetry=np.array([max(extremes.krylov.asymmetry for extremes in found)]),
            images=np.array([float(len(batch[0]))]),
            weight_decay=weight_decay,
            notes=notes,
        )

    with held_still(model), memory_guard("the Hessian spectrum by block"):
        return batch_by_batch(batches, one, parts)


def _weights(model: nn.Module, unit: Unit, params: Sequence[nn.Parameter]) -> list[int]:
    """Which of the parameters are the unit's, by their index."""
    own = {id(parameter) for parameter in module_of(model, unit).parameters()}
    return [index for index, parameter in enumerate(params) if id(parameter) in own]


def _stages(units: Sequence[Unit], weights: Sequence[Sequence[int]]) -> dict[int, list[int]]:
    """For each stage the parameters of its units together."""
    found: dict[int, set[int]] = {}
    for unit, among in zip(units, weights, strict=True):
        if unit.stage and among:
            found.setdefault(unit.stage, set()).update(among)
    return {stage: sorted(among) for stage, among in found.items()}


def _spectrum(found: Extremes, params: int) -> Spectrum:
    """On one batch."""
    return Spectrum(
        eigenvalues=found.values[None],
        residuals=found.residuals[None],
        smallest=np.array([found.smallest]),
        largest=np.array([found.largest]),
        params=params,
    )


ANALYSES.register("hessian_blocks")(
    Analysis(
        name="hessian_blocks",
        scores=("block_log_lambda_conv", "block_log_lambda_msa", "block_log_lambda_mlp"),
        result=BlocksResult,
        measure=measure,
        plot=plot,
        sample=Sample("train", augment=True, count=6, size=16),  # the first half of the Hessian's batches
        usual=False,
    )
)
