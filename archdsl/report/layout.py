"""Shows a layout (the block labels of each stage) in words, as coloured HTML blocks, and on the terminal."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from archdsl.report.markup import Markup, clean, element
from archdsl.report.wording import settings

if TYPE_CHECKING:
    from rich.text import Text

    from archdsl.study.results import Network, Results

Layout: TypeAlias = Sequence[Sequence[str]]

_CONV = frozenset({"c", "conv", "basic", "bottleneck", "convnext", "mbconv", "ghost"})
_MSA = frozenset({"m", "t", "msa", "attn", "attention", "transformer"})
_OTHERS = ("other1", "other2", "other3", "other4")  # colours for whatever is neither
_WORDS_AT_MOST = 24  # blocks; a longer layout is counted instead of spelled in a sentence
_ONE_LINE_AT_MOST = 16  # blocks that stay side by side; longer strips wrap
_STYLES = {
    "conv": "bold white on #0067a3",
    "msa": "bold white on #b8470b",
    "other1": "bold white on #00734f",
    "other2": "bold white on #8a4f7d",
    "other3": "bold white on #6b6100",
    "other4": "bold white on #555555",
}


def kind(label: str, known: Mapping[str, str] | None = None) -> Literal["conv", "msa"] | None:
    """What a block label stands for: as the run says (`known`), else by the letters the language predeclares.

    >>> kind("C"), kind("msa(heads=4)"), kind("ghost2")
    ('conv', 'msa', None)
    """
    said = (known or {}).get(label)
    if said in ("conv", "msa"):
        return said  # type: ignore[return-value]
    name = label.partition("(")[0].strip().lower()
    return "conv" if name in _CONV else "msa" if name in _MSA else None


def palette(results: Results) -> dict[str, str]:
    """A colour class for every label of a run: the first Conv `conv`, the first MSA `msa`, others in their order."""
    layouts = [network.layout for network in (*results.finalists, *results.trials)]
    labels = dict.fromkeys(label for layout in layouts for stage in layout for label in stage)
    ordered = sorted(labels, key=lambda label: label not in ("C", "M"))  # the usual letters get the usual colours
    colours: dict[str, str] = {}
    others = itertools.cycle(_OTHERS)
    for label in ordered:
        wanted = kind(label, results.kinds)
        colours[label] = wanted if wanted and wanted not in colours.values() else next(others)
    return colours


def series(results: Results) -> dict[str, str]:
    """The colour class of every finalist by name, the same in all figures.

    All-Conv and all-MSA have the colours of their blocks, whatever the letters; others take what is left, in order.
    """
    usual = {"conv": "all-c", "msa": "all-m"}
    found = {"winner": "winner", "alternating": "alternating"}
    for name in (finalist.name for finalist in results.baselines):
        said = kind(name.removeprefix("all "), results.kinds) if name.startswith("all ") else None
        if said:
            found[name] = usual[said]
    left = [colour for colour in ("all-c", "all-m") if colour not in found.values()]
    for finalist in results.baselines:
        if finalist.name not in found:
            found[finalist.name] = left.pop(0) if left else "rival"
    return found


def compact(layout: Layout) -> str:
    """A layout for a sentence: `CCM CM`, or a count where spelling it out would not be read.

    >>> compact([["C", "C", "M"], ["C", "M"]]), compact([["ghost", "M"]]), compact([])
    ('CCM CM', 'ghost·M', 'an empty layout')
    """
    blocks = [label for stage in layout for label in stage]
    if not blocks:
        return "an empty layout"
    if len(blocks) > _WORDS_AT_MOST:
        counts = {label: blocks.count(label) for label in dict.fromkeys(blocks)}
        most = sorted(counts.items(), key=lambda item: -item[1])[:3]
        return f"{len(blocks)} blocks in {len(layout)} stages ({', '.join(f'{n} {label}' for label, n in most)})"
    joint = "" if all(len(label) == 1 for label in blocks) else "·"
    return " ".join(joint.join(stage) for stage in layout)


def described(network: Network) -> str:
    """A network for a sentence: its layout, and what the search decided of its recipe."""
    return " at ".join(part for part in (compact(network.layout), settings(network.tuned)) if part)


def plain(layout: Layout) -> str:
    """A layout that can be read back: labels apart by spaces, stages by ` | `.

    >>> plain([["C", "M"], ["M"]])
    'C M | M'
    """
    return " | ".join(" ".join(stage) for stage in layout)


def strip(layout: Layout, colours: Mapping[str, str]) -> Markup:
    """A layout as blocks in a row, one group per stage; the colour follows the label, and the label stands in it."""
    stages = [
        element("span", [_block(label, colours) for label in stage], class_="stage", aria_hidden="true")
        for stage in layout
    ]
    spoken = "; ".join(f"stage {i}: {' '.join(stage)}" for i, stage in enumerate(layout, 1)) or "no blocks"
    blocks = sum(map(len, layout))
    density = " one-line" if blocks <= _ONE_LINE_AT_MOST else " dense" if blocks > _WORDS_AT_MOST else ""
    return element("span", stages, class_=f"net{density}", role="img", aria_label=spoken)


def _block(label: str, colours: Mapping[str, str]) -> Markup:
    shown = label if len(label) <= 4 else f"{label[:3]}…"
    return element("i", shown, class_=colours.get(label, "other4"), title=None if shown == label else label)


def legend(colours: Mapping[str, str], known: Mapping[str, str]) -> Markup:
    """What the colours of the blocks mean, for the labels whose meaning is known."""
    names = {"conv": "convolution", "msa": "self-attention"}
    entries = [
        element(
            "li", element("span", _block(label, colours), class_="net"), " ", names.get(kind(label, known) or "", "")
        )
        for label in sorted(colours)[:12]
    ]
    return element("ul", entries, class_="legend", aria_label="block labels")


def coloured(layout: Layout, colours: Mapping[str, str]) -> Text:
    """A layout for the terminal; without colours the letters still tell."""
    from rich.text import Text

    text = Text(no_wrap=False)
    for i, stage in enumerate(layout):
        if i:
            text.append(" ")
        for label in stage:
            shown = clean(label)
            text.append(shown if len(shown) == 1 else f" {shown} ", style=_STYLES[colours.get(label, "other4")])
    return text
