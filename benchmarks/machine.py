"""The machine and versions a benchmark ran on, as plain data."""

from __future__ import annotations

import os
import platform
from typing import Any

from archdsl.study.plan import versions


def describe() -> dict[str, Any]:
    """Processor, cores, load, GPU and versions; no host names, no paths."""
    import torch

    name = "unknown"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        name = platform.processor() or name
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "gpu": gpu,
        "versions": versions(),
    }
