"""Processes that die, hang, meet or are told to stop, in real searches: the same trials come out all the same."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faulty_searches import (
    BUDGET,
    Attack,
    check_budget,
    check_same,
    command,
    eventually,
    outline,
    recorded,
    search,
    start,
)

WORKER = {"trial_timeout": 600.0}  # with a time limit, one worker is a process of its own


def test_a_worker_that_is_killed_in_a_training_changes_nothing(
    little: Path, tmp_path: Path, without_fault: dict[str, Any]
):
    attack = Attack(tmp_path / "run", 2, signal.SIGKILL)
    results = attack.search(little, **WORKER)
    assert len(attack.hit) == 1
    check_same(results, without_fault)


def test_a_network_whose_worker_is_killed_twice_is_given_up_for_that_reason(
    little: Path, tmp_path: Path, without_fault: dict[str, Any]
):
    attack = Attack(tmp_path / "run", 2, signal.SIGKILL, times=2)
    results = attack.search(little, sampler="random", **WORKER)
    assert len(attack.hit) == 2
    check_budget(results, BUDGET)
    failed = [trial for trial in results["trials"] if trial["state"] == "failed"]
    assert [(trial["number"], trial["reason"]) for trial in failed] == [
        (2, "its process was killed twice, perhaps for want of memory")
    ]
    # The resumed search does not try it again.
    assert outline(search(tmp_path / "run", little, sampler="random", **WORKER)) == outline(results)


@pytest.mark.slow
def test_a_training_that_hangs_is_given_up_and_the_search_goes_on(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The worker is stopped where it stands; only SIGKILL ends such a process. Then ten minutes are over at once."""
    attack = Attack(tmp_path / "run", 1, signal.SIGSTOP)
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + (600 if attack.hit else 0))
    monkeypatch.setattr("archdsl.study.pool.time", clock)
    monkeypatch.setattr("archdsl.study.pool.LONGEST_WAIT", 0.1)
    results = attack.search(little, trial_timeout=600.0)
    assert len(attack.hit) == 1
    check_budget(results, BUDGET)
    assert [trial["reason"] for trial in results["trials"] if trial["state"] == "failed"] == ["took longer than 600 s"]


def test_killing_everything_at_once_loses_nothing_that_was_finished(little: Path, tmp_path: Path):
    """Two workers: what is proposed after a resumption may differ, what was finished may not."""
    folder = tmp_path / "run"
    arguments = command(folder, little, "--workers", "2")
    process = start(arguments)
    eventually(lambda: recorded(folder) >= 3)
    process.kill()
    process.communicate()
    whole, _, _ = (folder / "journal.log").read_text().rpartition("\n")  # a line may be cut off by the kill
    kept = [json.loads(line) for line in whole.splitlines()]
    finished = [r["user_attr"]["archdsl"] for r in kept if "archdsl" in r.get("user_attr", {})]
    done = start(arguments)
    output, said = done.communicate(timeout=300)
    assert done.returncode == 0, said
    results = json.loads(output) | {"finished": True}
    check_budget(results, BUDGET)
    for entry in finished:
        assert results["trials"][entry["number"]]["key"] == entry["key"]
        assert results["trials"][entry["number"]]["curve"][: entry["epochs"]] == entry["curve"]


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from faulty_searches import search
from archdsl.base.errors import ArchdslError
from archdsl.study.watch import Watch

class Wait(Watch):  # in the folder, nothing trained yet
    def opened(self, folder, plan):
        print("in", flush=True)
        while not Path(sys.argv[3]).exists():
            time.sleep(0.01)

try:
    search(Path(sys.argv[1]), Path(sys.argv[2]), watch=Wait())
except ArchdslError as error:
    sys.exit(f"error {error.exit_code}: {error}")
"""


@pytest.mark.parametrize("resumed", [False, True])
def test_of_two_that_search_in_one_folder_one_is_told_and_the_other_loses_nothing(
    little: Path, tmp_path: Path, without_fault: dict[str, Any], resumed: bool
):
    folder, go = tmp_path / "run", tmp_path / "go"
    if resumed:
        search(folder, little, budget=3)
    arguments = [sys.executable, "-c", SCRIPT, str(folder), str(little), str(go), str(Path(__file__).parent)]
    both = [start(arguments), start(arguments)]
    loser = eventually(lambda: next((process for process in both if process.poll() is not None), None))
    assert loser.returncode == 1
    assert f"error 1: another process is searching in '{folder}'\n  = help: wait for it" in loser.communicate()[1]
    winner = both[1 - both.index(loser)]
    go.touch()
    output, said = winner.communicate(timeout=300)
    assert (winner.returncode, output) == (0, "in\n"), said
    check_same(json.loads((folder / "results.json").read_text()), without_fault)


# The command, which says when two networks are recorded and when the report is to be drawn, and takes its time there.
SLOW_REPORT = """
import time
from archdsl import report
from archdsl.__main__ import main
from archdsl.base.interrupts import ask
from archdsl.cli.progress import SearchView

def wait(text):
    print(text, flush=True)
    for _ in range(6_000):
        time.sleep(0.1)
        ask()

result = SearchView.result
SearchView.result = lambda *given: (result(*given), wait("searching") if given[1]["number"] == 1 else None)
report.write = lambda run: wait("drawing")
main()
"""


def test_a_second_ctrl_c_does_not_wait_for_the_report(little: Path, tmp_path: Path, without_fault: dict[str, Any]):
    folder = tmp_path / "run"
    process = start([sys.executable, "-c", SLOW_REPORT, *command(folder, little)[3:]])
    assert process.stdout is not None
    for text in ("searching\n", "drawing\n"):
        assert process.stdout.readline() == text
        process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 3, said
    assert said.rstrip().endswith("interrupted")
    assert "Traceback" not in said
    assert json.loads((folder / "results.json").read_text())["finished"] is False
    check_same(search(folder, little), without_fault)
