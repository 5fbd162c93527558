"""Says what an analysis is, and registers all of them: a file in this folder that registers one is known everywhere.

ANALYSES.register("mine")(Analysis("mine", scores=…, result=MyResult, measure=measure, plot=plot, sample=Sample(…)))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from archdsl.analyses.results.result import Result
from archdsl.base.registry import Registry
from archdsl.ir.scores import SCORES

ANALYSES: Registry[Analysis] = Registry("analysis", "archdsl.analyses")


@dataclass(frozen=True, slots=True)
class Sample:
    """Which images an analysis looks at unless told otherwise.

    Attributes:
        split: of the data set.
        augment: as in training (shifts, flips), from the seed.
        count: number of batches; None: the whole split.
        size: images per batch.
    """

    split: Literal["train", "validation", "test"]
    augment: bool
    count: int | None
    size: int


class Observer(Protocol):
    """Sees every unit's input and output in a forward pass shared with others, and keeps what it reduced them to."""

    def enter(self, index: int, image: Tensor | None) -> None:
        """Unit `index` is about to run on the map `image` (B, C, H, W); None where what comes in is no map."""

    def leave(self, index: int, image: Tensor) -> None:
        """Unit `index` gave the map `image` (B, C, H, W)."""

    def end_batch(self, images: int) -> None:
        """All units were seen for one batch of so many images."""

    def result(self) -> Result:
        """What came out, over all batches."""


@dataclass(frozen=True)
class Analysis:
    """One analysis.

    Attributes:
        name: as in `--only`.
        scores: names of what `Result.scores` may hold, explained in `archdsl.ir.scores.SCORES`.
        result: class of the result, for `from_json`.
        measure: `(model, batches, **options) -> result`. Of these options it is given those that it takes: `units`, the
            network's blocks, behind the batches; `seed`; `mean` and `std`, what was taken from each channel of the
            images, and what they were divided by after that; `weight_decay`, that of the loss that was trained;
            `parts`, the results of batches from before an interruption (`measuring.parts`); `compat`.
        plot: `(result, ax, *, label=None, color=None, **options)`, draws into matplotlib Axes and computes nothing.
        sample: the images it wants.
        compat: names of publications whose public code `measure` (or `observe`) imitates, taken as `compat`.
        revision: raised when its numbers change, so that results that are kept from before are measured again.
        usual: it runs unless others are named; False for what takes long.
        observe: `(units, **options) -> observer`; analyses that have one share their forward passes.
        views: where there are several, the names `plot` takes as `view`, the usual one first; "surface" is drawn into
            axes of three dimensions.
        overlaid: the views in which several networks share one axes; in others each has its own, side by side. An
            analysis without views has the view "".
        beside: whether `plot` takes `beside`, results drawn next to one, to share its scale with.
    """

    name: str
    scores: tuple[str, ...]
    result: type[Result]
    measure: Callable[..., Result]
    plot: Callable[..., None]
    sample: Sample
    compat: tuple[str, ...] = ()
    revision: int = 0
    usual: bool = True
    observe: Callable[..., Observer] | None = None
    views: tuple[str, ...] = ()
    overlaid: tuple[str, ...] = ()
    beside: bool = False

    def takes(self, option: str) -> bool:
        """Whether `measure` has an argument of this name."""
        return option in inspect.signature(self.measure).parameters

    def __post_init__(self) -> None:
        missing = [name for name in self.scores if name not in SCORES]
        if missing:
            raise ValueError(f"analysis '{self.name}': explain {', '.join(missing)} in archdsl/ir/scores.py")
