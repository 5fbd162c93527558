"""PostgreSQL as a storage: what is refused before any training, what is kept secret, what is waited for."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from quick_workers import workers_of_a_server  # noqa: F401
from shared_searches import TINY, check, command, search, server_of_a_file, started, url_of_the_server  # noqa: F401

import archdsl
from archdsl.base.errors import DataError, RunError, StudyError
from archdsl.study.database import open_engine, open_storage, patiently
from archdsl.study.distributed import join
from archdsl.study.watch import Watch

pytestmark = pytest.mark.usefixtures("quick_workers")


def test_a_database_is_opened_by_many_at_once(server: Any):
    """All find it empty, and make the tables."""
    url = server.get_uri("many").replace("postgresql://", "postgresql+psycopg://")
    server.psql("CREATE DATABASE many;")
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(open_storage, [url] * 8))) == 8


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
