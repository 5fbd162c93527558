"""What successive halving is worth on the shipped table, by where networks wait, how many go on, and by what.

    python benchmarks/halving.py [--seeds 60] [--out benchmarks/results/halving.json]

Random proposals, so that it is the rungs that are compared.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from machine import describe

from archdsl.bench import shipped
from archdsl.bench.halving import AT, compare_rungs
from archdsl.study.rungs import Rungs

SHARES = ((0.25,), (0.5,), (0.25, 0.5))  # of three epochs: networks can wait after the first and the second
GUIDES = (("accuracy", "maximize"), ("nll", "minimize"))


def variants() -> list[Rungs]:
    """No halving, and every combination."""
    halved = [Rungs((guide,), shares=shares, kept=kept) for shares in SHARES for kept in (2, 3, 4) for guide in GUIDES]
    return [Rungs(halving=False), *halved]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = compare_rungs(shipped(), variants(), seeds=options.seeds)
    for entry in found:
        at = "  ".join(f"{100 * entry['regret_at'][n]['value']:.2f}" for n in AT)
        good = "none" if entry["good_that_finish"] is None else f"{entry['good_that_finish']:.2f}"
        print(
            f"{entry['rungs']!s:8} 1/{entry['kept']} by {entry['by']:8}  {entry['begun']:5.1f} begun  "
            f"{entry['finished']:4.1f} finished  {good} of the best 5% finish  "
            f"{entry['found_best']:.2f} found  regret {at}"
        )
    document = {"seeds": options.seeds, "variants": found, "machine": describe()}
    if options.out:
        options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
