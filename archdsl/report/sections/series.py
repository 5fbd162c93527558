"""Gives every finalist its colour, the same in all figures."""

from __future__ import annotations

from archdsl.report.layout import kind
from archdsl.study.results import Results


def series(results: Results) -> dict[str, str]:
    """The colour class of every finalist by name.

    All-Conv and all-MSA have the colours of their blocks, whatever the letters; others take what is left, in order.
    """
    usual = {"conv": "all-c", "msa": "all-m"}
    found = {"winner": "winner", "alternating": "alternating"}
    for name in (finalist.name for finalist in results.baselines):
        said = kind(name.removeprefix("all "), results.kinds) if name.startswith("all ") else None
        if said:
            found[name] = usual[said]
    left = [colour for colour in ("all-c", "all-m") if colour not in found.values()]
    for finalist in results.baselines:
        if finalist.name not in found:
            found[finalist.name] = left.pop(0) if left else "rival"
    return found
