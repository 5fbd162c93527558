"""`compare`: networks trained alike, measured on the same images, with intervals that mean what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from small_networks import one_thread  # noqa: F401

import archdsl
from archdsl.analyses.quality import QualityResult
from archdsl.base.errors import DataError, UsageError
from archdsl.base.statistics import Spread, estimated, estimated_difference, mean_interval
from archdsl.cli.main import run
from archdsl.report.networks import Measured, Run, page, rows

HEAD = "stem patch(4, k=4) defaults(heads=1, head_dim=4)"
CONV = f"model conv {HEAD} stage(4)[C C] train(epochs=1, batch=32)"
HYBRID = f"model hybrid {HEAD} stage(4)[C M] train(epochs=3, batch=32, lr=0.01)"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name, text in (("conv", CONV), ("hybrid", HYBRID)):
        (tmp_path / f"{name}.arch").write_text(text)
    return [str(tmp_path / "conv.arch"), str(tmp_path / "hybrid.arch")]


def quality(accuracy: float, images: int = 100) -> QualityResult:
    bins = np.ones(15)
    return QualityResult(accuracy, 1.0, 0.1, 0.05, images, bins, bins / 2, bins / 2)


def measured(name: str, *accuracies: float, params: int = 1234) -> Measured:
    runs = tuple(Run(seed, {"quality": quality(value)}) for seed, value in enumerate(accuracies))
    return Measured(name, params, 99, (("C", "M"),), {"C": "conv", "M": "msa"}, f"hash {name}", runs)


def test_intervals_are_students_over_seeds_batches_and_images() -> None:
    values = [0.5, 0.6, 0.55]
    found = mean_interval(values)
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    batches = estimated(float(np.mean(values)), Spread(float(stats.sem(values)), 3))
    assert (batches.low, batches.high) == pytest.approx(expected)
    more = [0.7, 0.72, 0.74, 0.71]
    gap = estimated_difference(
        float(np.mean(more)),
        Spread(float(stats.sem(more)), 4),
        float(np.mean(values)),
        Spread(float(stats.sem(values)), 3),
    )
    welch = stats.ttest_ind(more, values, equal_var=False).confidence_interval()
    assert (gap.low, gap.high) == pytest.approx((welch.low, welch.high))
    for spread in (Spread(), Spread(0.0, 6), Spread(0.1, 1)):  # unknown, all the same, or one draw
        assert not estimated(0.4, spread).known
        assert not estimated_difference(0.4, spread, 0.1, Spread(0.1, 6)).known
    one, several = measured("one", 0.5), measured("several", *values)
    assert (one.estimate("accuracy").basis, several.estimate("accuracy").basis) == ("batches", "seeds")
    assert one.estimate("accuracy").spread == Spread(pytest.approx((0.25 / 99) ** 0.5), 100)
    assert one.estimate("lambda_max") is None
    other = measured("other", 0.7, 0.72, 0.74)
    welch = stats.ttest_ind([0.7, 0.72, 0.74], values, equal_var=False).confidence_interval()
    gap = other.against(several, "accuracy")
    assert (gap.low, gap.high) == pytest.approx((welch.low, welch.high))


def test_rows_stand_in_groups_and_are_compared_with_the_first() -> None:
    found = rows([measured("a", 0.5), measured("b", 0.9)])
    assert [(row.group, row.score) for row in found] == [("Quality", name) for name in ("accuracy", "nll", "ece")]
    (gap,) = found[0].differences
    assert gap is not None
    assert (gap.value, gap.excludes_zero) == (pytest.approx(0.4), True)
    assert found[2].differences[0].known is False  # nobody knows the error of a calibration error


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_names_nothing_outside_and_escapes_what_it_is_told() -> None:
    bad = "<script>alert(1)</script>"
    text = page([measured(bad, 0.5), measured("b", 0.9)], {"Data": "<b>x</b>"}, [f"note {bad}"])
    found = Page(text)
    assert bad in found.words
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert "b" not in [tag for tag, _ in found.tags]
    links = [value for _, attributes in found.tags for name, value in attributes.items() if name in ("href", "src")]
    assert links
    assert all(str(link).startswith("#") for link in links)
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)
    charts = [attributes for tag, attributes in found.tags if tag == "svg"]
    assert charts
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert "1.23 K" in found.words


def test_specs_are_trained_alike(files: list[str], little: Path, tmp_path: Path) -> None:
    said: list[str] = []
    options: dict[str, Any] = {
        "data": f"npz:{little}", "only": ["quality", "variance"], "batches": 2, "seeds": 2, "device": "cpu",
        "out": tmp_path / "cmp",
    }  # fmt: skip
    found = archdsl.compare(files, **options, say=said.append)
    conv, hybrid = found["networks"]
    assert conv["recipe"] == hybrid["recipe"]
    assert "epochs=1" in conv["recipe"]
    assert any("hybrid asks for lr=0.01" in note for note in found["notes"])
    assert (conv["seeds"], conv["params"]) == (
        [0, 1],
        archdsl.compile(CONV.replace(HEAD, f"input 1x28x28 {HEAD}")).architecture.params,
    )
    table = {row["score"]: row for row in found["table"]}
    nll = table["nll"]["values"][1]
    assert nll["over"] == "seeds"
    assert nll["value"] == pytest.approx(np.mean(nll["values"]))
    assert nll["low"] < nll["value"] < nll["high"]
    assert table["variance_change_msa"]["values"][0] is None
    assert table["variance_change_msa"]["differences"] == [None]
    assert {"test_accuracy", "test_nll"} <= set(table)
    trained = archdsl.train(
        files[0], data=f"npz:{little}", device="cpu", epochs=1, seed=1, out=tmp_path / "again.safetensors"
    )
    assert table["test_accuracy"]["values"][0]["values"][1] == trained["accuracy"]  # compare trains as train does

    said.clear()
    again = archdsl.compare(files, **options, say=said.append)
    assert again["table"] == found["table"]
    assert sum(text.endswith("kept from before") for text in said) == 8
    assert {"comparison.html", "comparison.json"} == set(found["files"])
    stored = json.loads((tmp_path / "cmp" / "comparison.json").read_text())
    assert stored["table"] == found["table"]


def test_checkpoints_are_taken_as_they_are(files: list[str], little: Path, tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{seed}.safetensors") for seed in range(2)]
    for seed, path in enumerate(paths):
        archdsl.train(files[0], data=f"npz:{little}", device="cpu", epochs=seed + 1, seed=seed, out=Path(path))
    found = archdsl.compare(
        paths, only=["quality"], device="cpu", out=tmp_path / "cmp", data=f"npz:{little}"
    )  # fmt: skip
    assert [network["name"] for network in found["networks"]] == ["0", "1"]  # both are called conv
    assert [network["checkpoints"] for network in found["networks"]] == [[path] for path in paths]
    assert "not trained as 0 was (epochs=2, not 1)" in found["notes"][0]


def test_what_cannot_be_compared(files: list[str], little: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two networks or more"):
        archdsl.compare(files[:1])
    for ignored in ({"epochs": 3}, {"seeds": 4}):
        with pytest.raises(UsageError, match="are for specs, which are trained first"):
            archdsl.compare(["a.safetensors", "b.safetensors"], **ignored)
    (tmp_path / "other.arch").write_text("input 3x32x32 stage(4)[C]")
    with pytest.raises(DataError, match="says input 3x32x32"):
        archdsl.compare([files[0], tmp_path / "other.arch"], data=f"npz:{little}", device="cpu")


def test_the_command(files: list[str], little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["compare", *files, "--data", f"npz:{little}", "--device", "cpu", "--only", "quality", "--out"]
    assert run([*common, str(tmp_path / "cmp")]) == 0
    shown = capsys.readouterr().out
    assert "conv" in shown
    assert "test_accuracy" in shown
    assert "parameters" in shown
    assert run([*common, str(tmp_path / "cmp"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"networks", "table", "notes", "folder", "files"} <= document.keys()
    assert run(["compare", "--help"]) == 0
    assert "archdsl diff" in capsys.readouterr().out
    assert run(["compare", files[0], "--json"]) == 2


def test_what_is_kept_of_the_same_networks_is_shown_too(
    files: list[str], little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cmp"

    def shown(only: str, *further: str, networks: list[str] = files) -> tuple[set[str], set[str], str]:
        """Scores and figures that the command leaves, and what it says."""
        common = ["--data", f"npz:{little}", "--device", "cpu", "--batches", "2", "--out", str(out)]
        assert run(["compare", *networks, *common, "--only", only, *further]) == 0
        printed = capsys.readouterr()
        document = json.loads((out / "comparison.json").read_text())
        page = (out / "comparison.html").read_text()
        scores = {row["score"] for row in document["table"] if not row["score"].startswith("test_")}
        assert all(row["score"] in printed.out and row["score"] in page for row in document["table"])
        return scores, {name for name in ("quality", "fourier", "cka") if f'id="{name}"' in page}, printed.err

    quality, figures, _ = shown("quality")
    assert (quality, figures) == ({"accuracy", "nll", "ece"}, {"quality"})
    both, figures, said = shown("fourier")
    assert both > quality
    assert figures == {"quality", "fourier"}
    assert "quality: done" not in said
    assert shown("quality")[:2] == (both, figures)  # whichever is asked for
    three, figures, _ = shown("cka", "--seeds", "2")  # the second training has no other analysis
    assert figures == {"cka"}
    assert not three & both
    swapped = [files[1], files[0]]
    assert shown("cka", "--seed", "1", networks=swapped)[1] == {"cka"}  # other networks, on other images


@pytest.mark.slow
def test_a_browser_shows_the_page(files: list[str], little: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on PATH")
    archdsl.compare(
        files,
        data=f"npz:{little}",
        only=["hessian", "fourier", "lesion"],
        batches=2,
        device="cpu",
        out=tmp_path / "cmp",
    )
    where = (tmp_path / "cmp" / "comparison.html").as_uri()
    done = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--enable-logging=stderr"),
            *("--dump-dom", where),
        ],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"Chromium does not start here: {done.stderr[-200:]}")
    assert "Refused" not in done.stderr  # of the page's own policy
    assert "Uncaught" not in done.stderr
    found = Page(done.stdout)
    assert sum(tag == "figure" for tag, _ in found.tags) == 4
    assert "lesion_msa" in found.words


def test_an_analysis_that_fails_leaves_the_others_on_the_page(
    little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "a.arch", tmp_path / "b.arch"]
    for path, width in zip(paths, (4, 8), strict=True):  # maps of 1 x 1 have no frequencies
        path.write_text(f"stem patch({width}, k=14) stage({width}, stride=2) [C] train(epochs=1)")
    command = ["compare", *map(str, paths), "--data", f"npz:{little}", "--device", "cpu", "--out", str(tmp_path / "c")]
    assert run([*command, "--only", "fourier,quality"]) == 3
    said = capsys.readouterr()
    assert "accuracy" in said.out
    assert "map larger than 1 x 1" in said.err
    assert "accuracy" in (tmp_path / "c" / "comparison.html").read_text()
    assert run([*command, "--only", "quality"]) == 0
