"""What a screen is worth: the figures against SciPy and against screens that are known, and the command on a small table."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from archdsl import space
from archdsl.base.errors import DataError, StudyError, UsageError
from archdsl.bench import Table, screens, shipped
from archdsl.bench.screens import admit, ceiling, correlate, measure_screens, members_of, ranks, verdict, worth
from archdsl.cli.main import run
from archdsl.data import load
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.study.screens import SCREENS
from archdsl.training.experiment import fit_to_data

ROOT = Path(__file__).parent.parent
TINY = "defaults(head_dim=4)\nstem patch(4, k=4)\nstage(4, heads=1) [{C|M}*2]\n"


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "RESAMPLES", 200)


@pytest.fixture(scope="module")
def table(little: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of four networks with made-up accuracies: how it came about does not matter here."""
    path, data, rng = tmp_path_factory.mktemp("table") / "tiny.csv", load(f"npz:{little}"), np.random.default_rng(0)
    facts = {
        "name": "tiny", "spec": TINY, "input": list(data.input), "classes": data.classes, "data": data.name,
        "digest": data.digest, "recipe": Recipe(epochs=1, batch=64).model_dump(), "seeds": 2,
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(facts))
    lines = ["layout,hash,seed,params,accuracy,nll,test_accuracy,seconds,accuracy_1,nll_1"]
    for member in space.members(fit_to_data(parse(TINY), data, "tiny")):
        layout = "|".join("".join(stage) for stage in member.layout)
        for seed in range(2):
            a, n, t = rng.uniform(0, 1, 3).round(4).tolist()
            lines.append(f"{layout},{member.hash},{seed},{member.params},{a},{n},{t},1.0,{a},{n}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rank_correlation_is_scipys_with_ties_and_without_the_unknown():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 6, 30).astype(float), rng.normal(size=30)
        assert correlate(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-10)
        unknown = a.copy()
        unknown[:5] = math.nan
        assert correlate(unknown, b) == pytest.approx(spearmanr(a[5:], b[5:]).statistic, abs=1e-10)
    assert ranks(np.array([3.0, 1.0, 3.0, -math.inf])).tolist() == [2.5, 1.0, 2.5, 0.0]
    assert correlate(np.ones(4), np.arange(4.0)) == 0


def test_a_perfect_screen_a_wrong_one_and_one_that_knows_nothing():
    truth = np.random.default_rng(1).normal(size=200)
    perfect, wrong = worth([truth], truth, -truth), worth([-truth], truth, truth)
    assert perfect["correlation"] == {"value": 1, "low": 1, "high": 1, "seeds": [1.0]}
    assert perfect["beyond"] == {"value": 2, "low": 2, "high": 2}
    assert perfect["survive"] == {"1%": {"of": 2, "share": 1.0}, "5%": {"of": 10, "share": 1.0}}
    assert (perfect["admitted"], perfect["regret"]) == (0.5, 0)
    assert perfect["gain"] == pytest.approx(truth[truth >= np.median(truth)].mean() - truth.mean())
    assert wrong["correlation"]["value"] == -1
    assert wrong["survive"]["5%"]["share"] == 0
    assert wrong["regret"] == pytest.approx(truth.max() - np.sort(truth)[99])
    nothing = worth([np.full(200, math.nan)], truth, truth)
    assert (nothing["admitted"], nothing["survive"]["1%"]["share"], nothing["gain"]) == (1, 1, 0)
    assert verdict({"test": perfect}) == "use"
    assert verdict({"test": wrong}) == verdict({"test": nothing}) == "do not use"


def test_intervals_hold_the_truth_and_mean_over_seeds():
    """Noise of known size: rho of a normal pair with correlation r is 6/pi asin(r/2)."""
    rng, r, held = np.random.default_rng(2), 0.6, 0
    for _ in range(20):
        truth = rng.normal(size=256)
        score = r * truth + math.sqrt(1 - r * r) * rng.normal(size=256)
        found = worth([score], truth, truth)["correlation"]
        held += found["low"] <= 6 / math.pi * math.asin(r / 2) <= found["high"]
    assert held >= 16
    two = worth([truth, -truth], truth, truth)
    assert two["correlation"]["seeds"] == [1.0, -1.0]
    assert two["correlation"]["value"] == 0


def test_admission_is_that_of_a_search():
    assert admit(np.array([1.0, 3.0, 2.0, math.nan, 0.0])).tolist() == [False, True, True, True, False]


def test_what_a_training_tells_of_the_others(table: Path):
    found = Table.read(table)
    members = members_of(found)
    top = ceiling(found, members)
    rows = [found.by_hash[member.hash] for member in members]
    pairs = [[(r[a].scores["accuracy"], r[1 - a].scores["test_accuracy"]) for r in rows] for a in (0, 1)]
    by_hand = np.mean([correlate(np.array(p)[:, 0], np.array(p)[:, 1]) for p in pairs])
    assert top["test"]["training"] == pytest.approx(by_hand)
    assert ceiling(Table(tuple(r for r in found.rows if r.seed == 0), found.facts), members) == {}


def test_the_command_measures_every_screen_it_is_asked_for(table: Path, capsys: pytest.CaptureFixture[str]):
    arguments = [
        "bench",
        "screens",
        "--table",
        str(table),
        "--screen",
        "naswot",
        "--screen",
        "supernet",
        "--seeds",
        "2",
    ]
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["screens"]) == ["params", "naswot", "supernet"]
    assert found["networks"] == 4
    assert [entry["seeds"] for entry in found["screens"].values()] == [1, 2, 2]
    for entry in found["screens"].values():
        rho = entry["test"]["correlation"]
        assert -1 <= rho["low"] <= rho["high"] <= 1
        assert entry["seconds"]["member"] > 0
    members = members_of(Table.read(table))
    truth = Table.read(table).mean("test_accuracy")
    by_hand = spearmanr([m.params for m in members], [truth[m.hash] for m in members]).statistic
    assert found["screens"]["params"]["test"]["correlation"]["value"] == pytest.approx(by_hand)
    assert found["screens"]["supernet"]["seconds"]["prepare"] > found["screens"]["params"]["seconds"]["prepare"]
    assert run(arguments[:6]) == 0
    shown = capsys.readouterr().out
    assert "yardstick" in shown
    assert "use" in shown


