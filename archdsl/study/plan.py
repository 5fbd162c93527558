"""Describes a study: everything that must be the same for a run to be resumed."""

from __future__ import annotations

import platform
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from archdsl import ir
from archdsl.base.errors import RunError, UsageError, did_you_mean
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.ir.scores import SCORES
from archdsl.network.identity import spec_hash

PACKAGES = ("torch", "optuna", "timm", "numpy", "scipy", "lark", "pydantic")


class Plan(BaseModel):
    """The identity of a study; two runs with equal plans do the same.

    Attributes:
        spec_text: the file; spec_hash: the space's hash with `input` and `classes` of the data.
        data, data_digest: name and content of the data set.
        recipe: of the baselines; that of a candidate is what it decides of `train(…)`.
        epochs: that the user wants in place of the file's, None for the file's.
        objectives: (score, direction) pairs.
        finalist_seeds: how often the winner and the baselines are trained again.
        workers: processes that train; a proposal knows of all candidates but those still in training.
        warm_start_from: the runs whose best networks are tried first, after the baselines; warm_start: those networks,
            as Optuna's parameters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: int = ir.LANGUAGE_VERSION
    spec_name: str
    spec_text: str
    spec_hash: str
    data: str
    data_digest: str
    recipe: Recipe
    epochs: int | None = None
    objectives: tuple[tuple[str, str], ...]
    sampler: str
    seed: int
    halving: bool
    finalist_seeds: int
    workers: int
    warm_start_from: tuple[str, ...] = ()
    warm_start: tuple[dict[str, Any], ...] = ()
    versions: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _without_a_screen(cls, said: Any) -> Any:
        """Studies that were begun when there were screens say that they have none."""
        if isinstance(said, dict) and said.get("screen", "") is None:
            return {name: value for name, value in said.items() if name != "screen"}
        return said

    def settled(self, begun: Plan, *, auto: bool) -> Plan:
        """This plan, with what a study that was begun has settled already.

        Args:
            begun: the study's plan.
            auto: whether the sampler is the search's choice; a larger budget might choose another one.
        """
        update: dict[str, Any] = {"sampler": begun.sampler} if auto else {}
        if self.warm_start_from == begun.warm_start_from:  # those runs may have gone on, or be gone
            update["warm_start"] = begun.warm_start
        return self.model_copy(update=update)

    def differences(self, other: Plan, besides: Collection[str] = ()) -> list[str]:
        """What another plan has different, in words; versions that differ only in a patch are let through.

        Args:
            other: the plan to compare with.
            besides: fields that may differ.
        """
        found = []
        for name in sorted(set(type(self).model_fields) - set(besides), key=list(type(self).model_fields).index):
            mine, theirs = getattr(self, name), getattr(other, name)
            if name == "versions":
                mine, theirs = ({k: ".".join(v.split(".")[:2]) for k, v in m.items()} for m in (mine, theirs))
            if mine != theirs:
                what = name.replace("_", " ")
                short = max(len(str(mine)), len(str(theirs))) <= 80
                found.append(f"{what} (there {theirs}, here {mine})" if short else what)
        return found


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for name in ("archdsl", *PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def objectives_of(spec: ir.Spec, flags: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The (score, direction) pairs of a search: flags `accuracy` or `minimize:nll`, else the file's, else accuracy.

    Raises:
        UsageError: a flag names no score, or one a second time.
    """
    if not flags:
        said = tuple((objective.score, objective.direction) for objective in spec.objectives)
        return said or (("accuracy", "maximize"),)
    found: dict[str, str] = {}
    for flag in flags:
        direction, _, name = flag.rpartition(":")
        if name not in SCORES:
            raise UsageError(
                f"unknown score '{name}'", did_you_mean(name, SCORES) or f"scores are: {', '.join(SCORES)}"
            )
        natural = SCORES[name].direction
        if direction not in ("", "maximize", "minimize"):
            raise UsageError(f"unknown direction '{direction}'", f"write maximize:{name} or minimize:{name}")
        if not direction and natural is None:
            raise UsageError(f"neither way is better for '{name}'", f"write maximize:{name} or minimize:{name}")
        if name in found:
            raise UsageError(f"'{name}' is an objective already", "give --objective once for each score")
        found[name] = direction or str(natural)
    return tuple(found.items())


def plan_search(
    spec: ir.Spec, text: str, data: Dataset, *, recipe: Recipe, objectives: tuple[tuple[str, str], ...], sampler: str,
    seed: int, halving: bool, finalist_seeds: int, workers: int, epochs: int | None = None,
    warm_start_from: tuple[str, ...] = (),
) -> Plan:  # fmt: skip
    """The plan of a search over a spec already fitted to its data."""
    if not objectives:
        raise RunError("a search needs an objective")
    return Plan(
        spec_name=spec.name, spec_text=text, spec_hash=spec_hash(spec), data=data.name, data_digest=data.digest,
        recipe=recipe, epochs=epochs, objectives=objectives, sampler=sampler, seed=seed, halving=halving,
        finalist_seeds=finalist_seeds, workers=workers, warm_start_from=warm_start_from,
        versions=versions(),
    )  # fmt: skip
