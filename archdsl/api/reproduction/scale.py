"""The scales of a rerun, small, full or quick: the matched networks, recipe, seeds and shares of the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import Final

from archdsl.base.errors import UsageError
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.network import Architecture, resolve_model
from archdsl.training.experiment import fit_to_data

NETWORKS: Final[dict[str, str]] = {
    "resnet": "ResNet",
    "vit": "ViT",
    "vit_gap": "ViT, GAP",
    "local_vit": "local ViT",
    "alternet": "AlterNet",
    "alternet_front": "MSA first",
}
"""The networks, as files and as figures call them."""

SEEDS_AT_MOST = 100


@dataclass(frozen=True)
class Scale:
    """How large the rerun is.

    Attributes:
        name: the folder of the networks.
        recipe: of a training on all data.
        seeds: trainings of each network, from seed 0.
        shares: of the training images, besides all of them, on which ResNet and AlterNet are compared.
        scarce: the share on which ViT is trained, too.
        batches, size: of the analyses, in place of their own.
    """

    name: str
    recipe: Recipe
    seeds: int
    shares: tuple[float, ...] = (0.5, 0.25, 0.1)
    scarce: float = 0.1
    batches: int | None = None
    size: int | None = None

    def with_(self, *, seeds: int | None, epochs: int | None) -> Scale:
        """The same with other seeds or epochs.

        Raises:
            UsageError: they are out of bounds.
        """
        if seeds is not None and not 1 <= seeds <= SEEDS_AT_MOST:
            raise UsageError(f"{seeds} seeds", f"--seeds is from 1 to {SEEDS_AT_MOST}, and verdicts take 3 or more")
        if epochs is not None and not 1 <= epochs <= 100_000:
            raise UsageError(f"{epochs} epochs", "--epochs is from 1 to 100,000")
        recipe = self.recipe if epochs is None else self.recipe.model_copy(update={"epochs": epochs})
        return replace(self, seeds=seeds or self.seeds, recipe=recipe)

    def recipe_for(self, share: float) -> Recipe:
        """The recipe on a share of the data: epochs grow with its inverse square root.

        Equal epochs would leave a tenth of the data a tenth of the steps, and untrained networks; equal steps would
        show every image ten times as often. This is half-way between, and the same for all networks.
        """
        return self.recipe.model_copy(update={"epochs": round(self.recipe.epochs * share**-0.5)})

    def network(self, name: str, data: Dataset) -> Architecture:
        """One of the networks, fitted to the images and classes of a data set.

        Raises:
            SpecError, DataError: it cannot be built for such images.
        """
        text, path = self.text(name), f"{self.name}/{name}.arch"
        return resolve_model(fit_to_data(parse(text, path), data, path), text, path)

    def text(self, name: str) -> str:
        """The file of a network."""
        folder = resources.files("archdsl.api.reproduction") / "networks" / self.name
        return folder.joinpath(f"{name}.arch").read_text(encoding="utf-8")


def warmed_up(recipe: Recipe) -> int:
    """The epoch after which the learning rate has just reached its peak: the early phase that the paper looks at."""
    return min(max(1, round(recipe.warmup * recipe.epochs)), recipe.epochs)


# No label smoothing: the loss whose Hessian is measured is the loss that was trained. Float32: every CPU computes it.
_PLAIN = {"label_smoothing": 0.0, "warmup": 1 / 6}
SMALL: Final = Scale("small", Recipe(epochs=12, batch=64, precision="float32", **_PLAIN), seeds=5)  # type: ignore[arg-type]
FULL: Final = Scale("full", Recipe(epochs=60, batch=128, lr=1e-3, drop_path=0.1, **_PLAIN), seeds=3)  # type: ignore[arg-type]
QUICK: Final = replace(SMALL, recipe=SMALL.recipe.model_copy(update={"epochs": 1}), seeds=1, batches=2, size=4)
