"""Keeps a run's folder: its plan, one record per finished training, and the results when all are there."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from archdsl.api.reproduction.claims import CLAIMS, judged
from archdsl.api.reproduction.plan import NETWORKS, SCARCE, SHARES, Scale, Training
from archdsl.api.reproduction.records import Records
from archdsl.base.device import device_name
from archdsl.base.errors import RunError, StudyError
from archdsl.base.files import write_atomically
from archdsl.data import Dataset
from archdsl.interchange.arch_text import write
from archdsl.ir.recipe import Recipe
from archdsl.network import Architecture, digest
from archdsl.study.plan import versions

RESULTS = "results.json"
FORMAT = 1
_DIGITS = 7  # of float32


class Plan(BaseModel):
    """What must be the same for a run to go on where it stopped; more seeds may come later."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: str
    data: str
    data_digest: str
    recipe: Recipe
    shares: tuple[float, ...] = SHARES
    scarce: float = SCARCE
    batches: int | None
    size: int | None
    networks: dict[str, str]
    versions: dict[str, str]

    @classmethod
    def of(cls, scale: Scale, data: Dataset, networks: Mapping[str, Architecture]) -> Plan:
        """The plan of a scale on a data set."""
        return cls(
            scale=scale.name, data=data.name, data_digest=data.digest, recipe=scale.recipe, batches=scale.batches,
            size=scale.size, networks={name: network.hash for name, network in networks.items()}, versions=versions(),
        )  # fmt: skip

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


def known(training: Training) -> dict[str, Any] | None:
    """The record of a training; None where it is not done, or its file is broken, and it is trained again."""
    try:
        found = json.loads(training.record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(found, dict) and found.get("hash") == training.architecture.hash
    return found if same and found.get("epochs") == training.recipe.epochs and "test" in found else None


def rounded(value: Any) -> Any:
    """Plain data with its floats rounded; what is not finite becomes null, which JSON has.

    >>> rounded({"a": [1 / 3, float("nan")], "n": 3})
    {'a': [0.3333333, None], 'n': 3}
    """
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def assemble(
    plan: Plan, data: Dataset, networks: Mapping[str, Architecture], seeds: int, records: list[dict[str, Any]],
    device: torch.device, workers: int,
) -> dict[str, Any]:  # fmt: skip
    """The document that `results.json` holds, and from which page and figures are made."""
    return {
        "reproduction": FORMAT,
        "plan": plan.model_dump(mode="json"),
        "seeds": list(range(seeds)),
        "data": {
            "name": data.name, "input": list(data.input), "classes": data.classes, "train": len(data.train),
            "validation": len(data.validation), "test": len(data.test),
        },
        "machine": {
            "device": device_name(device), "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "workers": workers,
        "seconds": rounded(sum(content["seconds"] for content in records)),
        "cpu_seconds": rounded(sum(content["cpu_seconds"] for content in records)),
        "networks": [
            {"name": n, "title": NETWORKS[n], "params": a.params, "macs": a.macs, "hash": a.hash, "spec": write(a)}
            for n, a in networks.items()
        ],
        "claims": verdicts(records),
        "records": records,
    }  # fmt: skip


def verdicts(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All claims judged by these records, rounded as they are written."""
    read = Records(records)
    return [rounded(judged(claim, read)) for claim in CLAIMS]


def load(path: Path) -> dict[str, Any]:
    """The results a run has written.

    Raises:
        StudyError: there are none, or they are of another kind.
    """
    file = path / RESULTS if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise StudyError(f"there is no '{file}'", "archdsl reproduce writes it when all trainings are done") from None
    except ValueError:
        raise StudyError(f"'{file}' is no JSON document", "run archdsl reproduce again") from None
    if not isinstance(found, dict) or found.get("reproduction") != FORMAT:
        raise StudyError(f"'{file}' holds no results of archdsl reproduce", "run archdsl reproduce again")
    return found
