"""Plans the rerun: the matched networks, how long each is trained on what share of the data, what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archdsl.base.errors import RunError, StudyError, UsageError
from archdsl.base.files import write_atomically
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.network import Architecture, digest, resolve_model
from archdsl.study.plan import versions
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

# What the figures need of each network trained on all data; of every training there is accuracy and NLL.
MEASURED: Final[dict[str, tuple[str, ...]]] = {
    "resnet": ("hessian", "fourier", "variance", "noise", "lesion", "landscape"),
    "vit": ("hessian", "fourier", "variance", "noise", "lesion", "landscape"),
    "vit_gap": ("hessian",),
    "local_vit": ("hessian",),
    "alternet": ("fourier", "variance", "noise", "lesion"),
    "alternet_front": (),
}
SHARES: Final = (0.5, 0.25, 0.1)  # of the training images, besides all, on which ResNet and AlterNet are compared
SCARCE: Final = 0.1  # the share on which ViT is trained, too
PATHS: Final = ("resnet", "vit")  # whose way through the weights is kept
POINTS = 16  # at most, of such a way
SEEDS_AT_MOST = 100


class Scale(BaseModel):
    """How large the rerun is.

    Attributes:
        scale: the folder of the networks.
        recipe: of a training on all data.
        shares, scarce: of the training images, on which ResNet and AlterNet, and ViT, are trained, too.
        batches, size: of the analyses, in place of their own.
        seeds: trainings of each network, from seed 0; more may come later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: str
    recipe: Recipe
    shares: tuple[float, ...] = SHARES
    scarce: float = SCARCE
    batches: int | None = None
    size: int | None = None
    seeds: int = Field(default=1, exclude=True)

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
        return self.model_copy(update={"seeds": seeds or self.seeds, "recipe": recipe})

    def recipe_for(self, share: float) -> Recipe:
        """The recipe on a share of the data: epochs grow with its inverse square root.

        Equal epochs would leave a tenth of the data a tenth of the steps, and untrained networks; equal steps would
        show every image ten times as often. This is half-way between, and the same for all networks.
        """
        return self.recipe.model_copy(update={"epochs": round(self.recipe.epochs * share**-0.5)})

    def fitted(self, data: Dataset) -> dict[str, Architecture]:
        """The networks, fitted to the images and classes of a data set.

        Raises:
            SpecError, DataError: one cannot be built for such images.
        """
        folder = resources.files("archdsl.api.reproduction") / "networks" / self.scale
        found = {}
        for name in NETWORKS:
            text, path = folder.joinpath(f"{name}.arch").read_text(encoding="utf-8"), f"{self.scale}/{name}.arch"
            found[name] = resolve_model(fit_to_data(parse(text, path), data, path), text, path)
        return found


# No label smoothing: the loss whose Hessian is measured is the loss that was trained. Float32: every CPU computes it.
_PLAIN: Final[dict[str, Any]] = {"label_smoothing": 0.0, "warmup": 1 / 6}
SMALL: Final = Scale(scale="small", recipe=Recipe(epochs=12, batch=64, precision="float32", **_PLAIN), seeds=5)
FULL: Final = Scale(scale="full", recipe=Recipe(epochs=60, batch=128, lr=1e-3, drop_path=0.1, **_PLAIN), seeds=3)
QUICK: Final = SMALL.with_(seeds=1, epochs=1).model_copy(update={"batches": 2, "size": 4})


