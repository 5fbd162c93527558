"""The screens, one file each: a number for every member of a space before it is trained, the higher the better.

A new file here registers itself. `archdsl.study.admission` lets through what a screen thinks well of; what each screen
is worth was measured on a fully trained table (`docs/screens.md`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from archdsl import ir
from archdsl.base.registry import Registry
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.network import Architecture


def _unheard(text: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a screen is made for.

    Attributes:
        spec: the space, fitted to the data.
        data: whose training split a screen may learn and whose validation split it may score on; never the test split.
        recipe: how the members will be trained.
        seed: of everything a screen draws.
        device: where it computes.
        folder: where it may keep files of its own, None for nowhere.
        on_step: told (steps done, steps in all) of long preparations.
        say: told what is worth knowing.
    """

    spec: ir.Spec
    data: Dataset
    recipe: Recipe
    seed: int
    device: torch.device
    folder: Path | None = None
    on_step: Callable[[int, int], None] | None = None
    say: Callable[[str], None] = _unheard


class Screen(ABC):
    """One screen, made for a setting.

    The score of a member depends on the setting and the member alone, not on what was scored before.

    Class attributes:
        summary: one line for help and documents.
    """

    summary: ClassVar[str]

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def prepare(self) -> None:  # noqa: B027 (most screens have nothing to prepare)
        """What is done once, before the first score; it goes on from what it left in the folder.

        Raises:
            ArchdslError: it cannot be done for this space.
        """

    @abstractmethod
    def score(self, architecture: Architecture) -> float:
        """A number for a member, the higher the better: -inf is the worst there is, NaN says that nothing is known.

        Raises:
            RunError: memory ran out.
        """


SCREENS: Registry[type[Screen]] = Registry("screen", "archdsl.study.screens")

__all__ = ["SCREENS", "Screen", "Setting"]
