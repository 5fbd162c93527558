"""A spec on a data set: images and classes that the file leaves unsaid, and how to train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archdsl import ir
from archdsl.data import Dataset, load
from archdsl.errors import DataError, UsageError
from archdsl.recipe import Recipe
from archdsl.sources import Source

DEFAULT_DATA = "fashion"


def set_up(
    source: Source, data: str | None, data_root: Path | None, download: bool, epochs: int | None
) -> tuple[ir.Spec, Dataset, Recipe]:
    """The spec of a source as it is on a data set, the data, and the recipe.

    Args:
        source: the file.
        data: name of the data set; None takes what the file names, else the embedded one.
        data_root: where data sets lie.
        download: whether an absent one is fetched.
        epochs: in place of the file's.

    Raises:
        SpecError: the file is wrong.
        DataError: there is no such data set, or it does not fit what the file says.
        UsageError: the epochs are out of bounds.
    """
    spec = source.spec()
    dataset = load(data or spec.data or DEFAULT_DATA, root=data_root, download=download)
    try:
        recipe = _recipe(spec, epochs)
    except ValueError:
        raise UsageError("--epochs is from 1 to 100,000") from None
    return fit_to_data(spec, dataset, source.path), dataset, recipe


def _recipe(spec: ir.Spec, epochs: int | None) -> Recipe:
    """The recipe a file asks for, flags winning; holes of `train(…)` keep their defaults until they are decided."""
    said: dict[str, Any] = {name: value for name, value in spec.train.items() if not isinstance(value, ir.Node)}
    return Recipe(**(said | ({} if epochs is None else {"epochs": epochs})))


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
