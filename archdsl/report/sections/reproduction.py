"""Says what it takes to do it again: command, seed, versions, data, recipe, spec, failures, and every trial."""

from __future__ import annotations

import math

from archdsl.base.passwords import masked
from archdsl.report.markup import Attribute, Markup, element, fragment
from archdsl.report.parts import Column, columned, copyable, facts, numeric, section, text_cell
from archdsl.report.sections.networks import COUNTS, LAYOUT, NUMBER, recipe
from archdsl.report.sections.ranking import scored
from archdsl.report.wording import MISSING, duration
from archdsl.study.results import Results, Trial


def reproduction(results: Results) -> Markup:
    """The section; always there."""
    winner = results.winner or results.best
    texts = [("The found network", winner.spec if winner else ""), ("The space", results.spec.text)]
    return section(
        "reproduction",
        "To do it again",
        copyable(masked(results.command), "the command") if results.command else None,
        facts(_facts(results), class_="facts wide"),
        [[element("h3", title), copyable(text, title[:1].lower() + title[1:])] for title, text in texts if text],
        failures(results),
    )


def _facts(results: Results) -> list[tuple[str, str]]:
    data = results.data
    sizes = " / ".join(f"{n:,}" if n is not None else MISSING for n in (data.train, data.validation, data.test))
    seen = (data.name, "×".join(map(str, data.input)), f"{data.classes} classes" if data.classes else "")
    seeds = sorted({run.seed for finalist in results.finalists for run in finalist.seeds if run.seed is not None})
    versions = {"archdsl": results.archdsl, "language": results.language, **results.versions}
    return [
        ("Seed of the search", "" if results.seed is None else str(results.seed)),
        ("Seeds of the finals", ", ".join(map(str, seeds))),
        ("Budget", "" if results.budget is None else f"{results.budget} networks"),
        ("Objectives", ", ".join(f"{objective.direction} {objective.name}" for objective in results.objectives)),
        ("Started", results.started),
        ("Wall time", duration(results.seconds)),
        ("Device", results.device),
        ("Data", ", ".join(part for part in seen if part)),
        ("Train / validation / test", sizes if data.train is not None else ""),
        ("Data digest", data.digest),
        ("Spec hash", results.spec.hash),
        ("Recipe", _recipe(results)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items() if version)),
    ]


def _recipe(results: Results) -> str:
    """The recipe that all were trained with; what the search decided of it stands in the files."""
    searched = {name for network in (*results.trials, *results.finalists) for name in network.tuned}
    said = [f"{key}={value}" for key, value in results.recipe.items() if key not in searched]
    return ", ".join(said + [f"{name} searched" for name in results.recipe if name in searched])


def failures(results: Results) -> Markup:
    """Networks that could not be trained, and why."""
    failed = results.in_state("failed")
    if not failed:
        return fragment()
    reason = Column[Trial]("Reason", lambda trial: text_cell(trial.reason or "no reason recorded"), right=False)
    listed = columned("Trials that failed; the search went on without them.", [NUMBER, LAYOUT, reason], failed)
    return fragment(element("h3", "Failures"), listed)


def every_trial(results: Results) -> Markup:
    """All trials in a fold-out table; the page's script reads the networks' pictures from its rows."""
    trials = results.trials
    if not trials:
        return fragment()
    first = results.primary.name
    rest = sorted({name for trial in trials for name in trial.scores} - {first})
    scores = [name for name in (first, *rest) if any(math.isfinite(trial.score(name)) for trial in trials)]
    columns = [
        NUMBER,
        Column[Trial]("State", lambda trial: text_cell(trial.state, title=trial.reason), right=False),
        LAYOUT,
        recipe(trials, "code"),
        *(scored(name) for name in scores if name not in ("params", "macs")),
        *COUNTS,
        Column[Trial]("Epochs", lambda trial: numeric(MISSING if trial.epochs is None else trial.epochs)),
        Column[Trial]("Time", lambda trial: numeric(duration(trial.seconds))),
        *(_where(name) for name in ("rung", "worker") if any(getattr(trial, name) is not None for trial in trials)),
    ]

    def attributes(trial: Trial) -> dict[str, Attribute]:
        return {"id": f"trial-{trial.number}"}

    caption = "In the order they were tried; the file trials.csv has more columns."
    listed = columned(caption, columns, trials, class_="all", attributes=attributes)
    return section(
        "trials",
        "Every trial",
        element("details", element("summary", f"Show all {len(trials)}"), listed, id="every-trial"),
    )


def _where(name: str) -> Column[Trial]:
    """The rung a trial came to, or the worker that trained it."""

    def cell(trial: Trial) -> Markup:
        value = getattr(trial, name)
        return text_cell(MISSING if value is None else str(value))

    return Column(name.capitalize(), cell, right=False)
