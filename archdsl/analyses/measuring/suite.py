"""Measures the usual analyses of a model, or those named; they share batches and forward passes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from archdsl.analyses.contract import ANALYSES, Analysis, Observer, Sample
from archdsl.analyses.measuring.exact import Batch, device_of, dtype_of
from archdsl.analyses.measuring.features import watch
from archdsl.analyses.measuring.sample import sampled
from archdsl.analyses.results.result import Result
from archdsl.base.errors import ArchdslError, RunError, UnknownNameError, UsageError
from archdsl.data.dataset import Dataset
from archdsl.network.units import Unit

T = TypeVar("T")


def measure_all(
    model: nn.Module,
    data: Dataset,
    *,
    units: Sequence[Unit] = (),
    only: Iterable[str] | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    batches: int | None = None,
    size: int | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    compat: str | None = None,
    on_result: Callable[[str, Result], None] | None = None,
    on_failure: Callable[[str, ArchdslError], None] | None = None,
) -> dict[str, Result]:
    """Measure a model.

    Args:
        model: in any mode; it comes back as it was.
        data: which split of it is looked at, and whether augmented, each analysis says (`Analysis.sample`).
        units: the network's blocks, for those analyses that look at them.
        only: names of analyses; by default all that do not take long (`Analysis.usual`).
        seed: of the batches and of whatever is random in an analysis.
        device: where the model is; found out by default.
        batches: how many, in place of each analysis's own number.
        size: images per batch, likewise.
        options: per analysis, further arguments of its `measure`: `{"hessian": {"k": 3}}`.
        compat: "parkkim": measure as the public code of Park & Kim 2022 does, in the analyses where that differs.
        on_result: told each result as soon as it is there, so that an interrupted run loses none.
        on_failure: told of each analysis that this network cannot have (maps without frequencies, no block to take
            out), which is then left out; without it, that is an error.

    Returns:
        Results by name, in the order asked for.

    Raises:
        UnknownNameError: an analysis nobody registered, or a `compat` that none of all knows.
        RunError, UsageError: an analysis failed, and there is no `on_failure`.
    """
    wanted = {name: ANALYSES[name] for name in (usual() if only is None else only)}
    options = _options(options or {}, compat, data, seed)
    where = torch.device(device) if device is not None else device_of(model)
    drawn: dict[Sample, list[Batch]] = {}
    results: dict[str, Result] = {}

    def images(sample: Sample) -> list[Batch]:
        if sample not in drawn:
            found = sampled(data, sample, seed=seed, device=where, count=batches, size=size)
            drawn[sample] = [(images.to(dtype_of(model)), labels) for images, labels in found]
        return drawn[sample]

    def done(name: str, result: Result | None) -> None:
        if result is None:
            return
        results[name] = result
        if on_result is not None:
            on_result(name, result)

    def attempt(names: Iterable[str], work: Callable[[], T]) -> T | None:
        try:
            return work()
        except (RunError, UsageError) as error:
            if on_failure is None:
                raise
            for name in names:
                on_failure(name, error)
            return None

    for sample, analyses in _shared(wanted.values()).items():
        made = {a.name: attempt([a.name], functools.partial(_observer, a, units, options)) for a in analyses}
        observers = {name: observer for name, observer in made.items() if observer is not None}
        if not observers:
            continue
        if attempt(observers, functools.partial(_watch, model, images(sample), units, observers)):
            for name, observer in observers.items():
                done(name, attempt([name], observer.result))
    for name, analysis in wanted.items():
        if analysis.observe is None:
            positional = (units,) if analysis.takes("units") else ()
            measure = functools.partial(analysis.measure, model, images(analysis.sample), *positional, **options[name])
            done(name, attempt([name], measure))
    return {name: results[name] for name in wanted if name in results}


def usual() -> list[str]:
    """Names of the analyses that run where none is named."""
    return [name for name in ANALYSES if ANALYSES[name].usual]


def check_compat(compat: str | None) -> None:
    """Raises UnknownNameError where no analysis has such a variant."""
    known = sorted({variant for name in ANALYSES for variant in ANALYSES[name].compat})
    if compat is not None and compat not in known:
        raise UnknownNameError("variant", compat, known)


def scores(results: Mapping[str, Result]) -> dict[str, float]:
    """All scores of several analyses by name; names are unique over the analyses."""
    return {name: value for result in results.values() for name, value in result.scores().items()}


def standard_errors(results: Mapping[str, Result]) -> dict[str, float]:
    """Their standard errors over batches, where known."""
    return {name: value for result in results.values() for name, value in result.standard_errors().items()}


def _options(
    given: Mapping[str, Mapping[str, Any]], compat: str | None, data: Dataset, seed: int
) -> dict[str, dict[str, Any]]:
    """What each analysis's `measure` is called with; what the caller gives comes first."""
    check_compat(compat)
    for name in given:
        ANALYSES[name]  # a typo is an error, not a silence
    found, known = {}, {"seed": seed, "std": data.std, "mean": data.mean}
    for name in ANALYSES:
        analysis = ANALYSES[name]
        usually: dict[str, Any] = {
            **{name: value for name, value in known.items() if analysis.takes(name)},
            **({"compat": compat} if compat in analysis.compat else {}),
        }
        found[name] = usually | dict(given.get(name, {}))
    return found


def _shared(analyses: Iterable[Analysis]) -> dict[Sample, list[Analysis]]:
    """Those that only look on, by the images they want: one forward pass serves each group."""
    groups: dict[Sample, list[Analysis]] = {}
    for analysis in analyses:
        if analysis.observe is not None:
            groups.setdefault(analysis.sample, []).append(analysis)
    return groups


def _observer(analysis: Analysis, units: Sequence[Unit], options: Mapping[str, dict[str, Any]]) -> Observer:
    if analysis.observe is None:
        raise TypeError(f"{analysis.name} does not only look on")
    return analysis.observe(units, **options[analysis.name])


def _watch(
    model: nn.Module, batches: Sequence[Batch], units: Sequence[Unit], observers: Mapping[str, Observer]
) -> bool:
    watch(model, batches, units, list(observers.values()))
    return True
