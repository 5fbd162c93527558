"""Hashes a spec: equal for files that describe the same network or the same space, whatever they look like."""

from __future__ import annotations

from typing import Any

from archdsl import ir
from archdsl.network import Misfit, digest, resolve


def spec_hash(spec: ir.Spec) -> str:
    """SHA-256 as 64 hexadecimal digits; stable across processes, machines and releases of one language version.

    Names, `require`, objectives, `data` and `train` are not part of it. Holes are told apart by where they first stand,
    not by what they are called.
    """
    if ir.first_hole(spec.model_copy(update={"train": {}})) is None:
        try:
            return resolve(spec).hash
        except Misfit:
            pass  # it cannot be built, but its text still has an identity
    numbers: dict[str, int] = {}
    for hole in ir.holes(spec):
        numbers.setdefault(hole.name, len(numbers))
    content = spec.model_dump(
        mode="json", exclude={"name", "declared", "letters", "blocks", "require", "objectives", "data", "train"}
    )
    kinds: dict[str, str] = {}
    for name, block in spec.blocks.items():
        # What a block is made of counts, not what it is called.
        made = block.model_dump(mode="json", exclude={"summary"})
        kinds[name] = digest(_canonical(made, {h.name: i for i, h in enumerate(ir.holes_in(block.items))}, kinds))
    return digest(_canonical(content, numbers, kinds))


def _canonical(content: Any, numbers: dict[str, int], kinds: dict[str, str]) -> Any:
    if isinstance(content, list):
        return [_canonical(item, numbers, kinds) for item in content]
    if isinstance(content, dict):
        node = content.get("node")
        hole = node in ("pick", "int_range", "float_range", "choice")
        return {
            key: numbers[value] if hole and key == "name" else _canonical(value, numbers, kinds)
            for key, value in content.items()
            if key != "names"
        } | ({"kind": kinds.get(content["kind"], content["kind"])} if node == "block" else {})
    return content
