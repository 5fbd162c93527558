"""The report: what it says, that it says it for any results, and that nothing in it comes from or goes to elsewhere."""

from __future__ import annotations

import copy
import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from report_results import analysed, results
from rich.console import Console

from archdsl import report
from archdsl.errors import RunError, StudyError
from archdsl.report import chart, layout, markup, rules, statistics, wording
from archdsl.report.headline import headline
from archdsl.report.results import read
from archdsl.report.sections import spectra
from archdsl.report.sections.finalists import series

VOID = {"meta", "br", "col", "hr"}
NASTY = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\x1b[31m\u202e</title></style></pre>'


class Page(HTMLParser):
    """Every element with its attributes and the text; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def check(document: dict[str, Any]) -> Page:
    """Render, and see to what holds for every page."""
    text = report.render(document)
    page = Page(text)
    assert len(text.encode()) < 2_000_000
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert not page.all("link")
    for tag, attrs in page.elements:
        assert not any(name.startswith("on") for name in attrs), tag
        assert "src" not in attrs
        assert (attrs.get("href") or "#").startswith(("#", "data:image/png;base64,"))
    assert "url(" not in re.sub(r"url\(#", "", text.split("</style>", 1)[1])
    assert "@import" not in text
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {(attrs["href"] or "")[1:] for attrs in page.all("a")}
    assert targets <= set(ids)
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert svg["aria-label"]
    for attrs in (a for _, a in page.elements):
        for name in ("d", "cx", "cy", "x", "y", "x1", "x2", "y1", "y2", "points"):
            assert not re.search(r"nan|inf", attrs.get(name) or ""), (name, attrs)
    terminal(document)
    return page


def terminal(document: dict[str, Any], width: int = 160) -> str:
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as captured:
        console.print(report.summary(document))
    return captured.get()


def changed(change: Callable[[dict[str, Any]], object], **options: Any) -> dict[str, Any]:
    document = copy.deepcopy(results(**options))
    change(document)
    return document


# ---------------------------------------------------------------- the page as a whole


def test_the_usual_page_has_every_section_and_says_what_came_out() -> None:
    page = check(results())
    for title in (
        "Against the baselines",
        "How the search went",
        "The best networks",
        "Where it matters",
        "The paper’s advice in your data",
        "What goes with accuracy",
        "To do it again",
        "Every trial",
    ):
        assert title in page.text
    assert "archdsl search --budget 50" in page.text
    assert "Partial" not in page.text
    assert "2.15.0" in page.text
    assert "the loss became NaN in epoch 2" in page.text
    captions, tables = page.all("caption"), page.all("table")
    assert len(captions) == len(tables) > 5
    assert len([1 for a in page.all("th") if a.get("scope") in ("row", "col")]) == len(page.all("th"))
    assert next(tag for tag, _ in page.elements if tag in ("h1", "h2", "h3")) == "h1"


def test_the_page_is_the_same_each_time() -> None:
    assert report.render(results()) == report.render(results())


def test_an_unfinished_search_says_so_and_shows_what_there_is() -> None:
    document = changed(lambda d: d.update(budget=80), finished=False)
    page = check(document)
    assert "Partial: the search has not finished (50 of 80 trials so far)" in page.text
    assert "Best so far of 50 trials" in page.text
    assert "Against the baselines" not in page.text
    assert "Partial" in terminal(document)


@pytest.mark.parametrize("finished", [True, False])
def test_no_trial_at_all(finished: bool) -> None:
    page = check(results(trials=0, finished=finished))
    assert f"No network has been trained{'.' if finished else ' yet.'}" in page.text
    assert "To do it again" in page.text


def test_only_failures() -> None:
    page = check(results(trials=12, failing=1.0))
    assert "All 12 networks failed (the loss became NaN in epoch 2)." in page.text


def test_failures_and_stopped_ones_but_nothing_complete() -> None:
    def stop(document: dict[str, Any]) -> None:
        for number, trial in enumerate(document["trials"]):
            trial["state"] = "failed" if number < 2 else "stopped"
            trial["reason"] = "out of memory" if number < 2 else "stopped after epoch 1"
        document.update(best=None, pareto=[], finalists=[])

    page = check(changed(stop, trials=5))
    assert "No network was trained to the end: 2 failed, 3 were stopped early (out of memory)." in page.text


def test_one_trial() -> None:
    page = check(results(trials=1, failing=0, stopping=0))
    assert "one seed" not in page.text
    assert "not testable" not in page.text  # one network shows no rule, so none is claimed


def test_several_objectives() -> None:
    objectives = (("accuracy", "maximize"), ("params", "minimize"), ("high_freq", "minimize"))
    for count in (2, 3):
        page = check(results(objectives=objectives[:count]))
        assert "Trade-off" in page.text
        assert "Pareto-optimal for accuracy" in page.text


def test_an_objective_to_minimize_ranks_upwards() -> None:
    document = results(objectives=(("nll", "minimize"),))
    ranked = [trial.score("nll") for trial in read(document).ranking()]
    assert ranked == sorted(ranked)
    assert "supported" in check(document).text


def test_decisions_other_than_conv_or_msa() -> None:
    def widen(document: dict[str, Any]) -> None:
        rng = np.random.default_rng(1)
        document["decisions"] += [
            {"name": "stage2.heads", "choices": ["2", "4", "8"]},
            {"name": "act", "choices": ["relu", "gelu"]},
            {"name": "stage3.width", "choices": [str(n) for n in range(64, 256, 8)]},
            {"name": "lr", "choices": None},
            {"name": "stage3.block9", "choices": ["", "M"]},
        ]
        for trial in document["trials"]:
            drawn = {
                "act": str(rng.choice(["relu", "gelu"])),
                "stage3.width": int(rng.integers(8, 32) * 8),
                "lr": float(rng.uniform(1e-4, 1e-2)),
                "stage3.block9": str(rng.choice(["", "M"])),
            }
            if rng.random() < 0.5:  # only active in half of the trials
                drawn["stage2.heads"] = str(rng.choice([2, 4, 8]))
            trial["decisions"].update(drawn)

    document = changed(widen)
    page = check(document)
    for words in ("stage2.heads", "gelu − relu", "M − empty", "Ranges: rank correlation", "stage3.width"):
        assert words in page.text
    heads = next(e for e in rules.effects(read(document), "accuracy") if e.decision.name == "stage2.heads")
    active = [t for t in document["trials"] if t["state"] == "complete" and "stage2.heads" in t["decisions"]]
    assert sum(m.n for m in heads.means.values()) == len(active)
    assert heads.effect is None


def test_letters_of_the_users_own() -> None:
    def rename(document: dict[str, Any]) -> None:
        text = json.dumps(document).replace('"M"', '"attn_block"').replace('"C"', '"ghost"')
        document.clear()
        document.update(json.loads(text))

    page = check(changed(rename))
    assert "attn_block − ghost" in page.text
    known = changed(rename)
    known["kinds"] = {"attn_block": "msa", "ghost": "conv"}
    assert "supported" in check(known).text


def test_scores_that_are_missing_or_not_numbers() -> None:
    def spoil(document: dict[str, Any]) -> None:
        for number, trial in enumerate(document["trials"]):
            if number % 3 == 0:
                trial["scores"] = {"accuracy": math.nan, "nll": None, "high_freq": math.inf}
            if number % 3 == 1:
                trial.update(curve=None, params=None, macs=None, seconds=None, layout=[], decisions={})
        for finalist in document["finalists"]:
            finalist["scores"] = {}
            finalist["seeds"][0]["test"] = {"accuracy": None}
            finalist["seeds"][1]["validation"] = {}

    check(changed(spoil))
    check(changed(lambda d: [t.update(scores={"accuracy": math.nan}) for t in d["trials"]]))


def test_all_scores_equal() -> None:
    check(changed(lambda d: [t["scores"].update(accuracy=0.5) for t in d["trials"] if t["scores"]]))


def test_long_layouts_and_many_trials() -> None:
    page = check(results(trials=500, blocks=20))
    assert "60 blocks in 3 stages" in page.text

    def lengthen(document: dict[str, Any]) -> None:
        for finalist in document["finalists"]:
            finalist["layout"] = [["a_very_long_block_name"] * 60]

    check(changed(lengthen))


def test_layouts_of_different_lengths() -> None:
    def vary(document: dict[str, Any]) -> None:
        for trial in document["trials"]:
            trial["layout"][1] = trial["layout"][1][: 1 + trial["number"] % 4]

    check(changed(vary))


def test_many_decisions_are_cut_to_the_telling_ones() -> None:
    def multiply(document: dict[str, Any]) -> None:
        rng = np.random.default_rng(0)
        names = [f"extra{n}" for n in range(90)]
        document["decisions"] += [{"name": name, "choices": ["C", "M"]} for name in names]
        for trial in document["trials"]:
            trial["decisions"].update({name: "CM"[rng.integers(2)] for name in names})

    assert "The 64 decisions of 99 with the largest effects." in check(changed(multiply)).text


# ---------------------------------------------------------------- strangers' text


def test_nothing_of_a_strangers_text_becomes_markup() -> None:
    def poison(value: Any) -> Any:
        if isinstance(value, str):
            return value if value in ("complete", "stopped", "failed", "maximize", "minimize", "winner") else NASTY
        if isinstance(value, list):
            return [poison(each) for each in value]
        if isinstance(value, dict):
            return {key: poison(each) for key, each in value.items()}
        return value

    document = poison(results(trials=12))
    page = check(document)
    assert page.text.count("alert(1)") > 20
    assert "\x1b" not in report.render(document)
    assert "\u202e" not in report.render(document)
    assert "\x1b[31m" not in terminal(document)


def test_keys_are_escaped_too() -> None:
    def poison(document: dict[str, Any]) -> None:
        document["versions"] = {NASTY: NASTY}
        document["recipe"] = {NASTY: [NASTY]}
        document["decisions"] = [{"name": NASTY, "choices": [NASTY, "M"]}]
        for trial in document["trials"]:
            trial["decisions"] = {NASTY: NASTY}
            trial["scores"][NASTY] = 1.0 / (1 + trial["number"])

    check(changed(poison))


def test_lone_surrogates_can_be_written(tmp_path: Path) -> None:
    document = changed(lambda d: d["spec"].update(name="\ud800x", text="\x00"))
    (tmp_path / "results.json").write_text(json.dumps(document))
    page = report.write(tmp_path).read_text("utf-8")
    assert "\x00" not in page
    assert "\ufffdx" in page


def test_markup_escapes_by_itself() -> None:
    made = markup.element("p", "<b>", markup.element("i", "&"), ["x", None, 1.5], class_='"', hidden=True, id=None)
    assert made == '<p class="&quot;" hidden>&lt;b&gt;<i>&amp;</i>x1.5</p>'
    assert markup.element("circle", cx=math.nan, r=2.0) == '<circle cx="0" r="2"/>'


# ---------------------------------------------------------------- the headline


def finals(**tests: list[float]) -> dict[str, Any]:
    """Results whose finalists have just these test accuracies."""

    def put(document: dict[str, Any]) -> None:
        given = {name.replace("_", " "): values for name, values in tests.items()}
        document["finalists"] = [f for f in document["finalists"] if f["name"] in given]
        for finalist in document["finalists"]:
            runs = [
                {"seed": s, "validation": {"accuracy": v}, "test": {"accuracy": v}, "curve": []}
                for s, v in enumerate(given[finalist["name"]])
            ]
            finalist.update(seeds=runs, hash=finalist["name"])

    return changed(put)


def test_a_clear_lead() -> None:
    document = finals(winner=[0.90, 0.902, 0.901], all_C=[0.88, 0.881, 0.879], all_M=[0.85, 0.851, 0.849])
    said = str(headline(read(document)))
    assert all(sentence in check(document).text for sentence in said.split(". "))
    assert "scores 90.1 ± 0.1 % on the test split (90.1 ± 0.1 % on validation; mean ± sd over 3 seeds)." in said
    assert said.endswith("On test it is clearly above all C (+2.1 points) and all M (+5.1 points).")
    assert "clearly above all C" in " ".join(terminal(document).split())


def test_a_lead_within_the_spread_is_called_that() -> None:
    document = finals(winner=[0.90, 0.91, 0.89], all_C=[0.895, 0.905, 0.885], all_M=[0.80, 0.801, 0.799])
    said = str(headline(read(document)))
    assert "clearly above all M (+10.0 points), and within the seed spread of all C (+0.5 points)" in said


def test_being_worse_is_said_plainly() -> None:
    said = str(headline(read(finals(winner=[0.85, 0.851, 0.849], all_C=[0.88, 0.881, 0.879]))))
    assert "clearly below all C (−3.0 points)" in said


def test_one_seed_proves_nothing() -> None:
    said = str(headline(read(finals(winner=[0.85], all_C=[0.84]))))
    assert "85.0 % on the test split (85.0 % on validation; one seed)" in said
    assert "differs from all C (+1.0 points); one seed does not tell whether that is more than chance" in said


def test_a_winner_that_is_a_baseline() -> None:
    document = finals(winner=[0.85, 0.86], all_C=[0.85, 0.86], all_M=[0.7, 0.71])
    for finalist in document["finalists"][:2]:
        finalist["hash"] = "same"
    said = str(headline(read(document)))
    assert said.startswith("The search found nothing better than all C: ")
    assert "all C (" not in said
    check(document)


def test_a_space_without_baselines() -> None:
    document = finals(winner=[0.85, 0.86])
    assert headline(read(document)).comparison == ""
    check(document)


def test_a_winner_without_a_test_figure_falls_back_to_the_trial() -> None:
    document = changed(lambda d: [f.update(seeds=[]) for f in d["finalists"]])
    assert "nothing was measured on the test split" in str(headline(read(document)))
    check(document)


# ---------------------------------------------------------------- files


def test_write_reads_the_folder_and_leaves_no_scraps(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(results()))
    path = report.write(tmp_path)
    assert path == tmp_path / "report.html"
    assert report.write(tmp_path / "results.json") == path
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "results.json"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no results.json"),
        (b"", "is damaged"),
        (b'{"trials": [', "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
        (b"[]", "holds no results"),
        (b"[" * 100_000, "is damaged"),
        (b'{"trials": 3}', "trials"),
        (b'{"trials": [{"number": 0, "state": "dancing"}]}', "trials.0.state"),
        (b'{"finalists": [{"name": "winner", "seeds": "x"}]}', "finalists.0.seeds"),
    ],
)
def test_unusable_results_are_an_error_with_a_remedy(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(StudyError, match=re.escape(words)) as caught:
        report.write(tmp_path)
    assert caught.value.help
    assert not (tmp_path / "report.html").exists()


def test_absent_folders(tmp_path: Path) -> None:
    with pytest.raises(StudyError):
        report.write(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError):
        report.write(tmp_path / "file")
    with pytest.raises(RunError, match="cannot write"):
        report.write_csv(results(trials=1), tmp_path / "nowhere" / "trials.csv")


def test_an_empty_document_still_makes_a_page() -> None:
    check({})


def test_trials_csv_comes_back_as_it_was(tmp_path: Path) -> None:
    document = results()
    with report.write_csv(document, tmp_path / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["trials"])
    names = [d["name"] for d in document["decisions"]]
    assert list(rows[0]) == [
        *("number", "state", "hash", "layout", "params", "macs", "epochs", "seconds"),
        *("accuracy", "ece", "high_freq", "nll"),
        *names,
        "reason",
    ]
    for row, trial in zip(rows, document["trials"], strict=True):
        assert int(row["number"]) == trial["number"]
        assert [stage.split(" ") for stage in row["layout"].split(" | ")] == trial["layout"]
        assert float(row["seconds"]) == trial["seconds"]
        assert {name: float(row[name]) for name in trial["scores"]} == trial["scores"]
        assert {name: row[name] for name in names} == trial["decisions"]
        assert row["reason"] == (trial["reason"] or "")


def test_trials_csv_takes_commas_and_defuses_formulas(tmp_path: Path) -> None:
    document = results(trials=1)
    document["trials"][0].update(reason='=cmd(),"a"\nb', decisions={"x": "-1.5", "y": "-x"})
    with report.write_csv(document, tmp_path / "trials.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["reason"] == '\'=cmd(),"a"\nb'
    assert (row["x"], row["y"]) == ("-1.5", "'-x")


def test_importing_the_report_does_not_import_torch() -> None:
    code = (
        "import sys; sys.path[:0] = ['tests']; from report_results import results; from archdsl import report; "
        "report.render(results(trials=8)); report.summary(results(trials=8)); assert 'torch' not in sys.modules"
    )
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})


# ---------------------------------------------------------------- statistics, against numpy and scipy


def test_mean_and_spread() -> None:
    values = [0.3, 0.1, math.nan, 0.7]
    found = statistics.mean(values)
    assert found.n == 3
    assert found.value == pytest.approx(np.nanmean(values))
    assert found.sd == pytest.approx(np.nanstd(values, ddof=1))
    assert math.isnan(statistics.mean([1.0]).sd)
    assert math.isnan(statistics.mean([]).value)


def test_difference_is_welchs() -> None:
    rng = np.random.default_rng(0)
    for n, m in ((2, 2), (3, 3), (20, 7)):
        a, b = rng.normal(1, 1, n), rng.normal(0, 3, m)
        expected = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
        found = statistics.difference(a.tolist(), b.tolist())
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.value == pytest.approx(a.mean() - b.mean())
        assert found.n == (n, m)
    assert not statistics.difference([1.0], [2.0, 3.0]).known
    assert statistics.difference([1.0, 1.0], [2.0, 2.0]).excludes_zero
    assert not statistics.difference([1.0, 1.0], [1.0, 1.0]).excludes_zero


def test_rank_correlation_is_pearsons_on_ranks() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, 30).astype(float)
    y = x + rng.normal(0, 3, 30)
    found = statistics.rank_correlation([*x, math.nan], [*y, 1.0])
    ranks = [scipy.stats.rankdata(each) for each in (x, y)]
    assert found.value == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert found.low < found.value < found.high
    assert found.n == (30,)
    assert statistics.rank_correlation([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]).value == pytest.approx(1)
    assert math.isnan(statistics.rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]).value)
    assert math.isnan(statistics.rank_correlation([], []).value)


def test_the_interval_of_a_rank_correlation_covers() -> None:
    rng = np.random.default_rng(0)
    true = 6 / math.pi * math.asin(0.6 / 2)  # Spearman's rho of a normal pair with correlation 0.6
    hits = 0
    for _ in range(300):
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        found = statistics.rank_correlation(x.tolist(), y.tolist())
        hits += found.low <= true <= found.high
    assert hits / 300 == pytest.approx(0.95, abs=0.03)


def test_adjusted_effects_are_least_squares() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=25)
    y = 2 * x + rng.normal(size=25)
    line = scipy.stats.linregress(x, y)
    half = scipy.stats.t.ppf(0.975, 23) * line.stderr
    (found,) = statistics.adjusted(x[:, None], y) or []
    assert (found.value, found.low, found.high) == pytest.approx((line.slope, line.slope - half, line.slope + half))
    assert statistics.adjusted(np.ones((25, 1)), y) is None
    assert statistics.adjusted(rng.normal(size=(5, 2)), y[:5]) is None


def test_running_best() -> None:
    values = [math.nan, 0.2, 0.1, math.nan, 0.5]
    np.testing.assert_equal(statistics.running_best(values, maximize=True), [math.nan, 0.2, 0.2, 0.2, 0.5])
    np.testing.assert_equal(statistics.running_best(values, maximize=False), [math.nan, 0.2, 0.1, 0.1, 0.1])


# ---------------------------------------------------------------- effects and rules


def test_effects_are_differences_of_means_over_complete_trials() -> None:
    document = results()
    complete = [t for t in document["trials"] if t["state"] == "complete"]
    for effect in rules.effects(read(document), "accuracy"):
        name = effect.decision.name
        groups = {c: [t["scores"]["accuracy"] for t in complete if t["decisions"][name] == c] for c in "CM"}
        assert effect.sides == "M − C"
        assert effect.effect is not None
        assert effect.effect.value == pytest.approx(np.mean(groups["M"]) - np.mean(groups["C"]))
        assert {c: effect.means[c].n for c in "CM"} == {c: len(groups[c]) for c in "CM"}


def test_holding_the_others_still_finds_the_planted_effects() -> None:
    document = results(trials=400, failing=0, stopping=-1)
    planted = [-0.016, -0.006, 0.002, -0.006, 0.002, 0.007, -0.002, 0.006, 0.013]
    found = [e.still for e in rules.effects(read(document), "accuracy")]
    inside = sum(s is not None and s.low <= p <= s.high for s, p in zip(found, planted, strict=True))
    assert inside >= 8


def trial(number: int, stages: str, accuracy: float) -> dict[str, Any]:
    placed = [list(stage) for stage in stages.split()]
    return {"number": number, "state": "complete", "layout": placed, "decisions": {}, "scores": {"accuracy": accuracy}}


def test_stage_ends_against_beginnings() -> None:
    good = [trial(n, "CCCM CCM", 0.9 + n / 1000) for n in range(4)]
    bad = [trial(9 + n, "CMCC CMC", 0.8 + n / 1000) for n in range(4)]
    even = [trial(20, "CMCM CMM", 0.5)]
    found = rules.rules(read({"trials": good + bad + even}), "accuracy")[0]
    assert found.title.startswith("MSAs belong at the ends of stages")
    assert (found.groups[0].n, found.groups[1].n) == (4, 4)  # the even one is on neither side
    assert found.effect.value == pytest.approx(0.1)
    assert found.verdict(maximize=True) == "supported"
    assert found.verdict(maximize=False) == "contradicted"
    few = rules.rules(read({"trials": [good[0], *bad]}), "accuracy")[0]
    assert few.verdict(maximize=True) == "not testable"


def test_blocks_that_never_vary_are_no_beginnings() -> None:
    trials = read({"trials": [trial(0, "CCM CM", 0.5), trial(1, "CMC CC", 0.5), trial(2, "CCC CC", 0.5)]})
    assert rules.free_slots(trials.trials, trials) == [
        (("conv", "msa"), ("msa",)),
        (("msa", "conv"), ("conv",)),
        (("conv", "conv"), ("conv",)),
    ]


def test_a_score_that_does_not_beat_the_parameter_count_says_so() -> None:
    def tie(document: dict[str, Any]) -> None:
        for each in document["trials"]:
            if each["scores"]:
                each["scores"]["good"] = each["scores"]["accuracy"] ** 3
                each["scores"]["noise"] = (each["number"] * 7919 % 101) / 101

    text = check(changed(tie, trials=80)).text
    assert re.search(r"noise [^a-z]*does not beat the parameter count", text)
    assert re.search(r"good [^a-z]*beats the parameter count", text)


# ---------------------------------------------------------------- scales and words


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


# ---------------------------------------------------------------- spectra


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


# ---------------------------------------------------------------- a real browser


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on PATH: the page is not opened in a browser")
    return found


def test_a_browser_runs_the_script_under_the_pages_own_policy(chromium: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(results(trials=12)))
    page = report.write(tmp_path)
    command = [
        *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", page.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        pytest.skip(f"Chromium does not start here: {done.stderr[-200:]}")
    dom = Page(done.stdout.strip())
    assert dom.all("button")
    assert all("hidden" not in button for button in dom.all("button"))  # the script showed them
    charts = [svg for svg in dom.all("svg") if svg.get("class") == "chart"]
    assert sum(svg.get("tabindex") == "0" for svg in charts) >= 3  # those with marks to walk along
