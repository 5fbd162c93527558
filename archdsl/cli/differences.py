"""Prints the difference of two networks or spaces: coloured on a terminal, plain elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from archdsl.base.numbers import options
from archdsl.ir.arguments import show
from archdsl.network.comparison import BlockChange, Change, Difference, PartDifference, Side
from archdsl.space.comparison import DecisionChange, SpaceDifference

COLOURS = {"+": "green", "-": "red", "~": "yellow"}
MOST_LINES = 200  # before a reader has enough


def print_difference(found: Difference | SpaceDifference) -> None:
    """The whole difference on standard output."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    lines = list(_space(found) if isinstance(found, SpaceDifference) else _networks(found))
    for line in lines[:MOST_LINES]:
        colour = COLOURS.get(line.lstrip()[:1]) if line.startswith("  ") else None
        console.print(Text(line, style=colour or ("" if line.startswith(" ") else "bold")))
    if len(lines) > MOST_LINES:
        console.print(f"… {len(lines) - MOST_LINES:,} more lines; --json has them all")


def _networks(found: Difference) -> Iterator[str]:
    yield f"{found.before} -> {found.after}"
    if found.same:
        yield f"the same network: {found.hashes[0][:12]}"
        return
    for change in found.changes:
        yield f"  ~ {_change(change)}"
    for part in found.parts:
        if part.differs:
            yield from _part(part)
    kept = [part.name for part in found.parts if not part.differs]
    if kept:
        yield f"the same: {', '.join(kept)}"
    for total in found.totals:
        ratio = "" if total.ratio is None else f"  (x{total.ratio:.3g})"
        same = total.before == total.after
        yield f"{total.name}: {total.before:,}" + ("" if same else f" -> {total.after:,}{ratio}")


def _part(part: PartDifference) -> Iterator[str]:
    note = {"added": " (only after)", "removed": " (only before)"}.get(part.status, "")
    yield f"{part.name}{note}"
    for change in part.changes:
        yield f"  ~ {_change(change)}"
    kept: list[str] = []
    for block in part.blocks:
        if block.status == "kept":
            kept.append("" if block.after is None else block.after.label)
            continue
        yield from _kept(kept)
        yield from _block(block)
    yield from _kept(kept)


def _kept(labels: list[str]) -> Iterator[str]:
    """The blocks between two differences on one line; forgets them."""
    if labels:
        shown = (
            " ".join(labels) if len(labels) <= 8 else f"{' '.join(labels[:3])} … {labels[-1]} ({len(labels)} blocks)"
        )
        yield f"    {shown}"
        labels.clear()


def _block(block: BlockChange) -> Iterator[str]:
    before, after = block.before, block.after
    if block.status == "changed" and before is not None and after is not None:
        moved = "" if before.path == after.path else f" (was {_place(before)})"
        yield f"  ~ {_place(after)} {after.label}{moved}: {', '.join(_change(change) for change in block.arguments)}"
        return
    if before is not None:
        yield f"  - {_said(before)}"
    if after is not None:
        yield f"  + {_said(after)}"


def _place(side: Side) -> str:
    """`block2` within its stage, `norm` within the head."""
    return side.path.rpartition(".")[2]


def _said(side: Side) -> str:
    written = side.written if side.label == side.kind else f"{side.label} = {side.written}"
    return written if side.kind == _place(side) else f"{_place(side)} {written}"


def _change(change: Change) -> str:
    return f"{change.name} {_value(change.before)} -> {_value(change.after)}"


def _value(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else show(value)


def _space(found: SpaceDifference) -> Iterator[str]:
    yield f"{found.before} -> {found.after}"
    sizes = ["too many to count" if size is None else f"{size:,}" for size in found.sizes]
    if found.same:
        yield f"the same space: {found.hashes[0][:12]}"
        return
    yield f"fillings: {sizes[0]}" + (f" -> {sizes[1]}" if found.size else "")
    if found.decisions:
        yield f"decisions ({found.kept} kept)"
        for decision in found.decisions:
            yield from _decision(decision)
    if found.plain is not None and not found.plain.same:
        yield "first option everywhere:"
        yield from (f"  {line}" if line.startswith(" ") else line for line in list(_networks(found.plain))[1:])


def _decision(decision: DecisionChange) -> Iterator[str]:
    if decision.before:
        yield f"  - {decision.name}: {options(decision.before)}"
    if decision.after:
        yield f"  + {decision.name}: {options(decision.after)}"
