"""Benchmarks are run by hand, some only where there is a GPU: here they are at least read with the library as it is."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from rough_analyses import roughly

FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))
sys.path.insert(0, str(FOLDER.parent / "tests"))


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_benchmark_can_be_imported(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__


def test_every_analysis_has_a_tolerance_for_a_gpu(little: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from archdsl.analyses import ANALYSES
    from archdsl.data import load

    benchmark, images = importlib.import_module("analyses"), load(f"npz:{little}")
    monkeypatch.setattr(benchmark, "load", lambda name: images)
    monkeypatch.setattr(benchmark, "seconds", lambda work, device: 0.0)  # for which it would measure a second time
    with roughly():
        found = benchmark.agreement(torch.device("cpu"))
    assert list(found) == list(ANALYSES)
    assert all(entry["agrees"] and max(entry["apart"].values()) == 0 for entry in found.values())


def test_the_gpu_script_refuses_where_there_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = importlib.import_module("gpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "analyses"])
    with pytest.raises(SystemExit) as exit_:
        gpu.main()
    assert exit_.value.code == 2
    assert "--device cpu runs the same code" in capsys.readouterr().err


def test_the_gpu_script_runs_runs_where_there_is_none(
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
