"""The live view: a search at work, followed in a real browser, and a journal read as the search leaves it."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser
from tiny_space import tiny

import archdsl
from archdsl.base.errors import RunError, StudyError
from archdsl.cli.reports import follow
from archdsl.report.live import Live, address, server
from archdsl.study.snapshot import awaited, snapshot, stamp
from archdsl.study.watch import Watch

TINY = tiny(epochs=2)


def search(folder: Path, images: Path, budget: int, watch: Watch | None = None) -> dict[str, Any]:
    return archdsl.search(
        TINY, budget=budget, data=f"npz:{images}", run=folder, workers=1, device="cpu", sampler="random",
        final_seeds=0, watch=watch,
    )  # fmt: skip


@contextlib.contextmanager
def served(run: Path) -> Iterator[ThreadingHTTPServer]:
    live = Live(lambda: snapshot(run), lambda: stamp(run))
    with server(live, 0) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


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
    assert "--live" in str(only_begun.value.help)
    (tmp_path / "storage.json").write_text('{"study": "x"}')
    with pytest.raises(StudyError, match="no records of its search yet") as caught:
        snapshot(tmp_path)
    assert "--storage" in str(caught.value.help)


def test_a_damaged_journal_is_an_error_with_a_remedy(searched: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run, _ = searched
    (tmp_path / "study.json").write_bytes((run / "study.json").read_bytes())
    lines = (run / "journal.log").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal.log").write_bytes(b"".join([lines[0], b"nonsense\n", *lines[1:]]))
    with pytest.raises(StudyError, match="is damaged") as caught:
        snapshot(tmp_path)
    assert caught.value.help


# ---------------------------------------------------------------- the server


def ask(found: ThreadingHTTPServer, path: str = "/", **headers: str) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", found.server_address[1], timeout=120)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.getheader("ETag"), answer.read()
    finally:
        connection.close()


def test_the_page_is_served_and_only_sent_again_when_it_changed(searched: tuple[Path, dict[str, Any]]) -> None:
    with served(searched[0]) as found:
        status, tag, content = ask(found)
        assert status == 200
        assert tag is not None
        assert b"connect-src &#x27;self&#x27;" in content
        assert f"data-tag={tag}".encode() in content
        assert ask(found, If_None_Match=tag)[::2] == (304, b"")
        assert ask(found, If_None_Match='"another"')[0] == 200


def test_nothing_but_the_page_is_served_and_to_nobody_else(searched: tuple[Path, dict[str, Any]]) -> None:
    with served(searched[0]) as found:
        assert found.server_address[0] == "127.0.0.1"
        port = found.server_address[1]
        assert ask(found, Host=f"localhost:{port}")[0] == 200
        assert ask(found, Host=f"evil.example:{port}")[0] == 404  # a name a stranger pointed at this machine
        assert ask(found, "/results.json")[0] == 404
        assert ask(found, "/../study.json")[0] == 404


def test_a_taken_port_is_an_error_with_a_remedy(searched: tuple[Path, dict[str, Any]]) -> None:
    with served(searched[0]) as found, pytest.raises(RunError, match="cannot serve on port") as caught:
        server(Live(dict, lambda: 0), found.server_address[1])
    assert "--port" in str(caught.value.help)
    with pytest.raises(RunError, match="65535"):
        server(Live(dict, lambda: 0), 70_000)


def test_the_command_serves_until_ctrl_c(searched: tuple[Path, dict[str, Any]]) -> None:
    command = [sys.executable, "-c", "from archdsl.cli import main; main()", "report", str(searched[0]), "--live"]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        port = int(line.split("/")[2].rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0


def test_ctrl_c_at_the_very_moment_the_address_is_printed(
    searched: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hasty(io.StringIO):
        def write(self, text: str) -> int:
            super().write(text)
            if text.startswith("http://"):
                raise KeyboardInterrupt
            return len(text)

    screen = Hasty()
    monkeypatch.setattr(sys, "stdout", screen)
    follow(searched[0], 0)
    assert screen.getvalue().startswith("http://127.0.0.1:")


def test_the_command_waits_for_a_search_to_begin(searched: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-c", "from archdsl.cli import main; main()", "report", str(run), "--live"]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"waiting for a search to begin in '{run}'")
        shutil.copytree(searched[0], tmp_path / "copy").rename(run)  # at once: a search writes its files in order
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0


def test_which_folders_a_search_may_still_begin_in(searched: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    assert awaited(tmp_path / "none")
    assert awaited(tmp_path)
    for name in ("study.json", "lock", "latency.json"):
        (tmp_path / name).write_text("{}")
        assert awaited(tmp_path)
    (tmp_path / "journal.log").write_text("")
    assert not awaited(tmp_path)
    assert not awaited(searched[0])
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("")
    assert not awaited(other)


def test_the_command_refreshes_the_page_of_a_search_that_was_killed(
    searched: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from archdsl.cli.main import run as command

    for name in ("journal.log", "study.json"):
        (tmp_path / name).write_bytes((searched[0] / name).read_bytes())
    assert command(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Partial: the search has not finished (5 trials so far). Run its command again to go on." in page


# ---------------------------------------------------------------- a search, followed in a browser


class Follower(Watch):
    """Waits after every result until the page shows it, and notes what the page then has in focus."""

    def __init__(self, page: Browser) -> None:
        self.page = page
        self.counts: list[int] = []
        self.focused: set[str] = set()

    def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        count = max([*self.counts, record["number"] + 1])  # a promoted network's number is an earlier one
        self.page.wait(f"document.body.textContent.includes('({count} trial{'s' * (count > 1)} so far)')")
        self.counts.append(count)
        self.focused.add(self.page.run("document.activeElement.dataset.trial"))


def test_the_page_follows_a_search_and_leaves_the_reader_where_he_is(little: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    search(run, little, 3)
    with served(run) as found, browser() as page:
        page.open(address(found))
        page.run("document.querySelector('#progress ~ div svg .mark[data-trial=\"1\"]').focus()")
        page.run("document.getElementById('every-trial').open = true")
        follower = Follower(page)
        search(run, little, 7, follower)
        page.wait("document.getElementById('live-state').textContent === 'The search has finished.'")
        assert set(follower.counts) == {4, 5, 6, 7}
        assert follower.focused == {"1"}
        assert page.run("document.getElementById('every-trial').open")
        assert page.run("document.querySelectorAll('[id^=trial-]').length") == 7
        assert not page.run("document.getElementById('tip').hidden")
        assert page.complaints == []
        assert set(page.requests) == {address(found)}
        page.run("document.getElementById('live-pause').click()")
        assert page.run("document.getElementById('live-state').textContent") == "Paused."


def test_what_came_between_the_page_and_its_first_question_is_shown(searched: tuple[Path, dict[str, Any]]) -> None:
    counts = iter([3])  # trials when the page is loaded; when it first asks for what is new there are five, and stay

    def document() -> dict[str, Any]:
        return searched[1] | {"trials": searched[1]["trials"][: next(counts, 5)], "pareto": [], "finished": False}

    with server(Live(document, object), 0) as found, browser() as page:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        page.open(address(found))
        page.wait("document.body.textContent.includes('(5 of 5 trials so far)')")
        found.shutdown()
