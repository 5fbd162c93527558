"""A journal read while its search is at work: by the report, and by optuna-dashboard, as docs/report.md says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tiny_space import tiny

import archdsl
from archdsl.base.errors import StudyError
from archdsl.study.snapshot import snapshot

TINY = tiny(epochs=2)


def search(folder: Path, images: Path, budget: int) -> dict[str, Any]:
    return archdsl.search(
        TINY, budget=budget, data=f"npz:{images}", run=folder, workers=1, device="cpu", sampler="random",
        final_seeds=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, little: Path) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("searched") / "run"
    return folder, search(folder, little, 5)


# ---------------------------------------------------------------- the snapshot


def test_a_snapshot_of_the_journal_says_what_the_results_say(
    searched: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    run, done = searched
    for name in ("journal.log", "study.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    found = snapshot(tmp_path)
    same = ("archdsl", "language", "versions", "seed", "sampler", "recipe", "objectives", "decisions", "kinds", "trials",
            "best", "pareto")  # fmt: skip
    assert {name: found[name] for name in same} == {name: done[name] for name in same}
    assert found["spec"] == {name: done["spec"][name] for name in ("name", "text", "hash", "size")}
    assert found["data"] == {name: done["data"][name] for name in ("name", "digest")}
    assert found["finished"] is False
    assert 0 < found["seconds"] <= done["seconds"] + 0.1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal.log", "study.json"]  # nothing was written


def test_the_newer_of_results_and_journal_counts(searched: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run, _ = searched
    for name in ("journal.log", "study.json", "results.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    os.utime(tmp_path / "journal.log", ns=(0, 1_000))
    assert snapshot(tmp_path)["finished"] is True
    os.utime(tmp_path / "results.json", ns=(0, 500))
    assert snapshot(tmp_path)["finished"] is False


def test_a_line_half_written_is_left_for_the_next_time(searched: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run, done = searched
    (tmp_path / "study.json").write_bytes((run / "study.json").read_bytes())
    journal = (run / "journal.log").read_bytes()
    (tmp_path / "journal.log").write_bytes(journal[:-30])
    assert len(snapshot(tmp_path)["trials"]) in (len(done["trials"]), len(done["trials"]) - 1)
    assert (tmp_path / "journal.log").read_bytes() == journal[:-30]


def test_folders_that_are_no_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"there is no results\.json"):
        snapshot(tmp_path)
    (tmp_path / "journal.log").write_text("")
    with pytest.raises(StudyError, match=r"study\.json' cannot be read"):
        snapshot(tmp_path)


def test_a_search_that_keeps_its_records_in_a_database_says_so(
    searched: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "study.json").write_bytes((searched[0] / "study.json").read_bytes())
    with pytest.raises(StudyError, match="has only begun") as only_begun:
        snapshot(tmp_path)
    assert "try again" in str(only_begun.value.help)
    (tmp_path / "storage.json").write_text('{"study": "x"}')
    with pytest.raises(StudyError, match="no records of its search yet") as caught:
        snapshot(tmp_path)
    assert "--storage" in str(caught.value.help)


def test_a_study_that_was_begun_without_a_screen_is_read(searched: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Its plan says so, of a time when there were screens."""
    plan = json.loads((searched[0] / "study.json").read_text(encoding="utf-8"))
    (tmp_path / "study.json").write_text(json.dumps(plan | {"screen": None}), encoding="utf-8")
    (tmp_path / "journal.log").write_bytes((searched[0] / "journal.log").read_bytes())
    assert snapshot(tmp_path)["trials"] == searched[1]["trials"]
    (tmp_path / "study.json").write_text(json.dumps(plan | {"screen": "synflow"}), encoding="utf-8")
    with pytest.raises(StudyError, match=r"study\.json' cannot be read"):
        snapshot(tmp_path)


def test_a_damaged_journal_is_an_error_with_a_remedy(searched: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run, _ = searched
    (tmp_path / "study.json").write_bytes((run / "study.json").read_bytes())
    lines = (run / "journal.log").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal.log").write_bytes(b"".join([lines[0], b"nonsense\n", *lines[1:]]))
    with pytest.raises(StudyError, match="is damaged") as caught:
        snapshot(tmp_path)
    assert caught.value.help


def test_the_command_refreshes_the_page_of_a_search_that_was_killed(
    searched: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from archdsl.cli.main import run as command

    for name in ("journal.log", "study.json"):
        (tmp_path / name).write_bytes((searched[0] / name).read_bytes())
    assert command(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Partial: the search has not finished (5 trials so far). Run its command again to go on." in page


def test_optuna_dashboard_opens_the_journal(searched: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """The real server, on a copy that a search at work would leave: it lists the study with all that was trained."""
    pytest.importorskip("optuna_dashboard")
    journal = tmp_path / "journal.log"
    journal.write_bytes((searched[0] / "journal.log").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "optuna_dashboard._cli", str(journal), "--port", str(port), "--server", "wsgiref"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            (study,) = _asked(server, f"http://127.0.0.1:{port}/api/studies")["study_summaries"]
            assert study["study_name"] == searched[1]["spec"]["name"]
            detail = _asked(server, f"http://127.0.0.1:{port}/api/studies/{study['study_id']}")
            finished = [trial for trial in detail["trials"] if trial["state"] == "Complete"]
            assert len(finished) >= len(searched[1]["trials"])
        finally:
            server.terminate()


def _asked(server: subprocess.Popen[str], url: str) -> Any:
    """What a server that has only just been started answers, as soon as it does."""
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.loads(answer.read())
        except OSError:
            assert server.poll() is None, server.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.2)
