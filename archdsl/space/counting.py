"""Paths through a graph whose sums satisfy a formula: how many there are, without walking each of them.

The graph is cut into segments. In each of them the paths between two cuts are counted by what they add to the sums;
then the sums are followed from the start as far, and from the end as far, as is cheapest, and joined in the middle
(Horowitz and Sahni 1974, doi:10.1145/321812.321823). A sum that is decided whatever is still to come is not told apart
from others that are decided alike (Abío et al. 2012, doi:10.1613/jair.3653).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence

from archdsl.base.effort import TooLarge, spend
from archdsl.space import joining
from archdsl.space.conditions import Form
from archdsl.space.formulas import Formula, atoms, shifted, truth
from archdsl.space.graph import Graph, least_and_most

MAX_STEPS = 1_500_000
# Steps of `effort`: a step that joins sums, one that moves them on, one that only adds within a segment, and packing an
# edge's sum of one form.
STEP, MOVING, ADDING, PACKING = 2, 0.7, 0.3, 2
SETTLING = 3  # steps that it takes to see whether a sum is decided

Sums = dict[int, int]  # how many ways there are to each packed sum


class Counting:
    """The paths of a graph that satisfy a formula.

    All sums are counted from the least that is still possible, so they only grow along a path; those of several forms
    are packed into one integer, a field of bits each.

    Args:
        graph: the paths.
        forms: what the formula speaks of, as weights of the costs on the edges.
        formula: the condition; None where `accepts` decides on the sums of whole paths, one by one.

    Attributes:
        total: how many paths satisfy the formula.

    Raises:
        TooLarge: there are too many different sums.
    """

    def __init__(
        self, graph: Graph, forms: Sequence[Form], formula: Formula | None,
        accepts: Callable[[list[int]], bool] | None = None,
    ) -> None:  # fmt: skip
        self.graph, self._accepts = graph, accepts if formula is None else None
        self._steps_left = MAX_STEPS
        reach = [least_and_most(graph, form) for form in forms]
        self._low = [low for low, _ in reach]
        # Of each node: how much the rest of a path may add to each sum.
        self._spread = [[high[node] - low[node] for low, high in reach] for node in range(len(graph.edges))]
        self._forms = list(forms)
        self.formula = shifted(True if formula is None else formula, [low[0] for low in self._low])
        self._bits = [max(1, most.bit_length()) for most in self._spread[0]]
        self._offsets = [sum(self._bits[:i]) for i in range(len(forms) + 1)]
        self._bounds = [sorted({a.bound for a in atoms(self.formula) if a.form == i}) for i in range(len(forms))]
        self._settled: dict[int, int] = {}
        self._truths: dict[tuple[int, ...], bool | None] = {}
        # Of each form: where it is packed, and the least and the most it is compared with.
        self._fields = [
            (offset, (1 << bits) - 1, bounds[0] if bounds else most, bounds[-1] if bounds else -1)
            for offset, bits, bounds, most in zip(
                self._offsets, self._bits, self._bounds, self._spread[0], strict=False
            )
        ]
        self.packed = self._pack_edges()
        self.segments = self._segments()
        self._meet()

    # ---- packed sums ----

    def unpacked(self, sums: int) -> list[int]:
        """The sum of each form."""
        return [(sums >> offset) & mask for offset, mask, _, _ in self._fields]

    def _columns(self, many: Collection[int]) -> joining.Sums:
        return joining.Sums(
            [[(sums >> offset) & mask for sums in many] for offset, mask, *_ in self._fields], len(many)
        )

    def _pack(self, sums: Sequence[int]) -> int:
        return sum(value << offset for value, offset in zip(sums, self._offsets, strict=False))

    def _pack_edges(self) -> list[list[int]]:
        """What each edge adds, counted from the least that is still possible."""
        spend(PACKING * self.graph.size * (1 + len(self._forms)))
        packed = []
        for node, leaving in enumerate(self.graph.edges):
            row = []
            for edge in leaving:
                added = [
                    sum(w * c for w, c in zip(form, edge.cost, strict=True) if w) + low[edge.target] - low[node]
                    for form, low in zip(self._forms, self._low, strict=True)
                ]
                row.append(self._pack(added))
            packed.append(row)
        return packed

    def settled(self, node: int, sums: int) -> int | None:
        """One sum for all that are decided alike at a node; None where the formula cannot hold any more."""
        spread = self._spread[node]
        for (offset, mask, least, most), more in zip(self._fields, spread, strict=True):
            value = (sums >> offset) & mask
            if value > least or value + more <= most:
                break
        else:
            return sums  # every comparison is still open; most sums leave here
        low = 0
        decided: list[int] = []
        for (offset, mask, _, _), more, bounds in zip(self._fields, spread, self._bounds, strict=True):
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

    def _work(self, steps: int, each: float = STEP) -> None:
        spend(each * steps)
        self._steps_left -= steps
        if self._steps_left < 0:
            raise TooLarge

    # ---- segments ----

    def _segments(self) -> list[Segment]:
        nodes: dict[int, list[int]] = {}
        for node, level in enumerate(self.graph.level):
            nodes.setdefault(level, []).append(node)
        found = []
        for first, last in zip(self.graph.cuts, self.graph.cuts[1:], strict=False):
            inner = [node for level in range(last - 1, first - 1, -1) for node in nodes[level]]
            segment = Segment(nodes[first], nodes[last], inner, self._offsets[-1])
            for node in inner:
                ways: Sums = {}
                for edge, added in zip(self.graph.edges[node], self.packed[node], strict=True):
                    self._work(len(segment.ways[edge.target]), ADDING)
                    for sums, count in segment.ways[edge.target].items():
                        ways[sums + added] = ways.get(sums + added, 0) + count * edge.ways
                segment.ways[node] = ways
            found.append(segment)
        return found

    # ---- meeting in the middle ----

    def _meet(self) -> None:
        first, last = 0, len(self.segments)
        start = self.settled(0, 0)
        self.forward: list[dict[int, Sums]] = [{0: {start: 1}} if start is not None else {}]
        self.backward: dict[int, dict[int, Sums]] = {last: {self.graph.end: {0: 1}}}
        while first < last:
            ahead = sum(len(sums) * len(self.segments[first].ways[node]) for node, sums in self.forward[first].items())
            behind = sum(
                len(self.backward[last].get(self.segments[last - 1].split(key)[0], ()))
                for node in self.segments[last - 1].entries
                for key in self.segments[last - 1].ways[node]
            )
            self._work(ahead if self._accepts is not None else min(ahead, behind), MOVING)
            if ahead * SETTLING <= behind or self._accepts is not None:
                self.forward.append(self._follow(first))
                first += 1
            else:
                self.backward[last - 1] = self._precede(last - 1)
                last -= 1
        self.middle = first
        self._ahead: dict[int, dict[int, Sums]] = {first: self._joined()}
        self.total = sum(
            ways * self._ahead[first][node][sums]
            for node, found in self.forward[first].items()
            for sums, ways in found.items()
        )

    def _follow(self, number: int) -> dict[int, Sums]:
        """The sums behind a segment, from those before it."""
        segment = self.segments[number]
        raw: dict[int, Sums] = {}
        for node, found in self.forward[number].items():
            for key, count in segment.ways[node].items():
                target, added = segment.split(key)
                there = raw.setdefault(target, {})
                for sums, ways in found.items():
                    there[sums + added] = there.get(sums + added, 0) + ways * count
        reached: dict[int, Sums] = {}
        self._work(sum(map(len, raw.values())) * SETTLING)
        for node, found in raw.items():
            for sums, ways in found.items():
                settled = self.settled(node, sums)
                if settled is not None:
                    there = reached.setdefault(node, {})
                    there[settled] = there.get(settled, 0) + ways
        return reached

    def _precede(self, number: int) -> dict[int, Sums]:
        """What can be added from before a segment to the end, from what can be added behind it."""
        segment = self.segments[number]
        found: dict[int, Sums] = {}
        for node in segment.entries:
            here: Sums = {}
            for key, count in segment.ways[node].items():
                target, added = segment.split(key)
                for sums, ways in self.backward[number + 1].get(target, {}).items():
                    here[sums + added] = here.get(sums + added, 0) + ways * count
            found[node] = here
        return found

    def _joined(self) -> dict[int, Sums]:
        """For each sum in the middle how many ways lead on to the end."""
        if self._accepts is not None:
            least = [low[0] for low in self._low]
            return {
                node: {
                    s: int(self._accepts([a + b for a, b in zip(self.unpacked(s), least, strict=True)])) for s in sums
                }
                for node, sums in self.forward[self.middle].items()
            }
        halves = joining.Halves(self.formula, self._work)
        found = {}
        for node, sums in self.forward[self.middle].items():
            after = self.backward[self.middle].get(node, {})
            ways = halves.joined(self._columns(sums), self._columns(after), list(after.values()))
            found[node] = dict(zip(sums, ways, strict=True))
        return found

    def ahead(self, number: int) -> dict[int, Sums]:
        """How many ways lead from each node and sum before a segment (up to the middle) on to the end."""
        while number not in self._ahead:
            last = min(self._ahead)
            segment, following = self.segments[last - 1], self._ahead[last]
            found: dict[int, Sums] = {}
            for node, sums in self.forward[last - 1].items():
                steps = [(*segment.split(key), count) for key, count in segment.ways[node].items()]
                found[node] = {
                    here: sum(
                        count * following.get(target, {}).get(settled, 0)
                        for target, added, count in steps
                        if (settled := self.settled(target, here + added)) is not None
                    )
                    for here in sums
                }
            self._ahead[last - 1] = found
        return self._ahead[number]


class Segment:
    """Between two cuts.

    Attributes:
        entries, exits: the nodes at its two ends.
        inner: all but the exits.
        ways: for each node in it, how many paths lead to an exit by what they add; the exit is packed on top.
    """

    def __init__(self, entries: list[int], exits: list[int], inner: list[int], offset: int) -> None:
        self.entries, self.exits, self.inner, self._offset = entries, exits, frozenset(inner), offset
        self.ways: dict[int, Sums] = {node: {number << offset: 1} for number, node in enumerate(exits)}

    def split(self, key: int) -> tuple[int, int]:
        """The exit and what is added on the way to it."""
        return self.exits[key >> self._offset], key & ((1 << self._offset) - 1)
