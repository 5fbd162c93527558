"""Words the one or two sentences that say what came out of a search."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from archdsl.base.statistics import Interval, difference, mean
from archdsl.report.layout import described
from archdsl.report.wording import listing, number, plural, short, signed, spread, unit, words
from archdsl.study.results import Finalist, Results, Trial, same

SPREAD_RULE = (
    "Within the seed spread: the 95 % interval of the difference of the means (Welch, over the seeds) includes 0. "
    "Clearly above or below: it does not."
)


@dataclass(frozen=True)
class Headline:
    """What a colleague is told first.

    Attributes:
        result: what was found and how good it is.
        comparison: how it stands against the baselines, "" where there is nothing to compare.
        layout: the layout spoken of, () for none.
    """

    result: str
    comparison: str = ""
    layout: tuple[tuple[str, ...], ...] = ()

    def __str__(self) -> str:
        return f"{self.result} {self.comparison}".strip()


def headline(results: Results) -> Headline:
    """The sentences for any state a search can be in, from no trial at all to trained finalists."""
    winner = results.winner
    if winner is not None and winner.values("test", "accuracy"):
        return Headline(_result(results, winner), _comparison(results, winner), winner.layout)
    best = results.best or next(iter(results.ranking()), None)
    if best is not None:
        return Headline(_unconfirmed(results, best), "", best.layout)
    return Headline(_nothing(results))


def without_finals(results: Results) -> str:
    """What the search's time limit left out, and how to make it up; "" for nothing."""
    if not results.finals_left_out:
        return ""
    return (
        f"{plural(results.finals_left_out, 'final training was', 'final trainings were')} left out: the time limit was "
        "reached. The same command without --timeout, or with a larger one, makes up for it."
    )


def against(winner: Finalist, baseline: Finalist, score: str = "accuracy") -> Interval:
    """Winner minus baseline on the test split, over seeds."""
    return difference(winner.values("test", score), baseline.values("test", score))


def _result(results: Results, winner: Finalist) -> str:
    test, validation = (mean(winner.values(split, "accuracy")) for split in ("test", "validation"))
    seeds = f"mean ± sd over {test.n} seeds" if test.n > 1 else "one seed"
    also = f"{_accuracy(validation.value, validation.sd)} on validation; " if validation.n else ""
    equal = [baseline.name for baseline in results.baselines if same(baseline, winner)]
    who = f"The found layout, {described(winner)},"
    if equal:
        who = f"The search found nothing better than {listing(equal)}: {described(winner)}"
    return f"{who} scores {_accuracy(test.value, test.sd)} on the test split ({also}{seeds}).{_front(results, winner)}"


def _accuracy(value: float, sd: float) -> str:
    return " ".join(part for part in (number("accuracy", value), spread("accuracy", sd), "%") if part)


def _front(results: Results, winner: Finalist) -> str:
    """For several objectives, what the one layout was chosen from, and by what: one training of each in the search.

    Only this one of them is trained again, so the choice is not tested by the finals; baselines that did better there
    in what it was chosen for are named.
    """
    if len(results.objectives) < 2:
        return ""
    names = listing([words(objective.name).label for objective in results.objectives])
    others = plural(len(results.pareto), "layout is", "layouts are")
    chosen = results.objectives[0].name
    best = results.best
    there = best.score(chosen) if best is not None and same(best, winner) else math.nan
    value = f", {number(chosen, there, unit=True)}" if math.isfinite(there) else ""
    text = (
        f" By one training each, {others} Pareto-optimal for {names}; this one was the best of them in "
        f"{words(chosen).label} there{value}."
    )
    own = mean(winner.values("validation", "accuracy"))
    above = [
        f"{baseline.name} ({number('accuracy', found.value, unit=True)})"
        for baseline in results.baselines
        if (found := mean(baseline.values("validation", "accuracy"))).value > own.value
    ]
    if chosen != "accuracy" or not above:
        return text
    its = number("accuracy", own.value, unit=True)
    return f"{text} Trained again, {listing(above)} had a higher mean on validation than its {its}."


def _comparison(results: Results, winner: Finalist) -> str:
    """Each baseline under what the seeds allow to be said: clearly above or below, or within the spread."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for baseline in results.baselines:
        gap = against(winner, baseline)
        if same(baseline, winner) or not math.isfinite(gap.value):
            continue
        groups.setdefault(_standing(gap), []).append((baseline.name, gap.value))
    unsure = groups.pop("unknown", [])
    named = [f"{kind} {_points(groups[kind])}" for kind in _STANDINGS if kind in groups]
    sentences = [f"On test it is {_clauses(named)}."] if named else []
    if unsure:
        sentences.append(
            f"On test it differs from {_points(unsure)}; one seed does not tell whether that is more than chance."
        )
    return " ".join(sentences)


_STANDINGS = ("clearly above", "clearly below", "within the seed spread of")


def _standing(gap: Interval) -> str:
    if not gap.known:
        return "unknown"
    if not gap.excludes_zero:
        return "within the seed spread of"
    return "clearly above" if gap.value > 0 else "clearly below"


def _points(gaps: list[tuple[str, float]]) -> str:
    return listing([f"{name} ({signed('accuracy', value)}{unit('accuracy')})" for name, value in gaps])


def _clauses(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])}, and {parts[-1]}"


def _unconfirmed(results: Results, best: Trial) -> str:
    score = results.primary.name
    tried = plural(len(results.trials), "trial")
    size = f", {short(best.params)} parameters" if best.params is not None and score != "params" else ""
    found = "Best so far" if not results.finished else "Best layout"
    value = number(score, best.score(score), unit=True)
    name = words(score).label
    return (
        f"{found} of {tried}: {described(best)} with a validation {name} of {value} (trial {best.number}{size}). "
        "This is one training, and it was chosen for this very number; nothing was measured on the test split"
        f"{'' if results.finished else ' yet'}."
    )


def _nothing(results: Results) -> str:
    """Why there is no network to speak of."""
    if not results.trials:
        return "No network has been trained" + ("." if results.finished else " yet.")
    failed, stopped = results.in_state("failed"), results.in_state("stopped")
    if not failed:
        return f"None of {plural(len(results.trials), 'network')} was trained to the end: all were stopped early."
    reason, times = Counter(trial.reason or "no reason recorded" for trial in failed).most_common(1)[0]
    if stopped:
        every = f"No network was trained to the end: {len(failed)} failed, {len(stopped)} were stopped early"
    else:
        every = "The only network failed" if len(failed) == 1 else f"All {len(failed)} networks failed"
    how_often = "" if times == len(failed) else f", {times} times"
    return f"{every} ({reason}{how_often})."
