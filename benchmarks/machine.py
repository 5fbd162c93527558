"""The machine and versions a benchmark ran on, as plain data."""

from __future__ import annotations

import os
from typing import Any

from archdsl.study.plan import versions


def describe() -> dict[str, Any]:
    """Processor, cores, load, GPU and versions; no host names, no paths."""
    import torch

    from archdsl.base.device import device_name

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": device_name(torch.device("cpu")),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "gpu": gpu,
        "versions": versions(),
    }
