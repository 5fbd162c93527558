"""The samplers: one contract for all, the rules of our own ones against worked examples, and those of other packages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from archdsl import ir, space
from archdsl.base.errors import ArchdslError, UsageError
from archdsl.base.registry import Registry
from archdsl.language import parse
from archdsl.network import Architecture
from archdsl.study.history import History
from archdsl.study.parameters import parameters, suggest
from archdsl.study.proposer import Proposer
from archdsl.study.record import key_of
from archdsl.study.samplers import SAMPLERS, Setting, recommend
from archdsl.study.samplers.buildup import neighbours

SPACES = {
    "fixed length": "stage[{C|M}*3] stage(32)[{C|M}*3]",
    "real and integer ranges": "stage({16..64 step 16})[{C|M} {C|M}] train(lr={1e-4..1e-2 log})",
    "conditional": "stage({32|64}) [{C|M}*{1..3} {C|M(heads={2|4})|} {C {C|M}|M}]",
    "required": "stage[{C|M}*6] require count(M) >= 2 require count(M) <= 4",
}
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
ONE, TWO = (("accuracy", "maximize"),), (("accuracy", "maximize"), ("params", "minimize"))
Score = Callable[[Architecture], float]


def attention(member: Architecture) -> float:
    return float(member.count("msa"))


def search(
    text: str, name: str, budget: int, objectives: tuple[tuple[str, str], ...] = ONE, score: Score = attention,
    stop: int | None = None, study: optuna.Study | None = None, seed: int = 0,
) -> tuple[list[Architecture], optuna.Study, History]:  # fmt: skip
    """A whole search without trainings; `stop` ends it early, `study` goes on with one."""
    spec = parse(text)
    study = study or optuna.create_study(directions=[direction for _, direction in objectives])
    history = History(objectives)
    for trial in study.get_trials():
        if "archdsl" in trial.user_attrs:
            history.take_in(trial.user_attrs["archdsl"])
    proposer = Proposer(spec, name, seed, study, history, budget)
    found: list[Architecture] = []
    while len(history.by_number) < (stop or budget) and (proposal := proposer.propose()) is not None:
        trial, member = proposal
        values = [score(member), float(member.params)][: len(objectives)]
        number = len(history.by_number)
        entry = {"kind": "trained", "number": number, "state": "complete", "key": key_of(member), "values": values}
        proposer.close(trial, entry, values)
        found.append(member)
    return found, study, history


@pytest.mark.parametrize("objectives", [ONE, TWO], ids=["one objective", "two objectives"])
@pytest.mark.parametrize("space_name", SPACES)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "gp" else name for name in SAMPLERS]
)
def test_the_contract_of_a_sampler(name: str, space_name: str, objectives: tuple[tuple[str, str], ...]):
    """Any space, one or two objectives: members that fit and differ, the same seed the same, also when resumed."""
    text = SPACES[space_name]
    found, study, _ = search(text, name, 12, objectives)
    keys = [key_of(member) for member in found]
    assert len(set(keys)) == len(keys) == 12
    for member in found:
        assert space.attempt(parse(text), lambda hole, member=member: member.choices[hole.name]) is not None
    for trial in study.get_trials(states=[TrialState.COMPLETE]):
        assert set(trial.params) <= {hole.name for hole in ir.holes(parse(text))}
    part, half, _ = search(text, name, 12, objectives, stop=7)
    rest, _, _ = search(text, name, 12, objectives, study=half)
    assert [key_of(member) for member in (*part, *rest)] == keys


@pytest.mark.parametrize("name", ["random", "evolution", "buildup", pytest.param("bayes", marks=pytest.mark.slow)])
def test_samplers_of_our_own_propose_nothing_twice(name: str):
    """All 128 members but the last few come without one proposal in vain."""
    found, _, history = search("stage[{C|M}*3] stage(32)[{C|M}*4]", name, 100)
    assert len(found) == 100
    assert history.asked == 100


@pytest.mark.parametrize("name", ["random", "evolution", "buildup", "bayes"])
def test_samplers_of_our_own_propose_no_network_in_two_ways(name: str):
    """Optional blocks: many of the fillings are the same network with gaps elsewhere."""
    found, _, history = search("stage[{C|M} {C|M|}*3] stage(32)[{C|M|}*3 {C|M}]", name, 40)
    assert len(found) == history.asked == 40


def test_a_space_without_anything_new_comes_to_an_end():
    """Three places with gaps are 27 fillings, but 1 + 2 + 4 + 8 networks."""
    spec = parse("stage[{C|M|}*3]")
    found, _, history = search("stage[{C|M|}*3]", "bayes", 26)
    assert len(found) == len(list(space.members(spec, key_of))) == 15
    assert history.by_number.keys() == set(range(15))


def proposal_after(name: str, told: list[list[float]]) -> dict[str, object]:
    """What a sampler proposes where every network was told of in turn, once per piece of its training."""
    spec = parse("stage[{C|M}*6] stage(32)[{C|M}*6]")
    study = optuna.create_study(direction="maximize")
    proposer = Proposer(spec, "random", 0, study, History(ONE), 50)
    members: list[Architecture] = []
    for piece, values in enumerate(told):
        for number, value in enumerate(values):
            if piece:
                trial = proposer.again(members[number])
            else:
                proposal = proposer.propose()
                assert proposal is not None
                trial = proposal[0]
                members.append(proposal[1])
            entry = {"kind": "continued" if piece else "trained", "number": number, "state": "complete"}
            proposer.close(trial, entry | {"key": key_of(members[number]), "values": [value]}, [value])
    study.sampler = SAMPLERS[name](Setting(7, spec, ("maximize",), 50))
    trial = study.ask()
    space.attempt(spec, lambda hole: suggest(trial, hole))
    return trial.params


@pytest.mark.parametrize("networks", [4, 14], ids=["founders", "after them"])
@pytest.mark.parametrize("name", ["random", "evolution", "buildup", "bayes"])
def test_a_promoted_network_is_one_network(name: str, networks: int):
    """What was learned of a network before its promotion is forgotten, and it is no second one."""
    early = [float(n % 5) for n in range(networks)]
    late = [float(n % 3) for n in range(networks)]
    assert proposal_after(name, [early, early, late]) == proposal_after(name, [late])
    if networks == 14 and name in ("evolution", "bayes"):
        assert proposal_after(name, [late]) != proposal_after(name, [early])


def test_evolution_climbs():
    """On the count of MSAs the best of 40 of 4,096 networks is nearly all MSA; random draws stay near the middle."""
    text = "stage[{C|M}*6] stage(32)[{C|M}*6] require count(M) <= 11"
    best = [max(attention(m) for m in search(text, "evolution", 40, seed=seed)[0][3:]) for seed in range(3)]
    drawn = [max(attention(m) for m in search(text, "random", 40, seed=seed)[0][3:]) for seed in range(3)]
    assert sum(best) > sum(drawn)
    assert max(best) == 11


# ---- the paper's rule ----------------------------------------------------------------------------------------


def layouts(found: list[Architecture]) -> list[str]:
    return ["|".join("".join(stage) for stage in member.layout) for member in found]


def test_buildup_follows_the_rule():
    """Worked by hand. The score likes MSAs in the last stage's end and the first stage's end, and no other."""
    good = {"stage2.block4", "stage1.block3"}

    def score(member: Architecture) -> float:
        msas = {b.path for b in member.blocks() if b.label == "M"}
        return len(msas & good) - 0.5 * len(msas - good)

    found, _, _ = search("stage[{C|M}*3] stage(32)[{C|M}*4]", "buildup", 7, score=score)
    assert layouts(found) == [
        "CCC|CCCC", "MMM|MMMM", "CMC|CMCM",  # the baselines
        "CCC|CCCM",  # better, and kept; an MSA right before it would not alternate
        "CCC|CMCM",  # no better: on to the end of the stage before
        "CCM|CCCM",  # better, and kept
        "MCM|CCCM",  # no better, and there is no stage before
    ]  # fmt: skip


def test_buildup_keeps_alternating_while_it_helps():
    found, _, _ = search("stage[{C|M}*3] stage(32)[{C|M}*4]", "buildup", 7, score=attention)
    assert layouts(found)[3:] == ["CCC|CCCM", "CCC|CMCM", "CCM|CMCM", "MCM|CMCM"]


def test_buildup_passes_over_what_does_not_fit():
    """The requirement asks for two MSAs: the rule adds them from the end, alternating, before its first training."""
    found, _, _ = search("stage[{C|M}*5] require count(M) == 2", "buildup", 2)
    assert layouts(found) == ["CMCMC", "CCMCM"]  # the one baseline that fits, then the rule


def test_buildup_goes_on_while_other_workers_train():
    """With nothing known yet, what follows under either outcome is proposed, each once."""
    spec = parse("stage[{C|M}*3] stage(32)[{C|M}*4]")
    study = optuna.create_study(direction="maximize")
    proposer = Proposer(spec, "buildup", 0, study, History(ONE), 9)
    busy: list[Architecture] = []
    for _ in range(7):
        proposal = proposer.propose({key_of(member) for member in busy})
        assert proposal is not None
        busy.append(proposal[1])
    assert layouts(busy)[3:] == ["CCC|CCCM", "CCC|CMCM", "CCM|CMCM", "MCM|CMCM"]


def test_buildup_needs_places_for_attention():
    spec = parse("stage[C(k={3|5}) C {C|C C}]")
    with pytest.raises(UsageError, match="no place of this space is a choice") as caught:
        SAMPLERS["buildup"](Setting(0, spec, ("maximize",), 5))
    assert "--sampler" in str(caught.value.help)


def test_neighbours_are_attention_blocks_in_a_row():
    def count(text: str) -> int:
        member = space.attempt(parse(text), lambda hole: 0)
        assert member is not None
        return neighbours(member)

    assert [count(f"stage[{blocks}]") for blocks in ("C M C M", "M M C", "M M M", "T C T", "T M")] == [0, 1, 2, 0, 1]
    assert count("stage[C M] stage(32)[M C]") == 0


# ---- the choice ----------------------------------------------------------------------------------------------


def test_the_sampler_fits_the_space():
    assert recommend(parse("stage[{C|M}*3]"), budget=50).name == "exhaustive"
    assert recommend(parse("stage[{C|M}*3]"), budget=50).reason == "all 8 fillings fit a budget of 50"
    for text in ("stage[{C|M}*8]", "stage[{C|M}*{4..9}]", "stage[C] train(lr={1e-4..1e-2 log})"):
        name, reason = recommend(parse(text), budget=50)
        assert name in SAMPLERS
        assert name != "exhaustive"
        assert reason
        assert "\n" not in reason
    assert recommend(parse("stage[{C|M}*8]"), budget=1000).name == "exhaustive"
    assert [recommend(parse("stage[{C|M}*8]"), budget).name for budget in (5, 255, 256)] == [
        "bayes",
        "bayes",
        "exhaustive",
    ]


# ---- samplers of other packages ------------------------------------------------------------------------------

PAGE = Path(__file__).parents[1] / "docs/samplers.md"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the documentation, really installed with pip, into a folder of its own."""
    text = PAGE.read_text(encoding="utf-8")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for kind, name in (("toml", "pyproject.toml"), ("python", "fewest_first.py")):
        (content,) = re.findall(rf"^```{kind} {re.escape(name)}\n(.*?)^```$", text, re.M | re.S)
        (source / name).write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target"]
    done = subprocess.run([*command, str(target), str(source)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return target


def ask_python(code: str, *folders: Path) -> str:
    path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_sampler_of_an_installed_package(installed: Path):
    code = (
        "import json, optuna; from archdsl.language import parse; from archdsl.study.history import History;"
        "from archdsl.study.proposer import Proposer; from archdsl.study.samplers import SAMPLERS;"
        "s = optuna.create_study(direction='maximize'); h = History((('accuracy', 'maximize'),));"
        "p = Proposer(parse('stage[{C|M}*4]'), 'fewest-first', 0, s, h, 9); p.queue = []; out = []\n"
        "for n in range(9):\n"
        "    trial, m = p.propose(); out.append(m.params)\n"
        "    p.close(trial, {'kind': 'trained', 'number': n, 'key': m.hash + ' ', 'state': 'complete'}, [0.0])\n"
        "print(json.dumps([out, 'fewest-first' in SAMPLERS]))"
    )
    found, known = json.loads(ask_python(code, installed).splitlines()[-1])
    assert known
    assert found == sorted(found)
    assert len(set(found)) > 1


def test_a_package_that_cannot_be_loaded_is_named(tmp_path: Path):
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[archdsl.samplers]\nabsent = no_such_module:f\nnumber = math:pi\ntpe = math:floor\n"
    )
    code = (
        "from archdsl.base.errors import ArchdslError; from archdsl.study.samplers import SAMPLERS\n"
        "for name in ('absent', 'number'):\n"
        "    try: SAMPLERS[name]\n"
        "    except ArchdslError as error: print(error)\n"
        "print(SAMPLERS['tpe'].__module__, len(SAMPLERS) == len(list(SAMPLERS)))"
    )
    said = ask_python(code, tmp_path)
    assert "sampler 'absent' cannot be loaded from 'no_such_module:f': ModuleNotFoundError" in said
    assert "mend or uninstall" in said
    assert "sampler 'number' is no function: 'math:pi' is a float" in said
    assert "archdsl.study.samplers.tpe True" in said


def test_a_sampler_registered_in_python(monkeypatch: pytest.MonkeyPatch):
    assert isinstance(SAMPLERS, Registry)
    _ = len(SAMPLERS)
    monkeypatch.setitem(SAMPLERS._entries, "mine", lambda setting: optuna.samplers.RandomSampler(seed=setting.seed))
    found, _, _ = search(SPACES["conditional"], "mine", 8)
    assert len({key_of(member) for member in found}) == 8
    with pytest.raises(ArchdslError, match="unknown sampler 'minne'"):
        SAMPLERS["minne"]
    assert parameters(parse(SPACES["conditional"]), found[0])
