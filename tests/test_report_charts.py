"""The report's scales, words, colours and spectra."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from report_page import changed, check
from report_results import analysed, results, trial

from archdsl import report
from archdsl.report import chart, layout, wording
from archdsl.report.results import read
from archdsl.report.sections import spectra
from archdsl.report.sections.finalists import series


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.831, 0.8342), (-3e-7, 2e-7), (1e5, 3e9), (-5, -4.9)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    for log in (False, True):
        if log and low <= 0:
            continue
        scale = chart.Scale(low, high, 0, 100, log)
        ticks = scale.ticks()
        assert 2 <= len(ticks) <= 7
        slack = 1e-9 * (high - low)
        assert all(low - slack <= tick <= high + slack for tick in ticks)
        texts = [chart.tick_format("x", scale)(tick) for tick in ticks]
        assert len(set(texts)) == len(texts)


def test_numbers_in_words() -> None:
    assert wording.number("accuracy", 0.86349, unit=True) == "86.3 %"
    assert wording.signed("accuracy", -0.01) == "−1.0"
    assert wording.signed("nll", 0.0) == "0.000"
    assert wording.number("nll", math.nan) == "–"
    assert wording.short(999_600) == "1.00 M"
    assert wording.short(None) == "–"
    assert wording.duration(3600) == "1 h 0 min"
    assert wording.listing(["a", "b", "c"]) == "a, b and c"


def test_finalists_keep_their_colours() -> None:
    def named(*names: str) -> dict[str, str]:
        return series(read({"finalists": [{"name": name} for name in ("winner", *names)]}))

    usual = {"winner": "winner", "alternating": "alternating"}
    assert named("all C", "all M", "alternating") == {**usual, "all C": "all-c", "all M": "all-m"}
    assert named("all M") == {**usual, "all M": "all-m"}
    assert named("all K", "all A", "alternating") == {**usual, "all K": "all-c", "all A": "all-m"}
    assert named("a", "b", "c") == {**usual, "a": "all-c", "b": "all-m", "c": "rival"}


def test_colours_follow_the_label() -> None:
    document = read({"trials": [trial(0, "TCMX", 0.5)]})
    assert layout.palette(document) == {"C": "conv", "M": "msa", "T": "other1", "X": "other2"}


class FakeResult:
    @classmethod
    def from_json(cls, document: dict[str, Any]) -> dict[str, Any]:
        return document


class FakeAnalysis:
    result = FakeResult

    @staticmethod
    def plot(
        result: dict[str, Any], ax: Any, *, label: str | None = None, color: str | None = None, view: str = ""
    ) -> None:
        ax = ax if hasattr(ax, "plot") else ax[0]
        ax.plot(result["x"], result["y"], label=label, color=color)
        ax.set_xlabel("frequency <&>")
        if label:
            ax.legend()


def test_spectra_come_in_the_pages_colours_and_without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "_analysis", lambda name: FakeAnalysis)

    def analyse(document: dict[str, Any]) -> None:
        for finalist in document["finalists"]:
            finalist.update(hessian={"x": [0, 1], "y": [1, 2]}, fourier={"x": [0, 1], "y": [1, 2]})

    document = changed(analyse)
    page = check(document)
    assert "Inside the finalists" in page.text
    text = report.render(document)
    assert "http" not in text.replace("http-equiv", "")
    assert "var(--conv)" in text
    assert "DejaVu" not in text
    assert text == report.render(document)


def test_the_real_spectra_are_drawn_in_the_pages_colours() -> None:
    document = analysed(results(trials=8))
    page = check(document)
    assert "cannot be drawn" not in page.text
    assert "Largest eigenvalues of the loss Hessian" in page.text
    assert "Relative log amplitude" in page.text
    assert "Smoothing contrast: found −0.31" in " ".join(svg["aria-label"] or "" for svg in page.all("svg"))
    drawn = report.render(document).split("Inside the finalists", 1)[1].split("</section>", 1)[0]
    left = re.findall(r": (#[0-9a-f]{6}\b)", drawn)
    assert not left, "a colour of its own would not follow the page into the dark"


def test_a_spectrum_that_cannot_be_drawn_leaves_the_page_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "_analysis", lambda name: FakeAnalysis)
    page = check(changed(lambda d: d["finalists"][0].update(hessian={"nonsense": 1})))
    assert "Hessian: the stored analysis cannot be drawn" in page.text
