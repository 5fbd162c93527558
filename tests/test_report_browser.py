"""The report in a real Chromium: it asks for nothing from outside, can be walked by keyboard, and is seen in the dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, browser
from PIL import Image
from report_results import analysed, results

from archdsl import report

TRIALS = 40  # enough for a front of several networks


def written(folder: Path, document: dict[str, Any]) -> str:
    (folder / "results.json").write_text(json.dumps(document))
    return report.write(folder).as_uri()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return results(trials=TRIALS, objectives=(("accuracy", "maximize"), ("params", "minimize")))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> str:
    return written(tmp_path_factory.mktemp("run"), analysed(document))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def page(chromium: Browser, address: str) -> Browser:
    chromium.complaints.clear()
    chromium.requests.clear()
    chromium.resize(1280, 900)
    chromium.prefer(color_scheme="light")
    chromium.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    chromium.open(address)
    return chromium


TIP = "document.getElementById('tip')"
ACTIVE = "document.activeElement"


def layout(document: dict[str, Any], number: int) -> list[str]:
    return [label for stage in document["trials"][number]["layout"] for label in stage]


def test_the_console_is_silent_and_nothing_is_asked_for(page: Browser, address: str) -> None:
    for selector in ("#ranking ~ figure .mark", "#progress ~ div .mark"):
        page.point(selector)
        page.wait(f"!{TIP}.hidden")
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.complaints == []
    outside = [asked for asked in page.requests if not asked.startswith("data:image/png;base64,")]
    assert outside == [address]


def test_pointing_at_the_pareto_plot_shows_the_network_and_its_scores(page: Browser, document: dict[str, Any]) -> None:
    number = document["pareto"][0]
    page.point(f'#ranking ~ figure [data-trial="{number}"]')
    page.wait(f"!{TIP}.hidden")
    blocks = page.run(f"[...{TIP}.querySelectorAll('.net i')].map((each) => [each.textContent, each.className])")
    assert blocks == [[label, {"C": "conv", "M": "msa"}[label]] for label in layout(document, number)]
    accuracy = document["trials"][number]["scores"]["accuracy"]
    assert f"{100 * accuracy:.2f}" in page.run(f"{TIP}.querySelector('dl').textContent")
    lit = page.run("[...document.querySelectorAll('.same')].map((each) => each.dataset.trial)")
    assert len(lit) >= 3  # the same network in the other charts
    assert set(lit) == {str(number)}
    page.press("Escape")
    assert page.run(f"{TIP}.hidden")


def test_the_box_can_be_pointed_at(page: Browser, document: dict[str, Any]) -> None:
    page.point(f'#ranking ~ figure [data-trial="{document["pareto"][0]}"]')
    page.wait(f"!{TIP}.hidden")
    page.point("#tip .said")
    page.run("new Promise((done) => setTimeout(done, 500))")
    assert not page.run(f"{TIP}.hidden")


def test_pointing_at_a_learning_curve_shows_its_network(page: Browser) -> None:
    line = "#progress ~ div figure:nth-child(2) path.line[data-trial]"
    at = page.run(
        f"(() => {{ const line = [...document.querySelectorAll('{line}')].pop(); line.scrollIntoView({{block: 'center'}});"
        " const middle = line.getPointAtLength(line.getTotalLength() / 2).matrixTransform(line.getScreenCTM());"
        " return [middle.x, middle.y, line.dataset.trial]; })()"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
    page.wait(f"!{TIP}.hidden")
    assert page.run(f"{TIP}.textContent").startswith(f"trial {at[2]}")


def test_the_keyboard_reaches_every_point_and_its_picture_appears(page: Browser, document: dict[str, Any]) -> None:
    for _ in range(60):
        page.press("Tab")
        if page.run(f"{ACTIVE}.matches('#ranking ~ figure svg.chart .mark')"):
            break
    met = {page.run(f"{ACTIVE}.dataset.trial || {ACTIVE}.dataset.final")}
    page.press("Home")
    for _ in range(60):
        before = page.run(f"{ACTIVE}.getAttribute('aria-label')")
        met.add(page.run(f"{ACTIVE}.dataset.trial ? 'trial ' + {ACTIVE}.dataset.trial : ''"))
        assert not page.run(f"{TIP}.hidden")
        assert page.run(f"{TIP}.querySelectorAll('.net i').length") > 0
        assert page.run(f"{TIP}.querySelector('.said').textContent") in before
        page.press("ArrowRight")
        if page.run(f"{ACTIVE}.getAttribute('aria-label')") == before:
            break
    complete = {f"trial {t['number']}" for t in document["trials"] if t["state"] == "complete"}
    assert complete <= met
    page.press("Home")
    page.press("ArrowUp")
    page.press("Escape")
    assert page.run(f"{TIP}.hidden")
    page.press("Tab")  # one stop per chart: the next one is outside
    assert not page.run(f"{ACTIVE}.closest('figure svg') === document.querySelector('#ranking ~ figure svg')")


def test_enter_leads_to_the_networks_row(page: Browser, document: dict[str, Any]) -> None:
    number = document["pareto"][0]
    page.run(f"document.querySelector('#ranking ~ figure [data-trial=\"{number}\"]').focus()")
    page.press("Enter")
    assert page.run(f"{ACTIVE}.id") == f"trial-{number}"
    assert page.run("document.getElementById('every-trial').open")


def test_a_screen_reader_hears_charts_points_and_tables(page: Browser, document: dict[str, Any]) -> None:
    spoken = page.spoken()
    charts = [name for role, name in spoken if role == "application"]
    assert any(name.startswith("accuracy against parameters") for name in charts)
    number = document["pareto"][0]
    stages = "; ".join(f"stage {i}: {' '.join(s)}" for i, s in enumerate(document["trials"][number]["layout"], 1))
    points = [name for role, name in spoken if name.startswith(f"trial {number}: accuracy")]
    assert any(name.endswith(stages) for name in points)
    assert all(name for role, name in spoken if role in ("table", "application", "image", "button", "link"))
    assert [role for role, _ in spoken].count("main") == 1
    assert [role for role, _ in spoken].count("navigation") == 1


def test_the_dark_page_is_dark_and_the_light_one_light(page: Browser, tmp_path: Path) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        page.prefer(color_scheme=scheme, reduced_motion="reduce")
        picture = np.asarray(Image.open(page.picture(tmp_path / f"{scheme}.png", whole=True)).convert("L"), dtype=float)
        assert picture.std() > 10  # something is on it
        brightness[scheme] = picture.mean()
    assert brightness["light"] > 220
    assert brightness["dark"] < 60


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(page: Browser, width: int) -> None:
    page.resize(width, 900)
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.run("document.documentElement.scrollWidth") <= width


def test_links_and_buttons_are_large_enough_to_hit(page: Browser) -> None:
    small = page.run(
        "[...document.querySelectorAll('nav a, button, summary')].filter((each) => !each.hidden"
        " && each.getBoundingClientRect().height < 24).map((each) => each.textContent)"
    )
    assert small == []


def test_without_scripts_everything_can_be_read(address: str, document: dict[str, Any]) -> None:
    with browser(scripts=False) as quiet:
        quiet.open(address)
        spoken = quiet.spoken()
        assert len(document["pareto"]) > 1
        assert ("image", f"accuracy against parameters, {len(document['pareto'])} Pareto-optimal networks") in spoken
        names = [name for role, name in spoken if role == "table"]
        assert "Trained from scratch on 3 seeds; mean, and ± standard deviation over the seeds." in names
        assert not any(name == "Copy" for _, name in spoken)
        assert quiet.complaints == []
