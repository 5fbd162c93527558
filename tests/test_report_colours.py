"""The contrasts of the report's style sheet, by WCAG 2.2's formula: 4.5 for type, 3 for lines and marks, in both themes."""

from __future__ import annotations

import re
from importlib import resources

import pytest

CSS = resources.files("archdsl.report").joinpath("style.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)[:2]
)
THEMES = {"light": LIGHT, "dark": {**LIGHT, **DARK}}

KINDS = ("conv", "msa", "other1", "other2", "other3", "other4")
TYPE = [
    *((ink, ground) for ink in ("ink", "muted") for ground in ("page", "soft")),
    *((f"on-{kind}", kind) for kind in KINDS),
    *(("on-heat", f"h{i}") for i in range(7)),
]
DRAWN = [
    "conv",
    "msa-line",
    "alternating",
    "alarm",
    "context",
    *(f"lead{i}" for i in range(3)),
    *(f"s{i}" for i in range(5)),
]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula_gives_the_published_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", THEMES)
def test_type_can_be_read(theme: str) -> None:
    colours = THEMES[theme]
    found = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in TYPE}
    assert {pair: value for pair, value in found.items() if value < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_lines_and_marks_can_be_seen(theme: str) -> None:
    colours = THEMES[theme]
    found = {name: contrast(colours[name], colours["page"]) for name in DRAWN}
    assert {name: value for name, value in found.items() if value < 3} == {}


def test_both_themes_name_the_same_colours_and_every_one_named_is_there() -> None:
    assert DARK.keys() == LIGHT.keys()
    used = set(re.findall(r"var\(--([\w-]+)", CSS)) - {"series", "keep", "side", "on-side"}
    assert used <= LIGHT.keys()


def test_nothing_moves_by_itself() -> None:
    assert not re.search(r"\b(animation|transition|scroll-behavior)\b", CSS)  # so reduced motion has nothing to reduce
