"""Makes HTML for notebooks of a spec: figures, the picture as inline SVG, and a table below it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from html import escape

from archdsl import ir, space
from archdsl.base.errors import SpecError
from archdsl.base.numbers import options
from archdsl.base.pictures import inline as inline
from archdsl.drawing.members import Members, look
from archdsl.drawing.sheet import Sheet
from archdsl.drawing.words import TIMES

MOST_ROWS = 200
_displays = itertools.count(1)  # the same picture may stand in a notebook twice

_CARD = (
    "background:#fff;color:#222;padding:8px 10px;max-width:760px;border:1px solid #d5d9de;border-radius:6px;"
    "font-family:system-ui,sans-serif;font-size:13px"
)
_CELL = "padding:1px 10px 1px 0;text-align:{};background:none;color:#222;border:0;font-variant-numeric:tabular-nums"


def html(spec: ir.Spec, lay_out: Callable[[Members], Sheet]) -> str:
    """The fragment; what cannot be drawn says why."""
    try:
        members = look(spec)
        sheet = lay_out(members)
    except SpecError as error:
        diagnostic = error.diagnostics[0]
        help = f"<br>{escape(diagnostic.help)}" if diagnostic.help else ""
        body = f"<b>{escape(spec.name)}</b> cannot be built: {escape(diagnostic.message)}{help}"
        return f'<div class="archdsl" style="{_CARD}">{body}</div>'
    from archdsl.drawing.save import svg

    summary = " · ".join(sheet.picture.summary)
    table = _blocks(members) if ir.first_hole(spec) is None else _decisions(spec)
    label = f"{spec.name}: {summary}"
    text = svg(sheet)
    picture = inline(text, label, f"{next(_displays)} {text}")  # outputs of an earlier session may stand beside it
    return f'<div class="archdsl" style="{_CARD}">{picture}{table}<p>{escape(label)}</p></div>'


def _blocks(members: Members) -> str:
    plain = members.plain
    rows: list[tuple[str, ...]] = [
        (
            block.path,
            block.label if block.label == block.kind else f"{block.label} ({block.kind})",
            TIMES.join(map(str, block.cost.out.dims)),
            f"{block.cost.params:,}",
            f"{block.cost.macs:,}",
        )
        for block in plain.blocks()
    ]
    total = ("total", "", str(plain.classes), f"{plain.params:,}", f"{plain.macs:,}")
    return _table("blocks", ("block", "kind", "out", "params", "MACs"), [*_cut(rows), total], numbers=3)


def _decisions(spec: ir.Spec) -> str:
    rows = [(decision.name, options(decision.choices, ends=decision.is_real)) for decision in space.decisions(spec)]
    return _table("decisions", ("decision", "choices"), _cut(rows), numbers=0)


def _cut(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """So many rows, and how many more there are."""
    over = len(rows) - MOST_ROWS
    return [*rows] if over <= 0 else [*rows[:MOST_ROWS], (f"… {over:,} more", *("" for _ in rows[0][1:]))]


def _table(name: str, heads: Iterable[str], rows: list[tuple[str, ...]], numbers: int) -> str:
    """A table behind a line that unfolds it; the last `numbers` columns are figures."""

    def cells(tag: str, row: tuple[str, ...]) -> str:
        sides = ["left"] * (len(row) - numbers) + ["right"] * numbers
        parts = (f'<{tag} style="{_CELL.format(s)}">{escape(c)}</{tag}>' for s, c in zip(sides, row, strict=True))
        return f"<tr>{''.join(parts)}</tr>"

    body = "".join(cells("td", row) for row in rows)
    style = "border-collapse:collapse;margin:4px 0;font-size:12px"
    return (
        f'<details><summary>{name}</summary><table style="{style}"><thead>{cells("th", tuple(heads))}</thead>'
        f"<tbody>{body}</tbody></table></details>"
    )
