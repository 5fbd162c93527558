"""Draws what samplers are worth: mean regret against trainings, and how many searches have met a best network."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.base import colours
from archdsl.base.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

YARDSTICK = "random"


def draw(result: dict[str, Any], stem: Path) -> list[Path]:
    """Write `stem`.svg and `stem`.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    unit = 100 if result["objective"]["name"] == "accuracy" else 1
    for index, (name, entry) in enumerate(_ordered(result["samplers"])):
        style = {"color": colours.FAINT, "ls": "--"} if name == YARDSTICK else {"color": colours.network(index)}
        places = range(1, len(entry["regret"]) + 1)
        left.plot(places, [unit * value for value in entry["regret"]], lw=1.5, label=name, **style)
        met = [_share(entry["first_best"], place) for place in places]
        right.step([0, *places], [0, *met], where="post", lw=1.5, label=name, **style)
    name = result["objective"]["name"]
    left.set_ylabel(f"mean regret ({'points of accuracy' if name == 'accuracy' else name})")
    left.set_ylim(bottom=0)
    right.set_ylabel(f"share of searches that trained one of the best {result['best']}")
    right.set_ylim(0, 1)
    right.axhline(0.5, color=colours.FAINT, lw=0.8, ls=":", zorder=0)
    for axes in (left, right):
        _trainings(axes, result["budget"])
    left.legend(frameon=False, fontsize="small")
    written = []
    for kind in ("svg", "png"):
        drawn = io.BytesIO()
        metadata: dict[str, Any] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(drawn, format=kind, dpi=160, metadata=metadata)
        written.append(write_atomically(stem.with_suffix(f".{kind}"), drawn.getvalue()))
    return written


def _trainings(axes: Axes, budget: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0, budget)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("networks trained")
    axes.spines[["top", "right"]].set_visible(False)


def _ordered(samplers: dict[str, Any]) -> list[tuple[str, Any]]:
    """The yardstick last, so that the colours of the others are the first ones."""
    return sorted(samplers.items(), key=lambda item: item[0] == YARDSTICK)


def _share(firsts: list[int | None], place: int) -> float:
    return sum(first is not None and first <= place for first in firsts) / len(firsts)
