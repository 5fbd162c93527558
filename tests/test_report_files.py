"""The report's files: written whole, read back the same, unusable ones an error with a remedy."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from report_page import check
from report_results import results

from archdsl import report
from archdsl.base.errors import RunError, StudyError
from archdsl.study.trials_csv import write_csv


def test_write_reads_the_folder_and_leaves_no_scraps(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(results()))
    path = report.write(tmp_path)
    assert path == tmp_path / "report.html"
    assert report.write(tmp_path / "results.json") == path
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "results.json"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no results.json"),
        (b"", "is damaged"),
        (b'{"trials": [', "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
        (b"[]", "holds no results"),
        (b"[" * 100_000, "is damaged"),
        (b'{"trials": 3}', "trials"),
        (b'{"trials": [{"number": 0, "state": "dancing"}]}', "trials.0.state"),
        (b'{"trials": [{"number": 0, "state": "complete", "decisions": ["C"]}]}', "trials.0.decisions"),
        (b'{"decisions": [{"name": "width", "choices": 5}]}', "decisions.0.choices"),
        (b'{"finalists": [{"name": "winner", "seeds": "x"}]}', "finalists.0.seeds"),
    ],
)
def test_unusable_results_are_an_error_with_a_remedy(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(StudyError, match=re.escape(words)) as caught:
        report.write(tmp_path)
    assert caught.value.help
    assert not (tmp_path / "report.html").exists()


def test_absent_folders(tmp_path: Path) -> None:
    with pytest.raises(StudyError):
        report.write(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError):
        report.write(tmp_path / "file")
    with pytest.raises(RunError, match="cannot write"):
        write_csv(results(trials=1), tmp_path / "nowhere" / "trials.csv")


def test_an_empty_document_still_makes_a_page() -> None:
    check({})


def test_trials_csv_comes_back_as_it_was(tmp_path: Path) -> None:
    document = results()
    with write_csv(document, tmp_path / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["trials"])
    names = [d["name"] for d in document["decisions"]]
    assert list(rows[0]) == [
        *("number", "state", "hash", "layout", "params", "macs", "epochs", "seconds"),
        *("accuracy", "ece", "high_freq", "nll"),
        *names,
        "reason",
    ]
    for row, trial in zip(rows, document["trials"], strict=True):
        assert int(row["number"]) == trial["number"]
        assert [stage.split(" ") for stage in row["layout"].split(" | ")] == trial["layout"]
        assert float(row["seconds"]) == trial["seconds"]
        assert {name: float(row[name]) for name in trial["scores"]} == trial["scores"]
        assert {name: row[name] for name in names} == trial["decisions"]
        assert row["reason"] == (trial["reason"] or "")


def test_trials_csv_takes_commas_and_defuses_formulas(tmp_path: Path) -> None:
    document = results(trials=1)
    document["trials"][0].update(reason='=cmd(),"a"\nb', decisions={"x": "-1.5", "y": "-x"})
    with write_csv(document, tmp_path / "trials.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["reason"] == '\'=cmd(),"a"\nb'
    assert (row["x"], row["y"]) == ("-1.5", "'-x")


def test_importing_the_report_does_not_import_torch() -> None:
    code = (
        "import sys; sys.path[:0] = ['tests']; from report_results import results; from archdsl import report; "
        "report.render(results(trials=8)); report.summary(results(trials=8)); assert 'torch' not in sys.modules"
    )
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
