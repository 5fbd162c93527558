"""How long counting, drawing and listing take: spaces of 10^6 to 10^30 fillings, a mobile one, cells, a grammar; JSON.

    python benchmarks/space.py [--rounds 5] [--out benchmarks/results/space.json]

Every round starts from the parsed file, nothing counted yet. Goals: each under a second at 10^30, counting
the mobile space under 0.3 s and a draw under 5 ms.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import describe

from archdsl import space
from archdsl.base.errors import SpecError
from archdsl.language import parse


def stages(blocks: str, *times: int) -> str:
    return " ".join(f"stage[{blocks}*{n}]" for n in times)


# A cell of six edges with five operations each, the same throughout (arXiv 2001.00326), in one stage of three.
CELL = """
block rcb(k) = act conv(k=k) norm
{lets}
block cell = sum[D (A F) (sum[B (A E)] G)]
stem conv(16) norm
stage(16, stride=1) [cell*3]
""".format(lets="\n".join(f"let {x} = {{times(0)|()|rcb(1)|rcb(3)|avgpool(3, 1)}}" for x in "ABDEFG"))
# Modules of one operation, two in sequence or two side by side, three levels deep (arXiv 2405.20838).
GRAMMAR = """
block m0 = {()|linear(in)|norm(ln)|act(relu)|pos}
block m1 = {m0|m0 m0|sum[m0 m0]}
block m2 = {m1|m1 m1|sum[m1 m1]}
block m3 = {m2|m2 m2|sum[m2 m2]}
stem patch(64, k=4)
stage(64, stride=1) [m3]
head norm(ln) gap linear
"""
MOBILE = "".join(f"stage({width}) [{{mbconv(k={{3|5}}, expansion={{3|6}})|T}}*{{1..4}}]\n" for width in (24, 48, 96))
COSTS = "require params <= {params} and macs <= {macs} and count(M) >= {least}"
SPACES = {
    "1e6": stages("{C|M}", 5, 5, 5, 5) + COSTS.format(params="30M", macs="3500M", least=5),
    "1e12": stages("{C|M}", 10, 10, 10, 10) + COSTS.format(params="60M", macs="6500M", least=8),
    "1e30": stages("{C|M}", 25, 25, 25, 25) + COSTS.format(params="95M", macs="13G", least=10),
    "1e30, four conditions": stages("{C|M}", 25, 25, 25, 25)
    + COSTS.format(params="95M", macs="13G", least=10)
    + " and (count(M, stage=4) >= 5 or params + 3*depth <= 80M)",
    "1e30, optional blocks": stages("{C|M|}", 16, 16, 16, 15) + COSTS.format(params="60M", macs="6G", least=10),
    "1e30, no conditions": stages("{C|M}", 25, 25, 25, 25),
    "mobile": MOBILE + "require params <= 2M and macs <= 300M",
    "mobile, few small enough": MOBILE + "require params <= 700K and macs <= 60M",
    "cell": CELL,
    "grammar": GRAMMAR,
    "1e30, cannot be met": stages("{C|M}", 25, 25, 25, 25) + "require params <= 40M require count(C, stage=4) >= 20",
}


def check(spec: Any) -> str | None:
    try:
        space.check(spec)
    except SpecError as error:
        return error.diagnostics[0].help
    return None


WORK: dict[str, Callable[[Any], Any]] = {
    "check": check,
    "count": space.extent,
    "draw 10": lambda spec: len(space.sample(spec, 10, seed=0)),
    "first member": lambda spec: next(space.members(spec), None) is not None,
    "list 100": lambda spec: len(list(itertools.islice(space.members(spec), 100))),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name, text in SPACES.items():
        seconds: dict[str, list[float]] = {work: [] for work in WORK}
        answers: dict[str, Any] = {}
        for number in range(options.rounds + 1):
            for work, do in WORK.items():
                spec = parse(text)
                began = time.perf_counter()
                answers[work] = do(spec)
                if number:  # the first round imports modules and works out the costs of blocks
                    seconds[work].append(time.perf_counter() - began)
        extent = answers["count"]
        found[name] = {
            "text": text,
            "size": extent.size,
            "feasible": extent.feasible,
            "networks": extent.networks,
            "feasible_estimate": extent.feasible_estimate,
            "feasible_interval": extent.feasible_interval,
            "check": answers["check"],
            "seconds": {work: {"median": statistics.median(s), "min": min(s)} for work, s in seconds.items()},
        }
    result = {"machine": describe(), "spaces": found}
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
