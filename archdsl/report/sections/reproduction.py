"""Results to what it takes to do it again: command, seed, versions, data, recipe, spec, failures, and every trial."""

from __future__ import annotations

import math

from archdsl.base.passwords import masked
from archdsl.report.layout import plain
from archdsl.report.markup import Markup, element, fragment
from archdsl.report.parts import copyable, facts, head_cell, numeric, row_head, section, table
from archdsl.report.wording import MISSING, duration, number, settings, short, words
from archdsl.study.results import Results, Trial


def reproduction(results: Results) -> Markup:
    """The section; always there."""
    winner = results.winner or results.best
    return section(
        "reproduction",
        "To do it again",
        copyable(masked(results.command), "the command") if results.command else None,
        facts(_facts(results), class_="facts wide"),
        [element("h3", "The found network"), copyable(winner.spec, "the found network")]
        if winner and winner.spec
        else None,
        [element("h3", "The space"), copyable(results.spec.text, "the space")] if results.spec.text else None,
        failures(results),
    )


def _facts(results: Results) -> list[tuple[str, str]]:
    data = results.data
    sizes = " / ".join(f"{n:,}" if n is not None else MISSING for n in (data.train, data.validation, data.test))
    shape = "×".join(map(str, data.input))
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
        (
            "Data",
            ", ".join(part for part in (data.name, shape, f"{data.classes} classes" if data.classes else "") if part),
        ),
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
    head = element("tr", head_cell("Trial", class_="num"), head_cell("Layout"), head_cell("Reason"))
    rows = [
        element(
            "tr",
            row_head(trial.number, class_="num"),
            element("td", plain(trial.layout), class_="code"),
            element("td", trial.reason or "no reason recorded"),
        )
        for trial in failed
    ]
    return fragment(
        element("h3", "Failures"), table("Trials that failed; the search went on without them.", [head], rows)
    )


def every_trial(results: Results) -> Markup:
    """All trials in a fold-out table; the page's script reads the networks' pictures from its rows."""
    if not results.trials:
        return fragment()
    first = results.primary.name
    rest = sorted({name for trial in results.trials for name in trial.scores} - {first})
    scores = [name for name in (first, *rest) if any(math.isfinite(trial.score(name)) for trial in results.trials)]
    scores = [name for name in scores if name not in ("params", "macs")]
    more = [name for name in ("rung", "worker") if any(getattr(trial, name) is not None for trial in results.trials)]
    tuned = any(trial.tuned for trial in results.trials)
    head = element(
        "tr",
        head_cell("Trial", class_="num"),
        head_cell("State"),
        head_cell("Layout"),
        head_cell("Recipe") if tuned else None,
        [head_cell(words(name).column, class_="num") for name in scores],
        head_cell("Params", class_="num"),
        head_cell("MACs", class_="num"),
        head_cell("Epochs", class_="num"),
        head_cell("Time", class_="num"),
        [head_cell(name.capitalize()) for name in more],
    )
    rows = [_trial(trial, scores, more, tuned) for trial in results.trials]
    listed = table("In the order they were tried; the file trials.csv has more columns.", [head], rows, class_="all")
    folded = element("details", element("summary", f"Show all {len(rows)}"), listed, id="every-trial")
    return section("trials", "Every trial", folded)


def _trial(trial: Trial, scores: list[str], more: list[str], tuned: bool) -> Markup:
    return element(
        "tr",
        row_head(trial.number, class_="num"),
        element("td", trial.state, title=trial.reason),
        element("td", plain(trial.layout), class_="code"),
        element("td", settings(trial.tuned), class_="code") if tuned else None,
        [numeric(number(name, trial.score(name), extra=1)) for name in scores],
        numeric(short(trial.params)),
        numeric(short(trial.macs)),
        numeric(MISSING if trial.epochs is None else trial.epochs),
        numeric(duration(trial.seconds)),
        [element("td", MISSING if getattr(trial, name) is None else str(getattr(trial, name))) for name in more],
        id=f"trial-{trial.number}",
    )
