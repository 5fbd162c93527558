"""Worker processes: results in order, errors where results are taken, deaths made up for, nothing left behind."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest
import torch
from faulty_searches import eventually
from quick_workers import workers_of_a_server  # noqa: F401

from archdsl.base.errors import DataError, DiskFullError, RunError, StudyError
from archdsl.data import DATASETS, Dataset, load
from archdsl.study.pool import Pool, default_workers


def work(task: Any, data: Dataset, device: torch.device, on_step: Any) -> dict[str, Any]:
    """Sleeps so many seconds, raises an error, kills its process, or says who it is."""
    if isinstance(task, float):
        time.sleep(task)
    elif isinstance(task, Exception):
        raise task
    elif task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if on_step is not None:
        on_step(1, 1)
    return {"task": task, "process": os.getpid(), "data": id(data), "device": str(device)}


def slow(where: str, root: Path | None, download: bool) -> Dataset:
    """A data set that takes seven seconds to load, and kills the first process that tries."""
    mark = Path(where)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(7)
    return load("fashion")


if multiprocessing.current_process().name.startswith("trainer"):  # a worker, which imports this file to find `work`
    DATASETS.register("slow")(slow)


@pytest.fixture
def source(little: Path) -> tuple[str, None]:
    return f"npz:{little}", None


@pytest.fixture
def two(source: tuple[str, None], quick_workers: None) -> Iterator[Pool]:
    pool = Pool(work, 2, load(source[0]), source, torch.device("cpu"))
    yield pool
    pool.close()


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_one_worker_is_this_process_unless_there_is_a_time_limit(source: tuple[str, None]):
    data, steps = load(source[0]), []
    pool = Pool(work, 1, data, source, torch.device("cpu"), lambda *step: steps.append(step))
    assert pool.here
    pool.submit("a")
    pool.submit("b")
    assert len(pool) == 2
    assert steps == []  # done when it is taken
    assert pool.take() == {"task": "a", "process": os.getpid(), "data": id(data), "device": "cpu"}
    assert (steps, len(pool)) == ([(1, 1)], 1)
    limited = Pool(work, 1, data, source, torch.device("cpu"), limit=600.0)
    assert not limited.here
    try:
        limited.submit("a")
        assert limited.take()["process"] != os.getpid()
    finally:
        limited.close()


def test_results_come_in_the_order_of_submission_and_data_are_loaded_once_per_worker(two: Pool):
    tasks = [0.5, "quick", 0.2, "b", "c", "d"]
    for task in tasks:
        two.submit(task)
    found = [two.take() for _ in tasks]
    assert [one["task"] for one in found] == tasks
    assert len({one["process"] for one in found}) == 2
    assert os.getpid() not in {one["process"] for one in found}
    assert len({(one["process"], one["data"]) for one in found}) == 2


def test_errors_are_raised_where_the_result_is_taken_and_the_worker_stays(two: Pool):
    two.submit(StudyError("of the study", "a remedy"))
    two.submit(DiskFullError("full"))
    two.submit(ValueError("a defect"))
    two.submit(OSError(errno.EIO, "the disk is broken"))
    with pytest.raises(StudyError) as error:
        two.take()
    assert (error.value.message, error.value.help) == ("of the study", "a remedy")
    with pytest.raises(DiskFullError):
        two.take()
    with pytest.raises(RunError, match="ValueError: a defect"):
        two.take()
    with pytest.raises(RunError, match=r"OSError: .*the disk is broken"):
        two.take()
    two.submit("after")
    assert two.take()["task"] == "after"
    assert len(two) == 0


def test_a_task_that_kills_its_worker_is_given_up_and_its_neighbours_are_not(two: Pool):
    for task in ("a", "die", "b", "die", "c"):
        two.submit(task)
    found = [two.take() for _ in range(5)]
    assert [one.get("task") for one in found] == ["a", None, "b", None, "c"]
    assert {one["died"] for one in found if "died" in one} == {
        "its process was killed twice, perhaps for want of memory"
    }


def test_a_worker_that_dies_while_it_has_nothing_to_do_is_replaced(two: Pool):
    two.submit("a")
    process = two.take()["process"]
    os.kill(process, signal.SIGKILL)
    eventually(lambda: not two._workers[0].process.is_alive())
    two.submit("b")
    two.submit("c")
    found = [two.take(), two.take()]
    assert [one["task"] for one in found] == ["b", "c"]
    assert process not in {one["process"] for one in found}


def test_closing_ends_the_workers_at_once_and_what_they_train_is_given_up(two: Pool):
    two.submit("a")
    process = two.take()["process"]
    two.submit(600.0)
    two.submit(600.0)
    assert len(two) == 2
    two.close()
    assert len(two) == 0
    eventually(lambda: gone(process))
    two.close()  # a second time does no harm


def test_workers_that_end_before_they_begin_are_not_started_for_ever_and_no_task_is_blamed(
    source: tuple[str, None], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """As in a script without `if __name__ == "__main__":`, or where a package is broken."""
    module = types.ModuleType("only_here")  # of which a new process knows nothing
    monkeypatch.setitem(sys.modules, "only_here", module)
    exec("def work(task, data, device, on_step): ...", module.__dict__)
    pool = Pool(module.__dict__["work"], 1, load(source[0]), source, torch.device("cpu"), limit=600.0)
    try:
        pool.submit("a")
        with pytest.raises(RunError, match="the worker processes end before they train anything"):
            pool.take()
    finally:
        pool.close()
    assert "No module named 'only_here'" in capfd.readouterr().err


def test_what_befalls_a_worker_that_loads_its_data_is_no_fault_of_its_task(source: tuple[str, None], tmp_path: Path):
    """Neither a kill nor the time it takes."""
    pool = Pool(work, 1, load(source[0]), (f"slow:{tmp_path / 'mark'}", None), torch.device("cpu"), limit=6.0)
    try:
        pool.submit("a")
        assert pool.take()["task"] == "a"
        pool.submit(600.0)
        assert pool.take() == {"died": "took longer than 6 s"}
    finally:
        pool.close()


def test_what_is_finished_at_the_last_moment_is_taken(source: tuple[str, None], monkeypatch: pytest.MonkeyPatch):
    pool = Pool(work, 1, load(source[0]), source, torch.device("cpu"), limit=600.0)
    try:
        pool.submit("a")
        pool.take()
        pool.submit("b")
        (worker,) = pool._workers
        eventually(worker.connection.poll)
        worker.since -= 1000.0
        looks = iter([[]])  # at the first it was not there yet
        monkeypatch.setattr("archdsl.study.pool.wait", lambda *given: next(looks, None) or wait(*given))
        assert pool.take()["task"] == "b"
    finally:
        pool.close()


# Its workers take their time to import it, which is when Ctrl-C comes.
SLOW_IMPORT = """
import sys, time
from pathlib import Path
import torch
from archdsl.data import load
from archdsl.study.pool import Pool

