"""What samplers and scores are worth on a table: against worked examples, exact counts and SciPy."""

from __future__ import annotations

import json
import math
import re
import statistics
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import spearmanr

from archdsl.base.errors import ArchdslError, UsageError
from archdsl.space import members
from archdsl.study.baselines import baselines

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import correlation
import samplers
import table as tables
from correlation import correlations, places, spearman
from samplers import compare, first_best, median_of_draws, objective_of, regrets, truth_of
from simulation import Simulated, simulate
from table import Row, Table, shipped

ACCURACY = ("accuracy", "maximize")


@pytest.fixture(scope="module")
def table() -> Table:
    return shipped()


def made_up(seeds: int = 3, noise: float = 0.0) -> Table:
    """A space of 16 whose accuracy is known: +0.1 for an MSA at the end of a stage, -0.1 at its beginning."""
    facts = {"name": "made", "spec": "stage(16)[{C|M}*2] stage(32)[{C|M}*2]", "input": [1, 8, 8], "classes": 4}
    rng = np.random.default_rng(0)
    rows = []
    for member in members(Table((), facts).spec):
        clean = 0.5 + sum(0.1 * (stage[-1] == "M") - 0.1 * (stage[0] == "M") for stage in member.layout)
        for seed in range(seeds):
            seen = clean + noise * float(rng.normal())
            scores = {"accuracy": seen, "test_accuracy": seen, "nll": -seen, "test_nll": -seen, "params": 1.0}
            layout = "|".join("".join(stage) for stage in member.layout)
            rows.append(Row(layout, member.hash, seed, (0.1, seen), (-0.1, -seen), scores, 1.0))
    return Table(tuple(rows), facts)


# ---- simulated searches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["random", "tpe", "evolution", "buildup", "bayes"])
def test_a_simulated_search_is_a_search(table: Table, sampler: str):
    """Baselines first, nothing twice, what is told is the training of one seed, and the same seed gives the same."""
    found = simulate(table, sampler, 4, 20)
    assert found == simulate(table, sampler, 4, 20)
    assert list(found.hashes[:3]) == [member.hash for member in baselines(table.spec).values()]
    assert len(set(found.hashes)) == len(found.hashes) == 20
    assert list(found.shown) == [table.by_hash[key][4 % 3].scores["accuracy"] for key in found.hashes]
    assert found.shown != simulate(table, sampler, 5, 20).shown


def test_a_sampler_can_be_told_another_score(table: Table):
    """Told the NLL, it goes other ways; what is shown and searched for stays accuracy."""
    told = simulate(table, "evolution", 0, 20, ACCURACY, ("nll", "minimize"))
    assert told.hashes != simulate(table, "evolution", 0, 20).hashes
    assert list(told.shown) == [table.by_hash[key][0].scores["accuracy"] for key in told.hashes]
    assert compare(table, ["evolution"], seeds=1, budget=5, guide="nll")["guide"] == "nll"


def test_a_search_of_everything_ends_at_the_best_of_its_seed():
    table = made_up()
    found = simulate(table, "random", 0, 99)
    assert set(found.hashes) == set(table.by_hash)
    assert regrets(found, truth_of(table, ACCURACY), "maximize")[-1] == pytest.approx(0)


def test_regret_is_that_of_what_looks_best():
    truth = truth_of(made_up(), ACCURACY)
    best = next(iter(truth.best))
    worst = min(truth.merit, key=lambda key: truth.merit[key])
    middle = next(key for key, merit in truth.merit.items() if merit == pytest.approx(0.5))
    assert truth.merit[best] == pytest.approx(0.7)
    search = Simulated((middle, worst, best), (0.5, 0.9, 0.6), 0)  # the worst looks best
    assert regrets(search, truth, "maximize") == pytest.approx([0.2, 0.4, 0.4])
    assert regrets(search, truth, "minimize") == pytest.approx([0.2, 0.2, 0.2])
    assert first_best(search, truth) == 3
    assert first_best(Simulated((middle,), (0.5,), 0), truth) is None


def test_the_median_of_draws_is_that_of_drawing():
    """Exactly, by counting: P(none of `best` among n draws) = C(N - best, n) / C(N, n)."""
    for networks, best in ((256, 3), (100, 1), (50, 5)):
        n = median_of_draws(networks, best)
        missed = [math.comb(networks - best, k) / math.comb(networks, k) for k in (n - 1, n)]
        assert missed[0] > 0.5 >= missed[1]


def test_the_best_percent_of_the_shipped_table(table: Table):
    truth = truth_of(table, ACCURACY)
    layouts = {table.by_hash[key][0].layout for key in truth.best}
    assert layouts == {"MMM|CMC|CC", "MMM|CCM|CC", "MMM|CMM|CC"}


def test_comparing_samplers():
    result = compare(made_up(noise=0.02), ["evolution", "random"], seeds=4, budget=12)
    assert result["networks"] == 16
    for entry in result["samplers"].values():
        assert len(entry["first_best"]) == 4
        assert entry["regret_at"][10]["value"] == pytest.approx(statistics.fmean(entry["regrets_at"][10]))
        assert entry["regret"][9] == pytest.approx(entry["regret_at"][10]["value"])
    mine, yardstick = (result["samplers"][name]["regret_at"][10]["value"] for name in ("evolution", "random"))
    assert result["samplers"]["evolution"]["minus_random"][10]["value"] == pytest.approx(mine - yardstick)
    assert "minus_random" not in result["samplers"]["random"]


