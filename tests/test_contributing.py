"""What CONTRIBUTING.md shows is all it takes: each of its files registers by itself, works everywhere, and leaves again."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from commands import run_here as run_here
from commands import write_spec as write_spec

import archdsl
from archdsl.base.registry import Registry
from archdsl.data import DATASETS
from archdsl.interchange.export import FORMATS
from archdsl.ir.measures import MEASURES
from archdsl.study.samplers import SAMPLERS

PAGE = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


@contextmanager
def added(kind: str, registry: Registry[Any]) -> Iterator[str]:
    """The file that the page shows for a kind of addition, imported as one of the package; gives its entry's name."""
    (text,) = re.findall(rf"^```python {kind}\n(.*?)^```$", PAGE, re.M | re.S)
    before = set(registry)
    module = types.ModuleType(f"{registry.package}.added")
    exec(compile(text, f"<{kind}>", "exec"), module.__dict__)
    (name,) = set(registry) - before
    try:
        yield name
    finally:
        registry._entries.pop(name)


def test_a_sampler(tmp_path: Path, little: Path, monkeypatch: pytest.MonkeyPatch):
    with added("sampler", SAMPLERS) as name:
        results = archdsl.search(
            "stem patch(4, k=7) stage(4, head_dim=4, heads=1)[{C|M} {C|M} {C|M}]", data=f"npz:{little}", budget=5,
            sampler=name, epochs=1, final_seeds=0, run=tmp_path / "run", device="cpu",
        )  # fmt: skip
    assert results["sampler"] == name
    assert len({trial["hash"] for trial in results["trials"]}) == 5


def test_an_export_format(tmp_path: Path, archdsl: Command, spec: Any):
    with added("export", FORMATS) as name:
        done = archdsl("compile", spec("stage(4)[C]"), "--out", str(tmp_path / "out"), "--export", name, "--json")
        assert done.code == 0, done.err
    with np.load(tmp_path / "out/model.npz", allow_pickle=False) as found:
        assert (
            sum(found[key].size for key in found if "running" not in key and "num_batches" not in key)
            == (done.json["params"])
        )


def test_a_data_set(archdsl: Command, spec: Any, tmp_path: Path):
    text = "stem patch(4, k=4) stage(4)[C] train(epochs=1, shift=0)"
    with added("data", DATASETS) as name:
        done = archdsl(
            "train", spec(text), "--data", name, "--out", str(tmp_path / "c.safetensors"), "--json", "--device", "cpu"
        )
        assert done.code == 0, done.err
        assert 0 <= done.json["accuracy"] <= 1
    refused = archdsl("train", spec(text), "--data", name)
    assert refused.code == 1
    assert "unknown data set" in refused.err


def test_a_measure(archdsl: Command, spec: Any):
    text = "stage(16)[{C|M}*3] require %s <= 4 and %s >= 1"
    with added("measure", MEASURES) as name:
        found = archdsl("space", spec(text % (name, name)), "--json").json
        assert (found["size"], found["feasible"]) == (8, 3)  # one MSA of four heads
        assert archdsl("check", spec("stage(16)[C M] require head <= 4")).err.count(f"did you mean '{name}'?") == 1
