"""Weighs what trials say about placement: the effect of every decision, and of patterns such as MSAs at stage ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archdsl.base.statistics import Interval, Mean, adjusted, difference, mean, rank_correlation
from archdsl.report.layout import kind
from archdsl.study.results import Decision, Results, Trial

CHOICES_AT_MOST = 8  # alternatives shown one by one; above that a decision is a range


@dataclass(frozen=True)
class Effect:
    """What one decision did to a score, over the complete trials in which it was active.

    Attributes:
        decision: the decision.
        means: mean score with each alternative.
        pair: the alternatives compared, (those of the first side, those of the second), or None.
        effect: mean of the second side minus mean of the first (MSA minus Conv where the choice is between them).
        still: the same with the other decisions held still by least squares, or None where the data do not allow it.
        trend: Spearman's rho of the value with the score, for a range of numbers.
    """

    decision: Decision
    means: dict[str, Mean]
    pair: tuple[tuple[str, ...], tuple[str, ...]] | None
    effect: Interval | None
    still: Interval | None
    trend: Interval | None

    @property
    def fairest(self) -> Interval | None:
        """With the others held still where that is known, else the plain difference."""
        return self.still or self.effect

    @property
    def sides(self) -> str:
        """`M − C`, as a heading says it; "" where nothing is compared."""
        if self.pair is None:
            return ""
        first, second = ("/".join(side) for side in self.pair)
        return f"{second or 'empty'} − {first or 'empty'}"


def effects(results: Results, score: str) -> list[Effect]:
    """The effect of every decision of the space on a score."""
    trials = [trial for trial in results.complete if math.isfinite(trial.score(score))]
    pairs = {decision.name: _pair(decision, results) for decision in results.decisions}
    still = _held_still(trials, pairs, score)
    return [_effect(decision, pairs[decision.name], trials, score, still) for decision in results.decisions]


def _pair(decision: Decision, results: Results) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Conv-like against MSA-like alternatives; else the two there are; else nothing."""
    kinds = {choice: _content(choice, results) for choice in decision.choices}
    conv = tuple(choice for choice in decision.choices if kinds[choice] == "conv")
    msa = tuple(choice for choice in decision.choices if kinds[choice] == "msa")
    if conv and msa:
        return conv, msa
    return (decision.choices[:1], decision.choices[1:]) if len(decision.choices) == 2 else None


def _content(choice: str, results: Results) -> str | None:
    """What all the blocks of an alternative are: `C C` is conv, `C M` is neither."""
    if kind(choice, results.kinds):
        return kind(choice, results.kinds)
    found = {kind(block, results.kinds) for block in choice.split()}
    return found.pop() if len(found) == 1 else None


def _effect(
    decision: Decision,
    pair: tuple[tuple[str, ...], tuple[str, ...]] | None,
    trials: Sequence[Trial],
    score: str,
    still: dict[str, Interval],
) -> Effect:
    values: dict[str, list[float]] = {choice: [] for choice in decision.choices}
    for trial in trials:
        if decision.name in trial.decisions:
            values.setdefault(trial.decisions[decision.name], []).append(trial.score(score))
    measured = None
    if pair is not None:
        first, second = ([value for choice in side for value in values[choice]] for side in pair)
        measured = difference(second, first)
    trend = None
    if len(values) > CHOICES_AT_MOST and pair is None:
        numbers = [(float(choice), value) for choice, found in values.items() if _is_number(choice) for value in found]
        trend = rank_correlation([x for x, _ in numbers], [y for _, y in numbers])
    means = {choice: mean(found) for choice, found in values.items()}
    return Effect(decision, means, pair, measured, still.get(decision.name), trend)


Pairs = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]] | None]


def _held_still(trials: Sequence[Trial], pairs: Pairs, score: str) -> dict[str, Interval]:
    """Effects in one additive model of all two-sided decisions; {} unless each was active in every trial."""
    model = sided(trials, pairs)
    if model is None or sum(pair is not None for pair in pairs.values()) < 2:
        return {}
    names, columns = model
    found = adjusted(columns, np.array([trial.score(score) for trial in trials]))
    return {} if found is None else dict(zip(names, found, strict=True))


def sided(trials: Sequence[Trial], pairs: Pairs) -> tuple[list[str], NDArray[np.float64]] | None:
    """Two-sided decisions that took both sides, and a column for each: 1 where a trial took the second.

    None where there are no trials, or one that did not take every two-sided decision.
    """
    names = [name for name, pair in pairs.items() if pair is not None]
    columns = np.zeros((len(trials), len(names)))
    for i, trial in enumerate(trials):
        for j, name in enumerate(names):
            pair, choice = pairs[name], trial.decisions.get(name)
            if pair is None or choice is None or choice not in (*pair[0], *pair[1]):
                return None
            columns[i, j] = choice in pair[1]
    if not trials:
        return None
    varied = [j for j in range(len(names)) if 0 < columns[:, j].sum() < len(trials)]
    return [names[j] for j in varied], columns[:, varied]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


