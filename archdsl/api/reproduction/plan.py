"""Plans a rerun: its trainings, what is measured of each, and what makes two runs the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

from archdsl.api.reproduction.scale import NETWORKS, Scale
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.network import Architecture
from archdsl.study.plan import versions

# What the figures need of each network trained on all data; of every training there is accuracy and NLL.
MEASURED: Final[dict[str, tuple[str, ...]]] = {
    "resnet": ("hessian", "fourier", "variance", "noise", "lesion", "landscape"),
    "vit": ("hessian", "fourier", "variance", "noise", "lesion", "landscape"),
    "vit_gap": ("hessian",),
    "local_vit": ("hessian",),
    "alternet": ("fourier", "variance", "noise", "lesion"),
    "alternet_front": (),
}
PATHS: Final = ("resnet", "vit")  # whose way through the weights is kept
POINTS = 16  # at most, of such a way


@dataclass(frozen=True)
class Training:
    """One network trained once on a share of the data.

    Attributes:
        network: its name.
        architecture: fitted to the data.
        share: of the training images.
        seed: of weights, order, augmentation, and of which images the share is.
        recipe: epochs included.
        analyses: what is measured at the end; `hessian` is measured after the warm-up, too.
        path: whether its way through the weights is kept.
    """

    network: str
    architecture: Architecture
    share: float
    seed: int
    recipe: Recipe
    analyses: tuple[str, ...]
    path: bool

    @property
    def name(self) -> str:
        """Of its files: `resnet-100-seed0`."""
        return f"{self.network}-{round(100 * self.share)}-seed{self.seed}"

    @property
    def effort(self) -> float:
        """About how long it takes, in any unit."""
        return self.architecture.macs * self.share * self.recipe.epochs


def trainings(scale: Scale, data: Dataset) -> list[Training]:
    """All trainings, seed by seed, so that an interrupted run has whole seeds; within a seed the longest first."""
    networks = {name: scale.network(name, data) for name in NETWORKS}
    wanted = [(name, 1.0, MEASURED[name]) for name in networks]
    wanted += [(name, share, ()) for name in ("resnet", "alternet") for share in scale.shares]
    wanted += [("vit", scale.scarce, ("hessian",))]
    return [
        training
        for seed in range(scale.seeds)
        for training in sorted(
            (
                Training(
                    name, networks[name], share, seed, scale.recipe_for(share), analyses, share == 1 and name in PATHS
                )
                for name, share, analyses in wanted
            ),
            key=lambda training: -training.effort,
        )
    ]


class Plan(BaseModel):
    """What must be the same for a run to go on where it stopped; more seeds may come later."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: str
    data: str
    data_digest: str
    recipe: Recipe
    shares: tuple[float, ...]
    scarce: float
    batches: int | None
    size: int | None
    networks: dict[str, str]
    versions: dict[str, str]

    @classmethod
    def of(cls, scale: Scale, data: Dataset) -> Plan:
        """The plan of a scale on a data set."""
        return cls(
            scale=scale.name, data=data.name, data_digest=data.digest, recipe=scale.recipe, shares=scale.shares,
            scarce=scale.scarce, batches=scale.batches, size=scale.size,
            networks={name: scale.network(name, data).hash for name in NETWORKS}, versions=versions(),
        )  # fmt: skip

    def differences(self, other: Plan) -> list[str]:
        """Fields that another plan has different; of versions, those that decide numbers, patches let through."""
        mine, theirs = ({**plan.model_dump(), "versions": _telling(plan.versions)} for plan in (self, other))
        return [name.replace("_", " ") for name in mine if mine[name] != theirs[name]]


def _telling(versions: dict[str, str]) -> dict[str, str]:
    return {name: ".".join(versions[name].split(".")[:2]) for name in ("torch", "numpy") if name in versions}
