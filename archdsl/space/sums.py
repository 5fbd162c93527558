"""Packs the sums along a path into one integer, and tells which sums need not be told apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import TypeAlias

from archdsl.base.effort import spend
from archdsl.space.formulas import Formula, atoms, shifted, truth
from archdsl.space.graph import Graph, least_and_most

PACKING = 2  # steps of `effort` for an edge's sum of one form

# What a sum of measures weighs each of them with; two comparisons of the same sum share it.
Form: TypeAlias = tuple[int, ...]


class Sums:
    """The sums of a graph's paths, each counted from the least that is still possible, so that they only grow.

    Args:
        graph: the paths.
        forms: what is summed, as weights of the costs on the edges.
        formula: what the sums of whole paths are to satisfy.

    Attributes:
        formula: the same over unpacked sums.
        least: the least sum that a path has, of each form.
        added: for each node what each of its edges adds, packed.
        bits: how many a packed sum takes.
    """

    def __init__(self, graph: Graph, forms: Sequence[Form], formula: Formula) -> None:
        reach = [least_and_most(graph, form) for form in forms]
        low = [low for low, _ in reach]
        # Of each node: how much the rest of a path may add to each sum.
        self._spread = [[high[node] - low[node] for low, high in reach] for node in range(len(graph.edges))]
        self.least = [values[0] for values in low]
        self.formula = shifted(formula, self.least)
        widths = [max(1, most.bit_length()) for most in self._spread[0]]
        self._offsets = [sum(widths[:i]) for i in range(len(forms))]
        self.bits = sum(widths)
        self._bounds = [sorted({a.bound for a in atoms(self.formula) if a.form == i}) for i in range(len(forms))]
        self._fields = [(offset, (1 << width) - 1) for offset, width in zip(self._offsets, widths, strict=True)]
        # Of each form: where it is packed, and the least and the most it is compared with.
        self._compared = [
            (offset, mask, bounds[0], bounds[-1])
            for (offset, mask), bounds in zip(self._fields, self._bounds, strict=True)
            if bounds
        ]
        self._settled: dict[int, int] = {}
        self._truths: dict[tuple[int, ...], bool | None] = {}
        self.added = self._pack_edges(graph, forms, low)

    def _pack_edges(self, graph: Graph, forms: Sequence[Form], low: list[list[int]]) -> list[list[int]]:
        spend(PACKING * graph.size * (1 + len(forms)))
        packed = []
        for node, leaving in enumerate(graph.edges):
            row = []
            for edge in leaving:
                total = 0
                for form, least, offset in zip(forms, low, self._offsets, strict=True):
                    more = sum(w * c for w, c in zip(form, edge.cost, strict=True) if w)
                    total += (more + least[edge.target] - least[node]) << offset
                row.append(total)
            packed.append(row)
        return packed

    def columns(self, many: Collection[int]) -> list[list[int]]:
        """Of each form the sums, unpacked."""
        return [[(sums >> offset) & mask for sums in many] for offset, mask in self._fields]

    def settled(self, node: int, sums: int) -> int | None:
        """One sum for all that are decided alike at a node; None where the formula cannot hold any more.

        A sum that is decided whatever is still to come is not told apart from others that are decided alike (Abío et
        al. 2012, doi:10.1613/jair.3653).
        """
        spread = self._spread[node]
        if len(self._compared) == len(spread):
            for (offset, mask, least, most), more in zip(self._compared, spread, strict=True):
                value = (sums >> offset) & mask
                if value > least or value + more <= most:
                    break
            else:
                return sums  # every comparison is still open; most sums leave here
        low = 0
        decided: list[int] = []
        for (offset, mask), more, bounds in zip(self._fields, spread, self._bounds, strict=True):
            value = (sums >> offset) & mask
            # The bounds up to `first` are exceeded, those from `last` on are kept to whatever is still to come.
            first, last = bisect_left(bounds, value), bisect_left(bounds, value + more)
            if first == last:
                value = bounds[first - 1] + 1 if first and bounds[first - 1] >= 0 else 0
            low |= value << offset
            decided += first, last
        known = self._known(tuple(decided))
        if known is None:
            return low
        return self._settled.setdefault(node, low) if known else None

    def _known(self, decided: tuple[int, ...]) -> bool | None:
        """What the formula is where of each form so many bounds are exceeded, and those from another number on kept."""
        if decided not in self._truths:
            low, high = [], []
            for bounds, first, last in zip(self._bounds, decided[::2], decided[1::2], strict=True):
                # Any sums between the same bounds will do.
                low.append(bounds[first] if first < len(bounds) else bounds[-1] + 1 if bounds else 0)
                high.append(bounds[last] if last < len(bounds) else bounds[-1] + 1 if bounds else 0)
            self._truths[decided] = truth(self.formula, low, high)
        return self._truths[decided]
