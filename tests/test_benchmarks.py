"""Benchmarks are run by hand, some only where there is a GPU: here they are at least read with the library as it is."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))
sys.path.insert(0, str(FOLDER.parent / "tests"))


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_benchmark_can_be_imported(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__


def test_the_gpu_script_runs_where_there_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `checks`, on the CPU: what runs on a machine that is lent for minutes must not be broken then."""
    import json

    gpu = importlib.import_module("gpu")
    monkeypatch.setattr(sys, "argv", ["gpu.py", "checks", "--device", "cpu"])
    gpu.main()
    result = json.loads(capsys.readouterr().out)
    assert result["agreement_with_cpu"]["max_logit_difference"] < 1e-5
    assert "alternet_50" in gpu.shipped()
    assert "placement" not in gpu.shipped()
