"""The hash of a spec: equal for files that describe the same network or the same space, whatever they look like."""

from __future__ import annotations

from typing import Any

from archdsl import ir
from archdsl.architecture import Misfit, digest, resolve


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
        mode="json", exclude={"name", "declared", "letters", "require", "objectives", "data", "train"}
    )
    return digest(_canonical(content, numbers))


def _canonical(content: Any, numbers: dict[str, int]) -> Any:
    if isinstance(content, list):
        return [_canonical(item, numbers) for item in content]
    if isinstance(content, dict):
        hole = content.get("node") in ("pick", "int_range", "float_range", "choice")
        return {
            key: numbers[value] if hole and key == "name" else _canonical(value, numbers)
            for key, value in content.items()
            if key != "names"
        }
    return content
