"""`supernet`: weights inherited from a supernet in place of a training of one's own (arXiv 1904.00420)."""

from __future__ import annotations

import math
from typing import ClassVar

from archdsl.analyses.sample import batches
from archdsl.network import Architecture
from archdsl.study.screens import SCREENS, Screen
from archdsl.study.supernet import recalibrate, train_supernet
from archdsl.training.loop import evaluate

TRAININGS = 4  # the supernet is trained as long as so many members would be
CALIBRATION = 512  # training images from which a member's BatchNorm statistics are taken anew


@SCREENS.register("supernet")
class SupernetScreen(Screen):
    """The NLL of a member on the validation split, with the weights that it shares with all others, negated."""

    summary: ClassVar[str] = "validation log-likelihood with weights from a supernet (arXiv 1904.00420)"

    def prepare(self) -> None:
        """Train the supernet, by the members' own recipe but `TRAININGS` times as long, without averaged weights."""
        setting = self.setting
        recipe = setting.recipe.model_copy(update={"epochs": TRAININGS * setting.recipe.epochs, "ema": 0.0})
        self.supernet, self.coverage = train_supernet(
            setting.spec, setting.data, recipe, seed=setting.seed, device=setting.device, on_step=setting.on_step,
            checkpoint=None if setting.folder is None else setting.folder / "supernet.safetensors",
        )  # fmt: skip
        seen = self.coverage
        setting.say(
            f"supernet: {seen.steps:,} steps, {seen.blocks:,} blocks of {self.supernet.params:,} parameters, "
            f"each trained in {seen.median:,.0f} steps (median; fewest {seen.fewest:,})"
        )
        size = min(recipe.batch, len(setting.data.train))
        count = max(1, CALIBRATION // size)
        drawn = batches(setting.data, count=count, size=size, seed=setting.seed, augment=False, device=setting.device)
        self.images = [images for images, _ in drawn]

    def score(self, architecture: Architecture) -> float:
        """The mean log-likelihood of the validation images; unknown where a block was in no step of the training."""
        setting = self.setting
        if not self.supernet.knows(architecture):
            return math.nan
        network = self.supernet.member(architecture)
        recalibrate(network, self.images)
        return -evaluate(network, setting.data.validation, setting.data, device=setting.device).nll
