"""Measures the loss on a square through the weights, along two random directions.

Li et al. 2018 (arXiv 1712.09913): each filter of a direction has the norm of the network's own filter, so that networks
compare. Only the NLL is drawn; in the public figure of Park & Kim 2022 (arXiv 2202.06709) an L2 term, which is the
same bowl for every network, made up over 94% of the value. It is reported apart here, and drawn with `compat` alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from archdsl.analyses.contract import ANALYSES, Analysis, Sample
from archdsl.analyses.measuring.exact import Batch, check_batches, generator, held_still, memory_guard
from archdsl.analyses.results.landscape import VIEWS, LandscapeResult, plot
from archdsl.analyses.results.result import Floats
from archdsl.base.errors import RunError, UsageError

Weights = dict[str, Tensor]
POSITION = re.compile(r"pos_embed|relative_position|(^|\.)table$")  # in timm's networks, and in ours


def measure(
    model: nn.Module,
    batches: Sequence[Batch],
    *,
    points: int = 13,
    weight_decay: float = 0.0,
    seed: int = 0,
    compat: Literal["parkkim"] | None = None,
) -> LandscapeResult:
    """The NLL on a grid of points x points, one forward pass per point and batch, and one more per batch.

    The model's own weights are never written to. That the centre is the plain loss is checked in every run.

    Args:
        model: images (B, C, H, W) -> logits (B, classes), in any mode; it comes back as it was.
        batches: images and labels, on the model's device.
        points: per direction, odd.
        weight_decay: wd, for the L2 term.
        seed: of the two directions.
        compat: "parkkim": as the paper's public code does: what counts as a filter there is one place in the weights of
            all outputs, embeddings of position stay put, and the loss has an L2 term in it, wd times the sum of the
            norms (not of their squares) of all weights.

    Raises:
        UsageError: `points` is even or below 3, no parameter is trained, or the batches are unusable.
        RunError: a loss is not finite, the centre is not the plain loss, or memory ran out.
    """
    check_batches(model, batches)
    if points < 3 or points % 2 == 0:
        raise UsageError(f"a landscape of {points} points a side", "an odd number from 3 on, so that one is the centre")
    weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if not weights:
        raise UsageError("the model has no parameter that requires a gradient, so it has no loss landscape")
    first, second = (direction(weights, 2 * seed + number, compat) for number in (0, 1))
    steps = (np.arange(points) - points // 2) / (points // 2)  # whole numbers first: the middle is 0 and not near it
    table = np.zeros((points, points, len(batches)))
    with held_still(model), memory_guard("the loss landscape"), torch.no_grad():
        for number, (images, labels) in enumerate(batches):
            plain = float(F.cross_entropy(model(images), labels))
            for row, b in enumerate(steps):
                for column, a in enumerate(steps):
                    moved = _moved(weights, first, float(a), second, float(b))
                    logits = functional_call(model, moved, (images,))
                    table[row, column, number] = float(F.cross_entropy(logits, labels))
            _check(table[..., number], plain, number + 1, steps)
    squares = np.stack([_squares(weights[name], first[name], second[name], steps) for name in weights])
    return LandscapeResult(
        steps=steps,
        by_batch=table,
        images=np.array([len(labels) for _, labels in batches], dtype=np.float64),
        penalty=weight_decay * (0.5 * squares.sum(0) if compat is None else np.sqrt(squares).sum(0)),
        weight_decay=weight_decay,
        seed=seed,
        compat=compat,
    )


def direction(weights: Mapping[str, Tensor], seed: int, compat: Literal["parkkim"] | None = None) -> Weights:
    """A random direction with the filter norms of the weights; what has one dimension (biases, norms) stays put.

    A filter is what makes one output: weight[i], of a convolution (out, in, k, k) as of a matrix (out, in). With
    `compat` it is weight[:, j, …], the weights that all outputs have in one place.
    """
    draws = generator(seed)
    found = {}
    for name, weight in weights.items():
        drawn = torch.randn(weight.shape, generator=draws).to(weight)
        if weight.dim() < 2 or (compat is not None and POSITION.search(name)):
            found[name] = torch.zeros_like(weight)
            continue
        along = tuple(range(1, weight.dim())) if compat is None else (0,)
        wanted, given = (torch.linalg.vector_norm(entry, dim=along, keepdim=True) for entry in (weight, drawn))
        found[name] = drawn * (wanted / given)
    return found


def _moved(weights: Weights, first: Weights, a: float, second: Weights, b: float) -> Weights:
    return {name: w.add(first[name], alpha=a).add_(second[name], alpha=b) for name, w in weights.items()}


def _check(table: Floats, plain: float, number: int, steps: Floats) -> None:
    """The centre is the plain loss, to the last bit but for kernels that add in another order; all is finite."""
    middle = len(steps) // 2
    centre = table[middle, middle]
    if not np.isfinite(plain):
        raise RunError(f"the loss of batch {number} is {plain}", "look for inf or nan in the weights")
    if not abs(centre - plain) <= 1e-5 * max(1.0, abs(plain)):
        raise RunError(
            f"the loss of batch {number} is {plain:.6g}, but {centre:.6g} in the centre of the landscape",
            "something in the network is random in eval mode",
        )
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        a, b = steps[bad[0][1]], steps[bad[0][0]]
        raise RunError(
            f"the loss of batch {number} is not finite at ({a:g}, {b:g}) of the landscape",
            "activations grow beyond float32 there: measure model.double()",
        )


def _squares(weight: Tensor, first: Tensor, second: Tensor, steps: Floats) -> Floats:
    """(N, N) |w + a d1 + b d2|^2 of one of the weights at [b, a], from six inner products."""
    rows = torch.stack([entry.double().flatten() for entry in (weight, first, second)])
    ww, w1, w2, _, d11, d12, _, _, d22 = (rows @ rows.T).flatten().tolist()
    a, b = steps[None, :], steps[:, None]
    squares: Floats = ww + a**2 * d11 + b**2 * d22 + 2 * (a * w1 + b * w2 + a * b * d12)
    return np.maximum(squares, 0.0)  # not some rounding below


ANALYSES.register("landscape")(
    Analysis(
        name="landscape",
        scores=("landscape_rise",),
        result=LandscapeResult,
        measure=measure,
        plot=plot,
        sample=Sample("train", augment=True, count=2, size=64),
        compat=("parkkim",),
        views=VIEWS,
        overlaid=("line",),
        beside=True,
    )
)
