"""The measure that only measuring tells: milliseconds on this device."""

from __future__ import annotations

from archdsl.ir.measures import MEASURES, Measure

MEASURES.register("latency_ms")(
    Measure(
        "Milliseconds that one image takes, the blocks measured on this device and summed. Not known here: "
        "`archdsl compile` and the search measure it.",
        share=None,
        place=3,
    )
)
