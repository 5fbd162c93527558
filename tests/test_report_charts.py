"""The report's scales, words, colours and spectra, and the size of the page."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from report_page import changed, check
from report_results import analysed, results, trial

from archdsl import report
from archdsl.analyses.results.fourier import FourierResult
from archdsl.analyses.results.hessian import HessianResult
from archdsl.report import chart, layout, wording
from archdsl.report.layout import series
from archdsl.report.sections.differences import ruler
from archdsl.study.results import read


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


@pytest.mark.parametrize("score", ["accuracy", "nll", "latency_ms", "high_freq"])
def test_a_ruler_of_differences_has_more_than_its_zero(score: str) -> None:
    for most in 10 ** np.linspace(-4, 1, 200):
        texts = re.findall(r">([^<>]+)</text>", str(ruler(score, chart.Scale(-most, most, 6, 174))))
        assert 3 <= len(set(texts)) == len(texts) <= 5, (most, texts)


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


def test_a_spectrum_that_cannot_be_drawn_leaves_the_page_whole() -> None:
    page = check(changed(lambda d: d["finalists"][0].update(hessian={"nonsense": 1})))
    assert "Hessian: the stored analysis cannot be drawn" in page.text


def test_the_numbers_of_the_spectra_stand_in_tables() -> None:
    document = analysed(results(trials=8))
    text = check(document).text
    found = document["finalists"][0]
    eigenvalues = np.ravel(HessianResult.from_json(found["hessian"]).eigenvalues)
    shown = [f"{value:.2f}".replace("-", "−") for value in np.percentile(eigenvalues, (0, 50, 100))]
    row = text.split("95th Largest", 1)[1].split("all C")[0]
    assert row.split()[:2] == ["found", "60"]
    assert [value for value in shown if value not in row.split()] == []
    unit = FourierResult.from_json(found["fourier"]).units[0]
    first = text.split("all M, 1.0 π alternating, 0.5 π alternating, 1.0 π", 1)[1].split()
    assert first[:3] == [unit.path, f"{unit.label}:", f"{unit.at(0.5):.2f}".replace("-", "−")]


def test_drawings_have_the_pages_font_and_come_out_the_same_each_time() -> None:
    document = analysed(results(trials=8))
    text = report.render(document)
    assert "http" not in text.replace("http-equiv", "")
    assert "var(--conv)" in text
    assert "DejaVu" not in text
    assert text == report.render(document)


@pytest.mark.parametrize(("trials", "most"), [(50, 1_500_000), (500, 2_000_000)])
def test_the_page_stays_small(trials: int, most: int) -> None:
    assert len(report.render(analysed(results(trials=trials, blocks=20))).encode()) < most
