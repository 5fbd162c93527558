"""Which of many sums satisfy a formula together with which of many others: all pairs at once, in NumPy, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archdsl.space.formulas import Atom, Formula, Junction, Not

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST = 2**62
CHUNK = 1_000_000  # pairs looked at together
LIMB = 24  # bits of a number of ways that go into one float, so that a million of them add up exactly


def completed(
    formula: Formula, before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], ways: Sequence[int]
) -> list[int]:
    """For each sum the ways of those others with which it satisfies the formula.

    Args:
        formula: over the forms, those of a sum before and one after added up.
        before: sums, a value for each form, below 2^61 each.
        after: the others.
        ways: how often each of the others counts; of any size.
    """
    import numpy as np  # only where there is much to do: `archdsl check` answers before NumPy is loaded

    left = np.array(before, dtype=np.int64).reshape(len(before), -1)
    right = np.array(after, dtype=np.int64).reshape(len(after), -1)
    limbs = range(0, max(way.bit_length() for way in ways), LIMB)
    weights = np.array([[float((way >> limb) % 2**LIMB) for limb in limbs] for way in ways])
    found: list[int] = []
    rows = max(1, CHUNK // len(after))
    for start in range(0, len(before), rows):
        fits = _fits(formula, left[start : start + rows], right)
        sums = fits.astype(np.float64) @ weights
        found += [sum(int(value) << limb for value, limb in zip(row, limbs, strict=True)) for row in sums.tolist()]
    return found


def _fits(formula: Formula, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[Any]:
    """Whether each of the left satisfies the formula with each of the right."""
    import numpy as np

    match formula:
        case Atom(form=form, bound=bound):
            limits = min(max(bound, -LARGEST), LARGEST) - left[:, form]
            fits: NDArray[Any] = right[None, :, form] <= limits[:, None]
            return fits
        case Not(part=part):
            opposite: NDArray[Any] = np.logical_not(_fits(part, left, right))
            return opposite
        case Junction(every=every, parts=parts):
            join = np.logical_and if every else np.logical_or
            total: NDArray[Any] = _fits(parts[0], left, right)
            for part in parts[1:]:
                join(total, _fits(part, left, right), out=total)
            return total
    return np.full((len(left), len(right)), bool(formula))