class Plan(Scale):
    """A scale on a data set: what must be the same for a run to go on where it stopped."""

    data: str
    data_digest: str
    networks: dict[str, str]
    versions: dict[str, str]

    @classmethod
    def of(cls, scale: Scale, data: Dataset, networks: Mapping[str, Architecture]) -> Plan:
        """The plan of a scale on a data set."""
        hashes = {name: network.hash for name, network in networks.items()}
        return cls(**dict(scale), data=data.name, data_digest=data.digest, networks=hashes, versions=versions())

    @property
    def usual_folder(self) -> Path:
        """Where the run is kept unless told otherwise."""
        identity = digest(self.model_dump(mode="json", exclude={"versions"}))
        return Path("runs") / f"reproduce-{self.scale}-{self.data.partition(':')[0]}-{identity[:8]}"

    def differences(self, other: Plan) -> list[str]:
        """Fields that another plan has different; of versions, those that decide numbers, patches let through."""
        mine, theirs = ({**plan.model_dump(), "versions": _telling(plan.versions)} for plan in (self, other))
        return [name.replace("_", " ") for name in mine if mine[name] != theirs[name]]

    def claim(self, folder: Path) -> None:
        """Make the folder this run's; it is made if it is not there.

        Raises:
            StudyError: another run's results are in it.
            RunError: it cannot be made or written.
        """
        try:
            (folder / "records").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"cannot make the folder '{folder}': {error.strerror}", "choose another with --run"
            ) from None
        file = folder / "plan.json"
        if not file.exists():
            write_atomically(file, self.model_dump_json(indent=1) + "\n")
            return
        try:
            there = Plan.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, ValidationError, UnicodeDecodeError):
            raise StudyError(f"'{file}' is no plan of a reproduction", "choose another folder with --run") from None
        if differing := there.differences(self):
            raise StudyError(
                f"'{folder}' holds another run ({', '.join(differing)} differ)", "choose another folder with --run"
            )


def _telling(versions: dict[str, str]) -> dict[str, str]:
    return {name: ".".join(versions[name].split(".")[:2]) for name in ("torch", "numpy") if name in versions}


@dataclass(frozen=True)
class Training:
    """One network trained once on a share of the data, as the worker pool takes it.

    Attributes:
        network: its name.
        architecture: fitted to the data.
        share: of the training images.
        seed: of weights, order, augmentation, and of which images the share is.
        recipe: epochs included.
        analyses: what is measured at the end; `hessian` is measured after the warm-up, too.
        folder: the run's.
        batches, size: of the analyses, in place of their own.
    """

    network: str
    architecture: Architecture
    share: float
    seed: int
    recipe: Recipe
    analyses: tuple[str, ...]
    folder: Path
    batches: int | None = None
    size: int | None = None

    @property
    def name(self) -> str:
        """Of its files: `resnet-100-seed0`."""
        return f"{self.network}-{round(100 * self.share)}-seed{self.seed}"

    @property
    def record(self) -> Path:
        """The file of its record; written by the worker, so that none waits for a slower training to be kept."""
        return self.folder / "records" / f"{self.name}.json"

    @property
    def state(self) -> Path:
        """Its checkpoint, in a folder of its own, which is emptied at the end."""
        return self.folder / "work" / self.name / "state.safetensors"

    @property
    def path(self) -> bool:
        """Whether its way through the weights is kept."""
        return self.share == 1 and self.network in PATHS

    @property
    def effort(self) -> float:
        """About how long it takes, in any unit."""
        return self.architecture.macs * self.share * self.recipe.epochs

    @property
    def warmed_up(self) -> int:
        """The epoch after which the learning rate has just reached its peak: the early phase the paper looks at."""
        return min(max(1, round(self.recipe.warmup * self.recipe.epochs)), self.recipe.epochs)

    @property
    def kept_epochs(self) -> list[int]:
        """Epochs whose weights are needed: the end of the warm-up for the Hessian, some from first to last."""
        epochs = self.recipe.epochs
        found = {self.warmed_up} if "hessian" in self.analyses else set()
        if self.path:
            count = min(POINTS, epochs)
            found |= {max(1, round(epochs * (i + 1) / count)) for i in range(count)}
        return sorted(found)


def trainings(scale: Scale, networks: dict[str, Architecture], folder: Path) -> list[Training]:
    """All trainings, seed by seed, so that an interrupted run has whole seeds; within a seed the longest first."""
    wanted = [(name, 1.0, MEASURED[name]) for name in networks]
    wanted += [(name, share, ()) for name in ("resnet", "alternet") for share in SHARES]
    wanted += [("vit", SCARCE, ("hessian",))]
    found = [
        Training(
            name, networks[name], share, seed, scale.recipe_for(share), analyses, folder, scale.batches, scale.size
        )
        for seed in range(scale.seeds) for name, share, analyses in wanted
    ]  # fmt: skip
    return sorted(found, key=lambda training: (training.seed, -training.effort))
