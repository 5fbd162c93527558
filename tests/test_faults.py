"""What goes wrong in a search on one machine, with real processes: nothing finished is lost, and it goes on."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faulty_searches
import pytest
import torch
from tiny_space import tiny

import archdsl
from archdsl.base.errors import DiskFullError, RunError
from archdsl.base.files import is_full, write_atomically
from archdsl.data import load
from archdsl.study.pool import Pool
from archdsl.study.store import mend

TINY = tiny(epochs=2)


def hang(task: float, data: Any, device: Any, on_step: Any) -> dict[str, Any]:
    """Work for a pool: sleeps."""
    time.sleep(task)
    return {"slept": task}


def search(folder: Path, images: Path, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"budget": 5, "workers": 1, "final_seeds": 0, "sampler": "random", "device": "cpu"}
    return archdsl.search(TINY, data=f"npz:{images}", run=folder, **(given | options))


@pytest.fixture(scope="module")
def once(little: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search of two networks."""
    folder = tmp_path_factory.mktemp("once") / "run"
    search(folder, little, budget=2)
    return folder


def outline(results: dict[str, Any]) -> list[tuple[str, str, float]]:
    return [(t["key"], t["state"], t["scores"]["accuracy"]) for t in results["trials"]]


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        (b'{"op_code":4,"worker', b'{"op_code":4,"worker\n'),
        (b'{"op_code":4,"worker\n', b'{"op_code":4,"worker\n'),
        (b"\0" * 300, b"\0" * 300 + b"\n"),
        (b"\xff\xfe{", b"\xff\xfe{\n"),
    ],
    ids=["half a line", "half a line, ended", "zeros after a power failure", "no text"],
)
def test_a_corrupt_tail_of_the_journal_is_mended_and_the_search_is_the_same(
    tail: bytes, kept: bytes, little: Path, tmp_path: Path, without_fault: dict[str, Any]
):
    faulty_searches.search(tmp_path, little, budget=3)
    journal = tmp_path / "journal.log"
    with journal.open("ab") as file:
        file.write(tail)
    journal.with_name("journal.log.lock").symlink_to(journal)
    faulty_searches.check_same(faulty_searches.search(tmp_path, little), without_fault)
    assert (tmp_path / "journal.log.torn").read_bytes() == kept
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_a_journal_cut_off_anywhere_loses_only_what_was_cut_off(
    little: Path, tmp_path: Path, without_fault: dict[str, Any]
):
    faulty_searches.search(tmp_path, little)
    whole = (tmp_path / "journal.log").read_bytes()
    for part in (0.85, 0.6, 0.3):
        (tmp_path / "journal.log").write_bytes(whole[: int(part * len(whole))])
        faulty_searches.check_same(faulty_searches.search(tmp_path, little), without_fault)


def test_mending_leaves_a_whole_journal_alone(tmp_path: Path):
    journal = tmp_path / "journal.log"
    journal.write_bytes(b'{"a":1}\n{"b":2}\n')
    assert mend(journal) == []
    assert journal.read_bytes() == b'{"a":1}\n{"b":2}\n'
    journal.write_bytes(b'{"a":1}\n{"b":\n')  # torn, and ended by somebody
    assert len(mend(journal)) == 1
    assert journal.read_bytes() == b'{"a":1}\n'
    assert mend(tmp_path / "absent") == []