def work(task, data, device, on_step): ...

if __name__ == "__main__":
    pool = Pool(work, 2, load(sys.argv[1]), (sys.argv[1], None), torch.device("cpu"))
    for task in "ab":
        pool.submit(task)
    try:
        pool.take()
    except KeyboardInterrupt:
        print("interrupted")
    pool.close()
else:
    Path(sys.argv[2]).touch()
    time.sleep(600)
"""


def test_ctrl_c_in_a_terminal_is_left_to_the_parent_from_the_first_moment(source: tuple[str, None], tmp_path: Path):
    script, mark = tmp_path / "script.py", tmp_path / "mark"
    script.write_text(SLOW_IMPORT)
    process = subprocess.Popen(
        [sys.executable, str(script), source[0], str(mark)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    eventually(mark.exists)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=300) == (b"interrupted\n", b"")


def test_data_that_cannot_be_loaded_are_an_error_of_every_task(source: tuple[str, None]):
    pool = Pool(work, 1, load(source[0]), ("npz:absent.npz", None), torch.device("cpu"), limit=600.0)
    try:
        for task in ("a", "b"):
            pool.submit(task)
        for _ in range(2):
            with pytest.raises(DataError, match=r"absent\.npz"):
                pool.take()
    finally:
        pool.close()


def test_as_many_workers_as_cores_but_no_more_than_eight():
    cores = len(os.sched_getaffinity(0))
    assert default_workers(torch.device("cpu")) == max(1, min(8, cores))
    assert default_workers(torch.device("cuda", 1)) == 1
