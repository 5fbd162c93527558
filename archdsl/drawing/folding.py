"""Parts of a row in, the same with long runs as one and a count out, for rows that would not fit otherwise."""

from __future__ import annotations

from archdsl.drawing.picture import Alternatives, Part, Repeated, Tile, inside


def fold(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Runs of equal blocks, or of equal groups of up to four, as one with a count.

    >>> fold((Tile("C", "a"), Tile("M", "b")) * 3)[0].times
    '×3'
    """
    found: list[Part] = []
    looks = [look(part) for part in parts]
    at = 0
    while at < len(parts):
        best, saved = (1, 1), 0
        for period in (1, 2, 3, 4):
            times = 1
            while looks[at + times * period : at + (times + 1) * period] == looks[at : at + period]:
                times += 1
            if times > 1 and (times - 1) * period > saved:
                best, saved = (period, times), (times - 1) * period
        period, times = best
        run = parts[at : at + period]
        path = f"run.{getattr(run[0], 'path', at)}"
        found += run if times == 1 else [Repeated(path, tuple(run), f"×{times}")]
        at += period * times
    return tuple(found)


def look(part: Part) -> object:
    """What makes two parts look the same: everything but where they stand."""
    if isinstance(part, Tile):
        return part.label, part.look, part.roles, part.shrinks, part.optional, part.notes
    name = part.name if isinstance(part, Alternatives) else part.times if isinstance(part, Repeated) else ""
    return type(part).__name__, name, tuple(tuple(look(p) for p in sequence) for sequence in inside(part))