def test_a_training_that_hangs_is_given_up_and_the_others_go_on(little: Path, monkeypatch: pytest.MonkeyPatch):
    """Its time is over as soon as the others are done, whatever the machine."""
    data = f"npz:{little}"
    pool = Pool(hang, 2, load(data), (data, None), torch.device("cpu"), limit=600.0)

    def monotonic() -> float:
        done = [job.outcome for job in pool._jobs if job.task != 601.0]
        return time.monotonic() + (600 if len(done) < 2 and None not in done else 0)

    monkeypatch.setattr("archdsl.study.pool.time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr("archdsl.study.pool.LONGEST_WAIT", 0.1)
    try:
        for seconds in (0.1, 601.0, 0.2):
            pool.submit(seconds)
        assert pool.take() == {"slept": 0.1}
        assert pool.take() == {"died": "took longer than 600 s"}
        assert pool.take() == {"slept": 0.2}
    finally:
        pool.close()


def test_a_worker_ends_with_the_process_that_started_it(little: Path, tmp_path: Path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, torch\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_faults import hang\n"
        "from archdsl.data import load\n"
        "from archdsl.study.pool import Pool\n"
        "if __name__ == '__main__':\n"
        f"    data = 'npz:{little}'\n"
        "    pool = Pool(hang, 2, load(data), (data, None), torch.device('cpu'))\n"
        "    pool.submit(0.0)\n"
        "    pool.take()\n"
        "    pool.submit(300.0)\n"
        "    print(pool._workers[0].process.pid, flush=True)\n"
        "    pool.take()\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    def ended() -> bool:
        try:
            return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    faulty_searches.eventually(ended)


@contextlib.contextmanager
def tmpfs(folder: Path, limit: str) -> Iterator[Path]:
    """A file system of its own that is as small as the limit says."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", limit, "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=False)


def test_a_full_disk_ends_the_search_and_it_goes_on_when_there_is_room(little: Path, tmp_path: Path):
    """A tmpfs of 48 KB: the journal and the checkpoints do not fit."""
    with tmpfs(tmp_path / "small", "size=48k") as small:
        with pytest.raises(RunError) as error:
            search(small / "run", little)
        assert isinstance(error.value, DiskFullError), error.value
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        assert outline(search(small / "run", little)) == outline(search(tmp_path / "whole", little))


def test_a_disk_that_is_full_when_the_front_is_written_ends_the_search_too(little: Path, tmp_path: Path):
    """A tmpfs with room for one more file: `best.arch` takes it, and the folder of the front has none."""
    two: dict[str, Any] = {"budget": 2, "objectives": ("accuracy", "minimize:params")}
    with tmpfs(tmp_path / "small", "nr_inodes=200") as small:
        whole = search(small / "run", little, **two)
        front = sorted(file.name for file in (small / "run/pareto").iterdir())
        shutil.rmtree(small / "run/pareto")
        (small / "run/best.arch").unlink()
        for number in range(os.statvfs(small).f_favail):
            (small / f"{number}").touch()
        (small / "0").unlink()
        with pytest.raises(DiskFullError, match=r"cannot write '.*pareto'") as error:
            search(small / "run", little, **two)
        assert error.value.exit_code == 3
        assert (small / "run/best.arch").exists()
        (small / "1").unlink()
        subprocess.run(["mount", "-o", "remount,nr_inodes=300", str(small)], check=True)
        assert outline(search(small / "run", little, **two)) == outline(whole)
        assert sorted(file.name for file in (small / "run/pareto").iterdir()) == front


def test_a_full_disk_when_the_study_is_opened_is_told(little: Path, tmp_path: Path):
    """A tmpfs of one page: the plan fits, Optuna's journal does not."""
    with tmpfs(tmp_path / "small", "size=4k") as small, pytest.raises(DiskFullError, match="cannot be opened"):
        search(small / "run", little)


def test_a_disk_that_is_full_when_the_report_is_drawn_ends_the_search_too(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(run: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("archdsl.report.write", full)
        with pytest.raises(DiskFullError, match=r"the report .* is not written"):
            search(tmp_path, little, budget=2)
    assert not (tmp_path / "report.html").exists()
    assert len(search(tmp_path, little, budget=2)["trials"]) == 2
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"seconds": Infinity}', '{"seconds": [1]}'])
def test_damaged_results_are_written_anew(content: str, little: Path, tmp_path: Path, once: Path):
    folder = shutil.copytree(once, tmp_path / "run")
    whole = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(content)
    search(folder, little, budget=2)
    again = json.loads((folder / "results.json").read_text())
    assert again["trials"] == whole["trials"]
    assert math.isfinite(again["seconds"])


def test_a_full_disk_is_known_by_its_number_or_its_text(tmp_path: Path):
    assert is_full(OSError(errno.ENOSPC, "x"))
    assert is_full(ValueError(f"I/O error: {os.strerror(errno.ENOSPC)} (os error 28)"))
    assert not is_full(OSError(errno.EACCES, "no"))
    with pytest.raises(RunError, match="cannot write") as error:
        write_atomically(tmp_path / "absent" / "file", "text")
    assert not isinstance(error.value, DiskFullError)


def test_every_fault_of_the_page_has_its_test():
    folder = Path(__file__).parent
    page = (folder.parent / "docs/faults.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "| test |" not in line]
    numbers = [number for row in rows for number in re.findall(r"\d+", row.rstrip("| ").rpartition(" | ")[2])]
    named = dict(re.findall(r"^(\d+)\. `(test_\w+)`$", page, re.M))
    assert len(rows) > 20
    assert len(numbers) >= len(rows)
    assert set(numbers) == set(named)
    tests = {
        name for file in folder.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }
    assert set(named.values()) <= tests
