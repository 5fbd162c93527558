"""Keeps trainings as JSON files, under what makes two trainings the same.

A file holds one training: its curve, its test metrics, the scores of each analysis. It is found again by a search that
is resumed, by the finals, or, in a folder that several searches share, by another search: a training with the same key
is taken, not done again. Weights are not kept, so a training of which a further score is wanted runs once more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archdsl import ir
from archdsl.base.device import computes_bf16
from archdsl.base.errors import RunError, UsageError
from archdsl.base.files import write_atomically
from archdsl.base.version import VERSION
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.network import Architecture, digest

log = logging.getLogger(__name__)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Key(_Record):
    """Trainings with equal keys come to the same.

    Attributes:
        hash: of the network; recipe: with its epochs, and the precision that `auto` is on the device.
        data: digest of the data set.
        device: `cpu` or `cuda`; threads: on a CPU.
        archdsl, torch: versions.
    """

    language: int
    hash: str
    recipe: dict[str, bool | int | float | str]
    data: str
    seed: int
    device: str
    threads: int | None
    archdsl: str
    torch: str

    @property
    def digest(self) -> str:
        """The name of the file."""
        return digest(self.model_dump(mode="json"))[:32]


class Point(_Record):
    """Metrics of a network on a split."""

    accuracy: float
    nll: float
    ece: float


class Entry(_Record):
    """One training, carried through.

    Attributes:
        curve: on the validation split, after every epoch.
        test: on the test split, where it was asked for.
        scores: of each analysis, by `analysis_key`.
        analysed: whole analyses for a report, where they were asked for.
    """

    key: Key
    curve: tuple[Point, ...] = Field(min_length=1, strict=False)
    test: Point | None = None
    scores: dict[str, dict[str, float]] = {}
    analysed: dict[str, Any] | None = None

    def joined(self, other: Entry) -> Entry:
        """With what another entry of the same training knows besides."""
        return self.model_copy(
            update={
                "test": self.test or other.test,
                "scores": other.scores | self.scores,
                "analysed": self.analysed or other.analysed,
            }
        )


def key_for(architecture: Architecture, recipe: Recipe, data: Dataset, seed: int, device: torch.device) -> Key:
    """The key of a training in this process, on a device."""
    said = recipe.model_dump() | {"precision": "bf16" if computes_bf16(recipe.precision, device) else "float32"}
    return Key(
        language=ir.LANGUAGE_VERSION, hash=architecture.hash, recipe=said, data=data.digest, seed=seed,
        device=device.type, threads=torch.get_num_threads() if device.type == "cpu" else None,
        archdsl=VERSION, torch=str(torch.__version__),
    )  # fmt: skip


def analysis_key(name: str, options: Mapping[str, Any]) -> str:
    """An analysis with its options, as `Entry.scores` has it.

    >>> analysis_key("hessian", {"weight_decay": 0.05})
    'hessian {"weight_decay": 0.05}'
    """
    return f"{name} {json.dumps(options, sort_keys=True)}"


class Cache:
    """Trainings in folders.

    Args:
        folders: where to look, in this order, and where to keep what is new; none for no cache.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = tuple(folders)

    @staticmethod
    def check(folder: Path) -> None:
        """Make a shared folder.

        Raises:
            RunError: it cannot be made; UsageError: it is a file.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(f"--cache '{folder}' is no folder", "name one; it is made where there is none") from None
        except OSError as error:
            raise RunError(f"--cache '{folder}' cannot be made: {error.strerror}", "name another folder") from None

    def find(self, key: Key) -> Entry | None:
        """What is known of a training; damaged files are told of and count as absent."""
        found: Entry | None = None
        for folder in self.folders:
            entry = _read(folder / f"{key.digest}.json", key)
            if entry is not None:
                found = entry if found is None else found.joined(entry)
        return found

    def keep(self, entry: Entry) -> None:
        """Write a training to every folder, with what is known of it there; what cannot be written is told of."""
        for folder in self.folders:
            path = folder / f"{entry.key.digest}.json"
            there = _read(path, entry.key)
            whole = entry if there is None else entry.joined(there)
            if whole == there:
                continue
            try:
                folder.mkdir(parents=True, exist_ok=True)
                write_atomically(path, json.dumps(whole.model_dump(), indent=1, allow_nan=False) + "\n")
            except (RunError, OSError, ValueError) as error:  # the result itself is safe, only not for the next search
                log.warning("'%s' is not kept: %s", path, error)


def _read(path: Path, key: Key) -> Entry | None:
    try:
        entry = Entry.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, ValueError) as error:
        log.warning("'%s' is damaged, and counts as absent: %s", path, str(error).splitlines()[0])
        return None
    if entry.key != key:
        log.warning("'%s' holds another training than its name says, and counts as absent", path)
        return None
    return entry
