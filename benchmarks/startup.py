"""Times commands that need no PyTorch against `python -c "import torch"`, A/B interleaved, as JSON.

    python benchmarks/startup.py [--rounds 7] [--out benchmarks/results/startup.json]

Goal: at most 0.15.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import describe

COMMANDS = {
    "import torch": ["-c", "import torch"],
    "archdsl --help": ["-m", "archdsl", "--help"],
    "archdsl check": ["-m", "archdsl", "check", "alternet_50"],
    "archdsl space": ["-m", "archdsl", "space", "placement"],
    "archdsl show": ["-m", "archdsl", "show", "alternet_50"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    # As an installed package does, a checkout keeps its modules compiled, whatever the shell says of that.
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(options.rounds + 1):
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=compiled)
            if number:  # the first round only fills the file cache
                seconds[name].append(time.perf_counter() - began)
    base = statistics.median(seconds["import torch"])
    result = {
        "machine": describe(),
        "seconds": {name: {"median": statistics.median(s), "min": min(s)} for name, s in seconds.items()},
        "ratio_to_import_torch": {name: statistics.median(s) / base for name, s in seconds.items()},
    }
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
