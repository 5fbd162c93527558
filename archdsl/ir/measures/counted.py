"""The measures that a text tells: parameters, multiply-accumulates, depth, and blocks of a name."""

from __future__ import annotations

from typing import Any

from archdsl.ir.measures import MEASURES, Measure


def _of_a_stage(block: Any) -> bool:
    """Whether it is one of the blocks of the stages; downsampling layers, stem and head are none."""
    return bool(block.stage > 0 and block.index > 0)


def _count(block: Any, name: str | None, stage: int | None) -> int:
    return int(_of_a_stage(block) and name in block.names and stage in (None, block.stage))


MEASURES.register("params")(
    Measure("Learnable parameters of the network.", lambda block, *_: int(block.cost.params), place=0)
)
MEASURES.register("macs")(
    Measure("Multiply-accumulates for one image.", lambda block, *_: int(block.cost.macs), place=1)
)
MEASURES.register("depth")(
    Measure("How many blocks the stages hold.", lambda block, *_: int(_of_a_stage(block)), place=2)
)
MEASURES.register("count")(
    Measure(
        "`count(NAME)`: how many blocks go by a name; `count(NAME, stage=i)`: those of one stage, from 1.",
        _count,
        of_block=True,
    )
)
