"""Assembles the results of a rerun: networks, verdicts, seeds, machine, and all records, as one plain document."""

from __future__ import annotations

import os
import platform
from typing import Any

import torch

from archdsl.api.reproduction.claims import claims, judged
from archdsl.api.reproduction.evidence import Records
from archdsl.api.reproduction.folder import FORMAT, rounded
from archdsl.api.reproduction.plan import Plan
from archdsl.api.reproduction.scale import NETWORKS, Scale
from archdsl.data import Dataset
from archdsl.interchange.arch_text import write


def assemble(
    scale: Scale, plan: Plan, data: Dataset, records: list[dict[str, Any]], device: torch.device, workers: int
) -> dict[str, Any]:
    """The document that `results.json` holds, and from which page and figures are made."""
    networks = {name: scale.network(name, data) for name in NETWORKS}
    return {
        "reproduction": FORMAT,
        "plan": plan.model_dump(mode="json"),
        "seeds": list(range(scale.seeds)),
        "data": {
            "name": data.name, "input": list(data.input), "classes": data.classes, "train": len(data.train),
            "validation": len(data.validation), "test": len(data.test),
        },
        "machine": machine(device),
        "workers": workers,
        "seconds": rounded(sum(content["seconds"] for content in records)),
        "cpu_seconds": rounded(sum(content["cpu_seconds"] for content in records)),
        "networks": [
            {"name": n, "title": NETWORKS[n], "params": a.params, "macs": a.macs, "hash": a.hash, "spec": write(a)}
            for n, a in networks.items()
        ],
        "claims": verdicts(records, scale.shares, scale.scarce),
        "records": records,
    }  # fmt: skip


def verdicts(records: list[dict[str, Any]], shares: tuple[float, ...], scarce: float) -> list[dict[str, Any]]:
    """All claims judged by these records, rounded as they are written."""
    known = Records(records)
    return [rounded(judged(claim, known)) for claim in claims(shares, scarce)]


def machine(device: torch.device) -> dict[str, Any]:
    """What the trainings ran on, without a name."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {"device": name, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        found = ""
    return found or platform.processor() or platform.machine()