# ---- scores --------------------------------------------------------------------------------------------------


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, 40).astype(float), rng.normal(size=40)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert math.isnan(spearman(np.ones(5), np.arange(5.0)))


@pytest.mark.slow
def test_correlations_leave_the_training_itself_out(table: Table):
    """Of each score the mean over seeds of its rho with the mean of the other seeds; intervals hold it."""
    result = correlations(table, "accuracy")
    keys = list(table.by_hash)
    wanted = []
    for seed in table.seeds:
        others = [s for s in table.seeds if s != seed]
        truth = [statistics.fmean(table.by_hash[k][s].scores["accuracy"] for s in others) for k in keys]
        wanted.append(spearmanr([table.by_hash[k][seed].nll[0] for k in keys], truth).statistic)
    found = result["scores"]["nll after epoch 1"]
    assert found["value"] == pytest.approx(statistics.fmean(wanted), abs=1e-12)
    assert found["low"] < found["value"] < found["high"]
    assert result["scores"]["smoothing_contrast"]["n"] < result["scores"]["params"]["n"] == 256


def test_effects_of_places_are_found_again():
    result = places(made_up(), "accuracy")
    assert [effect["value"] for effect in result["msa_at"].values()] == pytest.approx([-0.1, 0.1, -0.1, 0.1])
    assert result["ends"]["all"] is None or result["ends"]["all"]["value"] > 0
    noisy = places(made_up(noise=0.01), "accuracy")
    assert all(e["low"] < e["value"] < e["high"] for e in noisy["msa_at"].values())
    assert noisy["ends"]["all"]["low"] > 0


def test_wrong_requests_are_refused(table: Table):
    with pytest.raises(UsageError, match="neither way is better"):
        objective_of(table, "high_freq")
    with pytest.raises(ArchdslError, match="unknown score 'acc'"):
        objective_of(table, "acc")
    with pytest.raises(UsageError, match="does not hold 'noise_auc'"):
        objective_of(table, "noise_auc")
    with pytest.raises(UsageError, match="--target"):
        correlations(table, "params")
    with pytest.raises(UsageError, match="one seed"):
        correlations(made_up(seeds=1))
    with pytest.raises(UsageError, match="1 or more"):
        compare(table, ["random"], seeds=0)


# ---- scripts ------------------------------------------------------------------------------------------------


def call(module: ModuleType, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a script prints when it is called with these arguments; what it refuses is raised as SystemExit."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, arguments)])
        module.main()
    return capsys.readouterr().out


def test_the_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = ["--sampler", "random", "--sampler", "evolution", "--seeds", "2", "--budget", "12"]
    shown = call(samplers, capsys, *options, "--out", tmp_path / "found")
    document = json.loads((tmp_path / "found/samplers.json").read_text())
    assert list(document["samplers"]) == ["random", "evolution"]
    assert all(re.search(rf"^{name} ", shown, re.M) for name in document["samplers"])
    for kind in ("svg", "png"):
        assert (tmp_path / f"found/samplers.{kind}").stat().st_size > 1_000
    with pytest.raises(SystemExit, match="did you mean 'evolution'"):
        call(samplers, capsys, "--sampler", "evolutoin")
    with pytest.raises(SystemExit, match="there is no table"):
        call(correlation, capsys, "--table", tmp_path / "none.csv")


@pytest.mark.slow
def test_a_table_is_trained(little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    spec = tmp_path / "two.arch"
    spec.write_text("stem patch(4, k=4) stage(4)[{C|M}] train(epochs=1, batch=32)")
    table, facts = tmp_path / "two.csv", tmp_path / "two.json"

    def train() -> str:
        return call(tables, capsys, spec, "--out", table, "--seeds", "1", "--device", "cpu", "--data", f"npz:{little}")

    for _ in range(2):  # the second time all is there already
        assert train().endswith("2 networks, 2 trainings\n")
    assert {row.layout for row in Table.read(table).rows} == {"C", "M"}
    # A row that was cut off is trained again, wherever the cut is; what lies damaged otherwise is named.
    whole = table.read_bytes()
    first, last = whole.index(b"\n") + 1, whole.rindex(b"\n", 0, -1) + 1
    for cut in (len(whole) - 1, last + 20, first + 20, first, 10):
        table.write_bytes(whole[:cut])
        train()
        assert [row.layout for row in Table.read(table).rows] == ["C", "M"]
    table.write_bytes(whole[: last - 30] + whole[last - 1 :])
    with pytest.raises(SystemExit, match=rf"'{table}' is damaged in line 2[\s\S]*delete that line"):
        train()
    for damaged in ("{", "[]"):
        facts.write_text(damaged)
        with pytest.raises(SystemExit, match=rf"'{facts}' is damaged[\s\S]*delete it and '{table}'"):
            train()
    facts.unlink()
    table.unlink()
    train()
