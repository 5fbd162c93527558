"""Pools the results of one analysis over several seeds: one result over all their batches, which plots as any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archdsl.analyses.measuring.parts import joined


def pooled(name: str, results: Sequence[Any]) -> Any:
    """The results as one; None for none. Networks must have the same blocks.

    Args:
        name: of the analysis.
        results: one per seed.
    """
    if len(results) < 2:
        return results[0] if results else None
    first, whole = results[0], joined(results)  # arrays, behind each other along their first axis: mostly the batches
    if name == "fourier":  # curves are logarithms already: their mean is that of the amplitudes' geometric means
        same = zip(*(result.units for result in results), strict=True)
        return replace(whole, units=tuple(_mean_curve(units) for units in same))
    if name == "noise":
        correct = np.concatenate([result.correct for result in results], 1)
        return replace(whole, frequency=first.frequency, correct=correct)
    if name == "landscape":  # every seed has directions of its own; the mean is over networks and directions
        by_batch = np.concatenate([result.by_batch for result in results], 2)
        penalty = np.mean([result.penalty for result in results], 0)
        return replace(whole, steps=first.steps, by_batch=by_batch, penalty=penalty)
    return whole


def _mean_curve(units: Sequence[Any]) -> Any:
    before = None if units[0].before is None else np.mean([unit.before for unit in units], 0)
    return replace(units[0], after=np.mean([unit.after for unit in units], 0), before=before)
