"""Fits a spec to a data set: the images and classes that the file leaves unsaid, and the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from archdsl import ir
from archdsl.base.errors import DataError, Diagnostic, SpecError, UsageError
from archdsl.data import DEFAULT_DATA, Dataset, load
from archdsl.ir.arguments import show
from archdsl.ir.recipe import Recipe
from archdsl.language.sources import Source
from archdsl.network import Architecture, Misfit, first_option
from archdsl.network.deciding import Deciding
from archdsl.network.model import Network, build
from archdsl.training.usual import usual_recipe


def set_up(
    source: Source, data: str | None, data_root: Path | None, download: bool, epochs: int | None
) -> tuple[ir.Spec, Dataset, Recipe]:
    """The spec of a source as it is on a data set, the data, and the recipe; of a space, the baselines' recipe.

    Args:
        source: the file.
        data: name of the data set; None takes what the file names, else the embedded one.
        data_root: where data sets lie.
        download: whether an absent one is fetched.
        epochs: in place of the file's, and of a hole that stands there.

    Raises:
        SpecError: the file is wrong.
        DataError: there is no such data set, or it does not fit what the file says.
        UsageError: the epochs are out of bounds.
    """
    spec = source.spec()
    dataset = load(data or spec.data or DEFAULT_DATA, root=data_root, download=download)
    spec = fit_to_data(with_epochs(spec, epochs), dataset, source.path)
    try:
        return spec, dataset, _recipe(spec)
    except SpecError as error:
        raise SpecError(error.diagnostics, source.text, source.path) from None


def with_epochs(spec: ir.Spec, epochs: int | None) -> ir.Spec:
    """The spec with other epochs than it says; None leaves it as it is.

    Raises:
        UsageError: they are out of bounds.
    """
    if epochs is None:
        return spec
    try:
        Recipe(epochs=epochs)
    except ValidationError:
        raise UsageError("--epochs is from 1 to 100,000") from None
    return spec.model_copy(update={"train": spec.train | {"epochs": epochs}})


def recipe_of(architecture: Architecture) -> Recipe:
    """How a network is trained: what its `train(…)` came to, and the defaults for the rest.

    Raises:
        SpecError: a number that the file leaves to be calculated is out of bounds.
    """
    return _valid(architecture.train)


def _recipe(spec: ir.Spec) -> Recipe:
    """The recipe of a spec, its holes decided as baselines are."""
    usual = usual_recipe(spec)
    walk = Deciding(spec, lambda hole: usual.get(hole.name, first_option(hole)))
    try:
        return _valid({name: walk.value(value) for name, value in spec.train.items()})
    except Misfit as error:
        raise SpecError([error.diagnostic]) from None


def _valid(said: Mapping[str, ir.Scalar]) -> Recipe:
    try:
        return Recipe.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        mistake = Diagnostic(f"train({name}={show(said[name])}) cannot be: {first['msg'].lower()}", None)
        raise SpecError([mistake]) from None


def seeded(architecture: Architecture, seed: int) -> Network:
    """The network with weights drawn from a seed, whatever the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(architecture)


def fit_to_data(spec: ir.Spec, data: Dataset, name: str) -> ir.Spec:
    """The spec with the data set's image shape and classes where the file leaves them unsaid.

    Raises:
        DataError: the file says otherwise.
    """
    wanted: dict[str, Any] = {"input": data.input, "classes": data.classes}
    for field in ("input", "classes"):
        said, has = getattr(spec, field), wanted[field]
        if field in spec.declared and said != has:
            shown = [v if isinstance(v, int) else "x".join(map(str, v)) for v in (said, has)]
            raise DataError(
                f"'{name}' says {field} {shown[0]}, but the data set '{data.name}' has {shown[1]}",
                f"write '{field} {shown[1]}' in the file, or leave the line out",
            )
    return spec.model_copy(update=wanted)
