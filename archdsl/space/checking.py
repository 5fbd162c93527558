"""Checks that a space has a feasible member; if not, says why, with what can be reached instead."""

from __future__ import annotations

from archdsl import ir
from archdsl.base.errors import SpecError
from archdsl.network import Architecture, Misfit, first_option, resolve, resolve_without_holes
from archdsl.space.enumeration import is_feasible
from archdsl.space.sizing import size


def check(spec: ir.Spec, text: str = "", path: str = "<spec>") -> Architecture:
    """One feasible member of a space, or the model itself, or why there is none.

    Takes no more than a bounded effort, about half a second.

    Raises:
        SpecError: no filling fits together, or none satisfies `require`, with what can be reached. A space too large
            to count passes when nothing feasible turned up but something fits together.
    """
    if ir.first_hole(spec) is None:
        return resolve_without_holes(spec, text, path)
    try:
        total = size(spec)
    except SpecError as error:
        raise SpecError(error.diagnostics, text, path) from None
    plainest: Architecture | Misfit
    try:
        plainest = resolve(spec, first_option)
    except Misfit as misfit:
        plainest = misfit
    if isinstance(plainest, Architecture) and is_feasible(spec, plainest):
        return plainest  # most spaces need no counting to be right
    from archdsl.space.feasibility import find  # all that counts, which a model and most spaces do not wait for

    return find(spec, total, plainest, text, path)