@dataclass(frozen=True)
class Rule:
    """A pattern of placement, tested on the trials.

    Attributes:
        title: the advice in words.
        test: which trials are compared, those that follow it first.
        groups: mean score of each.
        effect: advised minus other.
    """

    title: str
    test: str
    groups: tuple[Mean, Mean]
    effect: Interval

    def verdict(self, *, maximize: bool) -> str:
        """`supported`, `contradicted`, `undecided` (the interval includes 0) or `not testable` (too few trials)."""
        if not self.effect.known:
            return "not testable"
        if not self.effect.excludes_zero:
            return "undecided"
        return "supported" if (self.effect.value > 0) == maximize else "contradicted"


Slots = tuple[tuple[str, ...], ...]  # per stage, `conv` / `msa` / "" at every place the search decides


def rules(results: Results, score: str) -> list[Rule]:
    """The paper's advice (arXiv 2202.06709, section 4) and its neighbours; what the space cannot show is left out."""
    trials = [trial for trial in results.complete if math.isfinite(trial.score(score))]
    slots = free_slots(trials, results)
    values = [trial.score(score) for trial in trials]
    return [
        rule
        for title, test, lean in _PATTERNS
        if (rule := _rule(title, test, [lean(each) for each in slots], values)) is not None
    ]


def _rule(title: str, test: str, leans: list[float], values: list[float]) -> Rule | None:
    advised = [value for lean, value in zip(leans, values, strict=True) if lean > 0]
    other = [value for lean, value in zip(leans, values, strict=True) if lean < 0]
    if not advised or not other:
        return None
    return Rule(title, test, (mean(advised), mean(other)), difference(advised, other))


def free_slots(trials: Sequence[Trial], results: Results) -> list[Slots]:
    """Each trial's layout as kinds, cut down per stage to the stretch in which the trials differ.

    A first block that is a Conv in every trial was not the search's to place, so a stage's beginning is its first
    place where some trial has an MSA and another a Conv; its end likewise, counted from behind.
    """
    layouts = [
        tuple(tuple(kind(label, results.kinds) or "" for label in stage) for stage in trial.layout) for trial in trials
    ]
    stages = max((len(layout) for layout in layouts), default=0)
    cuts = []
    for stage in range(stages):
        rows = [layout[stage] for layout in layouts if stage < len(layout)]
        cuts.append((_fixed(rows), _fixed([row[::-1] for row in rows])))
    return [
        tuple(
            row[cuts[s][0] : len(row) - cuts[s][1]] if len(row) > sum(cuts[s]) else () for s, row in enumerate(layout)
        )
        for layout in layouts
    ]


def _fixed(rows: Sequence[Sequence[str]]) -> int:
    """How many first places are the same kind in every row."""
    count = 0
    for place in range(max(map(len, rows), default=0)):
        found = {row[place] for row in rows if place < len(row)}
        if {"conv", "msa"} <= found:
            break
        count += 1
    return count


def _ends(slots: Slots) -> float:
    """Stages that end with an MSA minus stages that begin with one, over stages with two free places or more."""
    wide = [stage for stage in slots if len(stage) > 1]
    return sum((stage[-1] == "msa") - (stage[0] == "msa") for stage in wide)


def _late(slots: Slots) -> float:
    """Share of MSAs among the free places of the last stage that has any, minus the share in the first such stage."""
    free = [stage for stage in slots if stage]
    return 0.0 if len(free) < 2 else share(free[-1]) - share(free[0])


def _final(slots: Slots) -> float:
    """The last free place of the network: an MSA or a Conv."""
    places = [block for stage in slots for block in stage]
    return {"msa": 1.0, "conv": -1.0}.get(places[-1] if places else "", 0.0)


def _many(slots: Slots) -> float:
    """More or fewer MSAs than half of the free places."""
    places = tuple(block for stage in slots for block in stage)
    return share(places) - 0.5 if places else 0.0


def share(places: Sequence[str]) -> float:
    """Share of MSAs; 0 of no places."""
    return sum(block == "msa" for block in places) / len(places) if places else 0.0


_PATTERNS: tuple[tuple[str, str, Callable[[Slots], float]], ...] = (
    (
        "MSAs belong at the ends of stages, not at their beginnings",
        "more stages end than begin with one, against the reverse",
        _ends,
    ),
    ("MSAs belong in late stages", "a larger share of the last stage than of the first, against the reverse", _late),
    ("The network should end with an MSA", "the last free place is one, against a Conv there", _final),
    ("More MSAs are better", "in more than half of the free places, against fewer", _many),
)
