"""Reads and assembles what a run wrote: the records of finished trainings, and the results when all are there."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from archdsl.api.reproduction.claims import CLAIMS, judged
from archdsl.api.reproduction.plan import NETWORKS, Plan, Training
from archdsl.api.reproduction.records import Records
from archdsl.base.device import device_name
from archdsl.base.errors import StudyError
from archdsl.data import Dataset
from archdsl.interchange.arch_text import write
from archdsl.network import Architecture

RESULTS = "results.json"
FORMAT = 1
_DIGITS = 7  # of float32


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
    plan: Plan, data: Dataset, networks: Mapping[str, Architecture], records: list[dict[str, Any]],
    device: torch.device, workers: int,
) -> dict[str, Any]:  # fmt: skip
    """The document that `results.json` holds, and from which page and figures are made."""
    return {
        "reproduction": FORMAT,
        "plan": plan.model_dump(mode="json"),
        "seeds": list(range(plan.seeds)),
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
