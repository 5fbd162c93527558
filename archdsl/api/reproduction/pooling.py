"""Results of one analysis for several seeds in, one result over all their batches out, which plots as any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np


def pooled(name: str, results: Sequence[Any]) -> Any:
    """The results as one; None for none. Networks must have the same blocks.

    Args:
        name: of the analysis.
        results: one per seed.
    """
    return None if not results else results[0] if len(results) == 1 else _POOLS[name](results)


def _hessian(results: Sequence[Any]) -> Any:
    names = ("eigenvalues", "residuals", "smallest", "largest", "products", "asymmetry", "loss")
    return replace(results[0], **{name: _joined(results, name) for name in names})


def _fourier(results: Sequence[Any]) -> Any:
    """Curves are logarithms already, so their mean over seeds is that of the amplitudes' geometric means."""
    units = tuple(
        replace(
            same[0],
            after=np.mean([unit.after for unit in same], 0),
            before=None if same[0].before is None else np.mean([unit.before for unit in same], 0),
        )
        for same in zip(*(result.units for result in results), strict=True)
    )
    names = ("images", "high_freq", "smoothing_contrast")
    return replace(results[0], units=units, **{name: _joined(results, name) for name in names})


def _variance(results: Sequence[Any]) -> Any:
    units = tuple(
        replace(
            same[0],
            after=_joined(same, "after"),
            before=None if same[0].before is None else _joined(same, "before"),
        )
        for same in zip(*(result.units for result in results), strict=True)
    )
    return replace(results[0], units=units, images=_joined(results, "images"))


def _lesion(results: Sequence[Any]) -> Any:
    units = tuple(
        replace(same[0], correct=_joined(same, "correct"))
        for same in zip(*(result.units for result in results), strict=True)
    )
    return replace(results[0], units=units, clean=_joined(results, "clean"), images=_joined(results, "images"))


def _noise(results: Sequence[Any]) -> Any:
    correct = np.concatenate([result.correct for result in results], 1)
    return replace(results[0], correct=correct, clean=_joined(results, "clean"), images=_joined(results, "images"))


def _landscape(results: Sequence[Any]) -> Any:
    """Every seed has directions of its own; the mean is over networks and directions."""
    by_batch = np.concatenate([result.by_batch for result in results], 2)
    penalty = np.mean([result.penalty for result in results], 0)
    return replace(results[0], by_batch=by_batch, images=_joined(results, "images"), penalty=penalty)


def _joined(results: Sequence[Any], name: str) -> Any:
    return np.concatenate([getattr(result, name) for result in results])


_POOLS: Final[dict[str, Callable[[Sequence[Any]], Any]]] = {
    "hessian": _hessian,
    "fourier": _fourier,
    "variance": _variance,
    "lesion": _lesion,
    "noise": _noise,
    "landscape": _landscape,
}
