"""Searches shared through a real PostgreSQL: budgets met exactly, no network trained twice, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from quick_workers import workers_of_a_server  # noqa: F401
from rough_analyses import rough_analyses_here_and_in_workers  # noqa: F401
from shared_searches import TINY, check, command, search, server_of_a_file, started, url_of_the_server  # noqa: F401

import archdsl
from archdsl.base.errors import StudyError
from archdsl.study.claims import Ledger
from archdsl.study.database import open_engine, patiently


def restart(server: Any, url: str) -> None:
    """Start a killed server; the library takes it for alive until the system has buried its process."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            server.ensure_postgres_running()
            open_engine(url).dispose()
        except (StudyError, subprocess.SubprocessError):  # or while its orphans still hold the shared memory
            time.sleep(0.5)
        else:
            return
    pytest.fail("the server did not start again")


# ---- claims ----------------------------------------------------------------------------------------------


def test_claims_are_atomic(url: str):
    engine = open_engine(url)
    ledger = Ledger(engine, "atomic")
    assert ledger.begin("{}", 20) == "{}"
    assert ledger.begin("other", 10) == "{}"  # the plan of the first stays, the budget never shrinks
    assert ledger.plan() == ("{}", 20)
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda n: ledger.claim(f"key {n % 30}", n, "me"), range(60)))
    got = [number for number in numbers if number is not None]
    assert sorted(got) == list(range(20))
    claims = ledger.claims()
    assert len({claim.key for claim in claims}) == 20
    with ThreadPoolExecutor(8) as threads:
        promoted = list(threads.map(lambda n: ledger.promote(3, 1, "key", 100 + n, "me"), range(8)))
        assert sum(promoted) == 1
        assert sum(threads.map(lambda n: ledger.reclaim(claims[0], 200 + n, "you"), range(8))) == 1
    again = next(claim for claim in ledger.claims() if (claim.number, claim.rung) == (claims[0].number, 0))
    assert again.tries == 2
    assert again.worker == "you"
    ledger.give_back(again)
    assert next(c.tries for c in ledger.claims() if (c.number, c.rung) == (again.number, 0)) == 1
    assert ledger.begin("{}", 30) == "{}"
    assert ledger.plan() == ("{}", 30)
    assert Ledger(engine, "unknown").plan() is None


# ---- real processes --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick_workers")
def test_workers_meet_the_budget_exactly_and_a_larger_one_goes_on(url: str, little: Path, tmp_path: Path):
    results = search(url, "exact", tmp_path / "run", little)
    check(results, url, "exact", 8)
    assert any(trial["kind"] == "continued" for trial in results["trials"])
    assert (tmp_path / "run" / "best.arch").exists()
    more = search(url, "exact", tmp_path / "run", little, budget=10)
    check(more, url, "exact", 10)
    assert [t["key"] for t in more["trials"][:8]] == [t["key"] for t in results["trials"]]


JOINT = TINY.replace("epochs=4", "epochs={1|2|6}, lr={1e-4|2e-2}")
TWELVE = JOINT.replace("{C|M}*2", "M", 1).replace("{C|M}*2", "{C|M}")  # two networks, each with six recipes


def joint(url: str, name: str, folder: Path, images: Path, text: str = JOINT, **options: Any) -> dict[str, Any]:
    """A search of network and recipe by one worker process, whose draws depend on its pid."""
    return archdsl.search(
        text, data=f"npz:{images}", run=folder, storage=url, study=name, workers=1, sampler="random", device="cpu",
        **options,
    )  # fmt: skip


