"""The report's page: what it says for any results, and that nothing in it comes from or goes to elsewhere."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_page import NASTY, changed, check, terminal
from report_results import results

from archdsl import report
from archdsl.report import markup, rules
from archdsl.study.results import read


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


def test_what_more_objectives_leave_out_is_said() -> None:
    names = ("accuracy", "nll", "ape", "high_freq", "noise_auc")
    document = results()
    document["objectives"] = [{"name": name, "direction": "maximize"} for name in names]
    rng = np.random.default_rng(0)
    for entry in document["trials"]:
        if entry["state"] == "complete":
            entry["scores"] |= {name: float(rng.random()) for name in names[1:]}
    page = check(document)
    assert "Of the first 3 objectives; left out here:" in page.text
    assert "6 of 10 pairs of objectives are drawn; left out:" in page.text
    headings = re.findall(r"<h4>([^<]*advice in your data[^<]*)</h4>", report.render(document))
    assert len(set(headings)) == len(headings) == 3


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
