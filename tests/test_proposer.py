"""What is proposed, in which order: baselines, then the sampler; nothing twice, and after a resumption the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from archdsl import ir, space
from archdsl.language import parse
from archdsl.network import Architecture
from archdsl.study.baselines import baselines
from archdsl.study.history import History
from archdsl.study.proposer import Proposer
from archdsl.study.record import RECORD, key_of

SPACE = "input 1x8x8 classes 2 stem patch(4, k=4) stage(4, heads=1)[{C|M}*2] stage(8, heads=2)[{C|M}*2]"

optuna.logging.set_verbosity(optuna.logging.WARNING)
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


class Trial:
    """A search without trainings: an accuracy that follows from the placement stands for each."""

    def __init__(self, sampler: str = "random", text: str = SPACE, study: optuna.Study | None = None, **options: Any):
        self.spec = parse(text)
        self.study = study or optuna.create_study(direction="maximize")
        self.history = History([("accuracy", "maximize")])
        for trial in self.study.get_trials():
            self.history.take_in(trial.user_attrs[RECORD])
        self.proposer = Proposer(self.spec, sampler, 5, self.study, self.history, 16, **options)

    def step(self, failed: bool = False) -> str | None:
        """Propose and record one network; its key."""
        proposal = self.proposer.propose()
        if proposal is None:
            return None
        trial, architecture = proposal
        word = "".join(label for stage in architecture.layout for label in stage)
        accuracy = sum(2.0**-place for place, label in enumerate(word, start=1) if label == "M")
        entry = {
            "kind": "trained", "key": key_of(architecture), "number": len(self.history.by_number), "epochs": 1,
            "state": "failed" if failed else "complete", "scores": {"accuracy": accuracy}, "curve": [accuracy],
        }  # fmt: skip
        entry["values"] = self.history.values(entry)
        self.proposer.close(trial, entry, entry["values"])
        return str(entry["key"])

    def steps(self, count: int) -> list[str | None]:
        return [self.step() for _ in range(count)]


def journal(path: Path) -> optuna.Study:
    """The study in a journal, as a process finds it that begins or resumes a search."""
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(study_name="x", storage=storage, direction="maximize", load_if_exists=True)


def keys(members: list[Architecture]) -> list[str]:
    return [key_of(member) for member in members]


def test_baselines_come_first_each_once_then_every_member_then_nothing():
    search = Trial()
    found = search.steps(16)
    assert found[:3] == keys(list(baselines(search.spec).values()))
    assert set(found) == set(keys(list(space.members(search.spec))))
    assert len(set(found)) == 16
    assert search.step() is None


def test_exhaustive_goes_through_the_members_in_their_order():
    search = Trial("exhaustive")
    listed = keys(list(space.members(search.spec)))
    first = keys(list(baselines(search.spec).values()))
    assert search.steps(17) == [*first, *(key for key in listed if key not in first), None]


def test_repetitions_are_told_to_the_sampler_and_are_no_networks():
    search = Trial("nsga2")
    search.steps(16)
    duplicates = [t for t in search.study.get_trials() if t.user_attrs[RECORD]["kind"] == "duplicate"]
    assert duplicates  # crossing what there is brings forth what there was
    assert len(search.history.by_number) == 16
    assert search.history.asked == 16 + len(duplicates) == len(search.study.trials)
    for trial in duplicates:
        assert trial.state == TrialState.COMPLETE
        assert trial.values == search.history.by_number[trial.user_attrs[RECORD]["of"]]["values"]


def test_a_repetition_of_a_failed_network_has_no_value():
    search = Trial("nsga2")
    failed = {search.step(failed=number % 2 == 0): number % 2 == 0 for number in range(16)}
    duplicates = [t for t in search.study.get_trials() if t.user_attrs[RECORD]["kind"] == "duplicate"]
    again = [(search.history.by_number[t.user_attrs[RECORD]["of"]]["key"], t.state) for t in duplicates]
    assert {failed[key] for key, _ in again} == {True, False}
    for key, state in again:
        assert state == (TrialState.FAIL if failed[key] else TrialState.COMPLETE)


@pytest.mark.parametrize("sampler", ["random", "evolution", "tpe", "nsga2", "buildup", "exhaustive"])
def test_a_resumed_search_proposes_what_it_would_have_proposed(sampler: str, tmp_path: Path):
    live = Trial(sampler, study=journal(tmp_path / "live.log"))
    for step in range(12):
        copy = tmp_path / f"{step}.log"
        shutil.copy(tmp_path / "live.log", copy)
        resumed = Trial(sampler, study=journal(copy))
        assert resumed.history.seen == live.history.seen
        assert resumed.step() == live.step()


def test_what_is_in_training_is_not_proposed():
    search = Trial()
    busy: set[str] = set()
    while (proposal := search.proposer.propose(busy)) is not None:
        assert key_of(proposal[1]) not in busy
        busy.add(key_of(proposal[1]))
    assert busy == set(keys(list(space.members(search.spec))))
    # Those that were drawn again are closed without a record: a resumed search counts them as never asked.
    closed = [trial for trial in search.study.get_trials() if trial.state == TrialState.FAIL]
    assert all(RECORD not in trial.user_attrs for trial in closed)
    assert search.history.asked == 0


def test_what_a_filter_turns_away_is_recorded_with_its_reason_and_never_asked_of_it_again():
    asked: list[str] = []

    def few(architecture: Architecture) -> str | None:
        asked.append(key_of(architecture))
        return "too many M" if sum(stage.count("M") for stage in architecture.layout) > 2 else None

    search = Trial(admits=few)
    found = [key for key in search.steps(17) if key is not None]
    assert len(found) == 1 + 4 + 6
    assert search.history.turned_away == set(keys(list(space.members(search.spec)))) - set(found)
    turned = [t for t in search.study.get_trials() if t.user_attrs[RECORD]["kind"] == "unfit"]
    assert {trial.user_attrs[RECORD]["reason"] for trial in turned} == {"too many M"}
    assert {trial.state for trial in turned} == {TrialState.FAIL}
    assert all(asked.count(key) == 1 for key in found)


def test_a_search_that_turns_all_away_is_asked_whether_it_is_late_each_time_and_lists_its_space_once(
    monkeypatch: pytest.MonkeyPatch,
):
    listed: list[int] = []
    members = space.members

    def counted(*given: Any) -> Any:
        listed.append(1)
        return members(*given)

    monkeypatch.setattr(space, "members", counted)
    search = Trial(admits=lambda architecture: "too slow")
    told: list[str] = []
    answers = iter([False] * 14 + [True])
    assert search.proposer.propose(late=lambda: next(answers), on_turned_away=told.append) is None
    assert (len(search.history.turned_away), search.proposer.ended) == (len(told), "")
    assert next(answers, "all were asked for") == "all were asked for"
    assert len(listed) == 1
    assert search.proposer.propose(on_turned_away=told.append) is None
    assert told == ["too slow"] * 16
    assert len(listed) == 1
    assert search.proposer.ended == "the space has no further network"


def test_a_space_too_large_to_list_is_given_up_after_many_proposals_and_that_is_what_is_said():
    text = SPACE.replace("*2] stage(8, heads=2)[{C|M}*2]", "*12] stage(8, heads=2)[{C|M}*12]")
    search = Trial(text=text, admits=lambda architecture: "too slow")
    search.history.fruitless = 999
    assert search.proposer.propose() is None
    assert search.proposer.ended == "1,000 proposals in a row were no new network that may be trained"


def test_ctrl_c_while_a_member_is_measured_closes_its_trial_without_a_record(tmp_path: Path):
    def measure(architecture: Architecture) -> str | None:
        if asked:
            raise KeyboardInterrupt
        asked.append(1)
        return "too slow"

    asked: list[int] = []
    search = Trial(study=journal(tmp_path / "journal.log"), admits=measure)
    with pytest.raises(KeyboardInterrupt):
        search.proposer.propose()
    first, second = journal(tmp_path / "journal.log").get_trials()
    assert first.user_attrs[RECORD]["reason"] == "too slow"
    assert (second.state, RECORD in second.user_attrs) == (TrialState.FAIL, False)
    assert search.history.asked == 1


def test_a_promoted_network_is_a_further_trial_of_the_same_decisions():
    search = Trial()
    search.steps(5)
    member = list(space.members(search.spec))[7]
    trial = search.proposer.again(member)
    found = space.attempt(search.spec, lambda hole: search_choice(search.spec, trial, hole))
    assert found is not None
    assert key_of(found) == key_of(member)


def search_choice(spec: ir.Spec, trial: optuna.trial.Trial, hole: Any) -> float:
    from archdsl.study.parameters import decided

    return decided(hole, trial.params[hole.name])