@pytest.mark.usefixtures("rough_analyses", "quick_workers")
def test_workers_train_the_recipes_that_candidates_decide(url: str, little: Path, tmp_path: Path):
    """Each has the rungs of its own epochs; the finals train what was found; the same command finds it all done."""
    results = joint(url, "recipes", tmp_path / "run", little, TWELVE, budget=12, final_seeds=1)
    check(results, url, "recipes", 12)
    assert {t["recipe"]["epochs"] for t in results["trials"]} == {1, 2, 6}
    assert {t["recipe"]["lr"] for t in results["trials"]} == {1e-4, 2e-2}
    for trial in results["trials"]:
        whole = trial["recipe"]["epochs"]
        assert trial["epochs"] == len(trial["curve"])
        assert trial["epochs"] == whole if trial["state"] == "complete" else trial["epochs"] in (whole // 3, whole // 2)
    assert all(len(f["seeds"][0]["curve"]) == f["recipe"]["epochs"] for f in results["finalists"])
    assert f"{results['best']['key']}-1" in json.loads((tmp_path / "run" / "finals.json").read_text())
    again = joint(url, "recipes", tmp_path / "run", little, TWELVE, budget=12, final_seeds=1)
    assert (again["trials"], again["finalists"]) == (results["trials"], results["finalists"])


@pytest.mark.usefixtures("quick_workers")
def test_workers_train_as_long_as_the_user_asks(url: str, little: Path, tmp_path: Path):
    """Whatever the file leaves open; it is no decision of the candidates then."""
    results = joint(url, "asked", tmp_path / "run", little, budget=5, final_seeds=0, epochs=2)
    check(results, url, "asked", 5)
    assert {t["recipe"]["epochs"] for t in results["trials"]} == {2}
    assert all("train.epochs" not in t["decisions"] and "train(epochs=2" in t["spec"] for t in results["trials"])


# Joins a study as soon as there is one; what takes long is imported before.
HELPER = """
import sys, time
from pathlib import Path
from archdsl.study.distributed import join
from archdsl.study.claims import Ledger
from archdsl.study.database import open_engine

if __name__ == "__main__":
    ledger = Ledger(open_engine(sys.argv[1]), sys.argv[2])
    print("ready", flush=True)
    while ledger.plan() is None:
        time.sleep(0.05)
    join(sys.argv[1], sys.argv[2], device="cpu", run=Path(sys.argv[3]))
"""


def test_a_killed_worker_loses_nothing(url: str, little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another machine's worker is killed with -9; its network is trained by others once its heartbeat is missed."""
    monkeypatch.setenv("ARCHDSL_HEARTBEAT", "1")
    name, found = "killed", []
    helper = subprocess.Popen(
        [sys.executable, "-c", HELPER, url, name, str(tmp_path / "w")], start_new_session=True, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert helper.stdout is not None
    assert helper.stdout.readline() == "ready\n"
    options: dict[str, Any] = {"workers": 1, "epochs": 40}  # so that it goes on when the other one has come
    thread = threading.Thread(target=lambda: found.append(search(url, name, tmp_path / "run", little, **options)))
    thread.start()
    ledger = Ledger(open_engine(url), name)
    while thread.is_alive():
        if len({claim.worker for claim in ledger.claims()}) > 1:
            break
        time.sleep(0.05)
    assert thread.is_alive(), "the second worker came too late"
    os.killpg(helper.pid, signal.SIGKILL)
    helper.communicate()
    thread.join(600)
    assert found, "the search did not end"
    check(found[0], url, name, 8)


def test_the_server_is_killed_and_started_again(little: Path, tmp_path: Path):
    server = started(tmp_path / "postgres")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    found: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: found.append(search(url, "restart", tmp_path / "run", little)))
    thread.start()
    ledger = Ledger(open_engine(url), "restart")
    while thread.is_alive() and len(patiently(ledger.claims)) < 3:
        time.sleep(0.1)
    os.kill(server.get_pid(), signal.SIGKILL)
    time.sleep(1.5)
    restart(server, url)
    thread.join(600)
    assert found, "the search did not end"
    check(found[0], url, "restart", 8)
    server.cleanup()


@pytest.mark.usefixtures("quick_workers")
def test_the_worker_command_joins_and_bad_use_of_it_is_told(url: str, little: Path, tmp_path: Path):
    done = command("worker", "--storage", url, "--study", "nobody")
    output, error = done.communicate(timeout=300)
    assert done.returncode == 1
    assert "no study 'nobody'" in error
    assert "Traceback" not in error
    search(url, "joined", tmp_path / "run", little, budget=2, workers=1)
    Ledger(open_engine(url), "joined").begin("{}", 4)
    joined = command("worker", "--storage", url, "--study", "joined", "--workers", "1", "--device", "cpu", "--json",
                     "--run", str(tmp_path / "worker"))  # fmt: skip
    output, error = joined.communicate(timeout=300)
    assert joined.returncode == 0, error
    assert '"networks": 4' in output