def test_wrong_tables_and_names_are_errors(table: Path, capsys: pytest.CaptureFixture[str]):
    found = Table.read(table)
    with pytest.raises(StudyError, match="other members"):
        members_of(Table(found.rows[:2], found.facts))
    with pytest.raises(DataError, match="not the one"):
        measure_screens(Table(found.rows, found.facts | {"digest": "0"}), ["params"])
    with pytest.raises(UsageError, match="--seeds"):
        measure_screens(found, seeds=0)
    assert run(["bench", "screens", "--screen", "naswott", "--table", str(table)]) == 1
    assert "did you mean 'naswot'?" in capsys.readouterr().err
    assert run(["bench", "screens", "--table", "absent.csv"]) == 1


def test_the_shipped_table_is_of_the_shipped_space():
    assert len(members_of(shipped())) == 256


def test_the_page_says_what_was_measured():
    """Every row of `docs/screens.md`, and its advice, from the figures of the benchmark."""
    found = json.loads((ROOT / "benchmarks/results/screens.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/screens.md").read_text(encoding="utf-8")
    training = found["training_seconds"]["before"]
    assert sorted(found["screens"]) == sorted(SCREENS)
    for name, entry in found["screens"].items():
        rho, kept, cost = entry["test"]["correlation"], entry["test"]["survive"], entry["seconds"]
        assert (
            f"| `{name}` | {rho['value']:+.2f} ({rho['low']:+.2f} to {rho['high']:+.2f}) "
            f"| {entry['validation']['correlation']['value']:+.2f} | {kept['1%']['share']:.0%} | {kept['5%']['share']:.0%} "
            f"| {cost['prepare'] / training:.1f} | {cost['member'] / training:.1%} |"
        ) in page
        assert verdict(entry) == "do not use"
    assert (kept["1%"]["of"], kept["5%"]["of"]) == (3, 13)
    for value in (found["ceiling"]["test"]["training"], found["ceiling"]["test"]["first_epoch"]):
        assert f"{value:+.2f} for" in page
    longer = [entry["with_test_accuracy"] for entry in found["longer_supernet"]]
    assert f"({min(longer):+.2f} to {max(longer):+.2f} over three seeds)" in page
    msa = [entry["with_count_of_msa"] for entry in found["longer_supernet"]]
    assert f"({max(msa):+.2f} to {min(msa):+.2f} when" in page


def test_the_screen_of_the_page_works():
    page = (ROOT / "docs/screens.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    try:
        exec(text, {"__name__": "mine"})
        member = members_of(shipped())[0]
        assert SCREENS["depth"](None).score(member) == 8  # type: ignore[arg-type]
    finally:
        SCREENS._entries.pop("depth", None)
