"""The wall clock jumps while a search runs: nothing is given up, nothing takes a year, and the trials are the same."""

from __future__ import annotations

import ast
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from faulty_searches import check_same, start

import archdsl

PACKAGE = Path(archdsl.__file__).parent
TESTS = f"{Path(__file__).parent}:{PACKAGE.parent}"
FAKETIME = next(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"), None)

# Loaded by Python before anything else: the clocks that a person can set, shifted by what a file says.
SHIFTED = """
import datetime, os, time
_time = time.time
def shift():
    with open(os.environ["SHIFT"]) as file:
        return float(file.read() or 0)
time.time = lambda: _time() + shift()
time.time_ns = lambda: int(time.time() * 1e9)
class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime = Shifted
"""

# The search, under which the clock jumps as soon as so many of its trainings are recorded.
JUMPS = """
import sys
from pathlib import Path
from faulty_searches import search
from archdsl.study.watch import Watch

class Jumps(Watch):
    recorded = 0
    def result(self, record, best):
        self.recorded += 1
        if shift := {2: "+31536000", 4: "-31536000"}.get(self.recorded):
            new = Path(sys.argv[3]).with_suffix(".new")
            new.write_text(shift)
            new.replace(sys.argv[3])

search(Path(sys.argv[1]), Path(sys.argv[2]), watch=Jumps(), timeout=500.0, trial_timeout=500.0)
"""


def shifted_in_python(shift: Path) -> dict[str, str]:
    folder = shift.parent / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SHIFTED)
    return {"PYTHONPATH": f"{folder}:{TESTS}", "SHIFT": str(shift)}


def shifted_by_the_system(shift: Path) -> dict[str, str]:
    if FAKETIME is None:
        pytest.skip("needs libfaketime (Debian: apt-get install faketime)")
    return {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(shift), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": TESTS,
    }  # fmt: skip


@pytest.mark.parametrize("shifted", [shifted_in_python, shifted_by_the_system])
def test_jumps_of_the_clock_change_nothing(shifted: Any, little: Path, tmp_path: Path, without_fault: dict[str, Any]):
    """A year ahead after the first trials, two years back after the next, with time limits on all and each."""
    shift, folder = tmp_path / "shift", tmp_path / "run"
    shift.write_text("+0")
    environment = shifted(shift)
    began = time.monotonic()
    process = start([sys.executable, "-c", JUMPS, str(folder), str(little), str(shift)], **environment)
    said = process.communicate(timeout=300)[1]
    passed = time.monotonic() - began
    assert process.returncode == 0, said
    results = json.loads((folder / "results.json").read_text())
    check_same(results, without_fault)
    assert 0 < results["seconds"] <= passed
    assert all(0 < trial["seconds"] <= passed for trial in results["trials"])
    # The clock did jump under it: Optuna dates its trials with it.
    years = {trial["datetime_start"][:4] for trial in map(json.loads, (folder / "journal.log").read_text().splitlines())
             if "datetime_start" in trial}  # fmt: skip
    assert len(years) == 3


def test_durations_are_taken_from_clocks_that_nobody_sets():
    """Dates come from the wall clock, for a reader; nothing is subtracted from it."""
    dates = {"api/search.py": 1, "study/tracking/mlflow.py": 1}
    found: dict[str, int] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        wall = [
            call for call in calls if call in ("time.time", "time.time_ns") or call.endswith(("datetime.now", "utcnow"))
        ]
        if wall:
            found[path.relative_to(PACKAGE).as_posix()] = len(wall)
    assert found == dates
