"""Latency: blocks are measured once each and summed; what a spec requires of it is measured and checked."""

from __future__ import annotations

import json
import logging
import math
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from archdsl.api import train as train_spec
from archdsl.base.errors import SpecError
from archdsl.cli.main import run
from archdsl.language import parse
from archdsl.network import Architecture, latency, resolve, resolve_model
from archdsl.network.latency import Latencies, broken, check, milliseconds

CPU = torch.device("cpu")
SMALL = "input 1x8x8 classes 4 stem conv(8) stage(8)[{}] head gap linear"


def network(blocks: str = "C M") -> Architecture:
    return resolve(parse(SMALL.format(blocks)))


# ---- measuring -------------------------------------------------------------------------------------------


class Sleeper(nn.Module):
    """Takes a known time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.runs, self.modes = seconds, 0, set[tuple[bool, bool, int]]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        self.modes.add((self.training, torch.is_inference_mode_enabled(), torch.get_num_threads()))
        time.sleep(self.seconds)
        return x


def test_a_module_that_sleeps_takes_as_long_as_it_sleeps() -> None:
    """A sleep is never shorter than asked for; how much longer it is depends on the machine."""
    module = Sleeper(0.005)
    found = milliseconds(module, torch.zeros(1))
    assert found >= 5
    assert latency.WARM_UP + latency.FEWEST <= module.runs <= latency.WARM_UP + 1 + latency.LONGEST / 0.005


def test_the_median_is_steady_when_its_interval_is_narrow() -> None:
    assert latency._is_steady([1.0] * 8)
    assert latency._is_steady([1.0, 1.01] * 4)
    assert not latency._is_steady([1.0, 2.0] * 4)
    assert latency._is_steady([1.0] * 31 + [50.0] * 5), "a few interruptions do not matter"


def test_blocks_that_are_alike_are_measured_once() -> None:
    latencies = Latencies(CPU)
    times = latencies.blocks(network("C C C M"))
    assert len(times) == 7
    assert all(0 < value < math.inf for value in times)
    assert times[1] == times[2] == times[3]
    assert latencies.measured == 5  # stem, C, M, gap, linear
    assert latencies.of(network("C C C M")) == math.fsum(times)
    assert latencies.of(network("M C")) == pytest.approx(math.fsum(times) - 2 * times[1])
    assert latencies.measured == 5
    latencies.blocks(network("C C(k=5)"))
    assert latencies.measured == 6
    latencies.blocks(resolve(parse(SMALL.format("C").replace("8x8", "16x16"))))
    assert latencies.measured == 9  # the same stem, C and gap at another shape; the vector into linear is the same


def test_blocks_under_other_names_are_the_same() -> None:
    latencies = Latencies(CPU)
    latencies.of(network("C"))
    before = latencies.measured
    latencies.of(resolve(parse("let X = basic(order=pre, k=3) " + SMALL.format("X"))))
    assert latencies.measured == before


def test_a_block_twice_costs_the_sum_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole network, timed as one module, against the sum of its blocks: about, since caches are shared.

    In processor time, since the processor is shared too.
    """
    monkeypatch.setattr("archdsl.base.device.time", SimpleNamespace(perf_counter=time.thread_time))
    block = "basic(k=5)"
    one, three = (resolve(parse(f"input 3x16x16 stem conv(32) stage(32)[{block}*{n}]")) for n in (1, 3))
    latencies = Latencies(CPU)
    first, third = latencies.of(one), latencies.of(three)
    assert third == pytest.approx(first + 2 * latencies.blocks(one)[1])
    from archdsl.network.model import build

    def whole(architecture: Architecture) -> float:
        model, x = build(architecture).eval(), torch.randn(1, *architecture.input)
        return statistics.median(milliseconds(model, x) for _ in range(3))

    for architecture, found in ((one, first), (three, third)):
        assert 0.3 < found / whole(architecture) < 3


def test_measuring_leaves_no_trace_in_the_caller() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        Latencies(CPU).of(network())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.rand(4), expected)
    assert not torch.is_inference_mode_enabled()


def test_blocks_run_in_eval_and_inference_mode_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    sleepers: list[Sleeper] = []

    def made(tree: object) -> Sleeper:
        sleepers.append(Sleeper(0))
        return sleepers[-1]

    monkeypatch.setattr(latency, "build_node", made)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        Latencies(CPU).of(network())
    finally:
        torch.set_num_threads(before)
    assert {mode for sleeper in sleepers for mode in sleeper.modes} == {(False, True, 1)}


@pytest.mark.parametrize(
    "text", ["stage[T]", "stem patch(8, k=4) cls stage(8, stride=1, heads=1)[T] head norm(kind=ln) cls linear"]
)
def test_tokens_and_maps(text: str) -> None:
    architecture = resolve(parse(f"input 3x8x8 {text}"))
    assert len(Latencies(CPU).blocks(architecture)) == len(list(architecture.blocks()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu() -> None:
    latencies = Latencies(torch.device("cuda"))
    assert "one thread" not in latencies.settings
    assert latencies.of(network()) > 0
    assert torch.cuda.get_device_name() in latencies.settings


# ---- the file --------------------------------------------------------------------------------------------


def test_what_was_measured_is_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    first = Latencies(CPU, path)
    times = first.blocks(network())
    again = Latencies(CPU, path)
    assert again.blocks(network()) == times
    assert (first.measured, again.measured) == (5, 0)
    (settings,) = json.loads(path.read_text())["milliseconds"]
    assert settings == first.settings
    assert torch.__version__ in settings
    assert [p.name for p in tmp_path.iterdir()] == ["latency.json"]


def test_other_settings_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "latency.json"
    Latencies(CPU, path).of(network())
    eight = Latencies(CPU, path, batch=8)
    eight.of(network())
    assert eight.measured == 5
    monkeypatch.setattr(latency, "device_name", lambda device: "another")
    other = Latencies(CPU, path)
    other.of(network())
    assert other.measured == 5
    assert len(json.loads(path.read_text())["milliseconds"]) == 3


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": 2}', '{"format": 1, "milliseconds": {"here": {"a": -1.0}}}',
     '{"format": 1, "milliseconds": {"here": {"a": "1"}}}', '{"format": 1, "milliseconds": {"here": {"a": NaN}}}',
     '{"format": 1, "milliseconds": {"here": 3}}', "\0"],
)  # fmt: skip
def test_a_damaged_file_is_told_of_and_measured_anew(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "latency.json"
    path.write_text(content)
    with caplog.at_level(logging.WARNING):
        latencies = Latencies(CPU, path)
    assert "measured anew" in caplog.text
    latencies.of(network())
    assert latencies.measured == 5
    assert Latencies(CPU, path).blocks(network()) == latencies.blocks(network())


# ---- requirements ----------------------------------------------------------------------------------------


def test_nothing_is_measured_where_what_is_counted_decides() -> None:
    latencies = Latencies(CPU)
    for text in ("depth == 1", "latency_ms <= 2 or depth == 2", "latency_ms <= 2 and depth == 7"):
        broken(parse(f"{SMALL.format('C M')} require {text}").require, network(), latencies)
    assert latencies.measured == 0
    assert broken(parse(f"{SMALL.format('C M')} require latency_ms < 0").require, network(), latencies)
    assert latencies.measured == 5


def test_a_requirement_is_checked_against_what_was_measured() -> None:
    latencies = Latencies(CPU)
    model = network()
    found = latencies.of(model)
    for text, holds in ((f"latency_ms <= {found * 1.001:.9f}", True), (f"not latency_ms > {found * 0.999:.9f}", False)):
        spec = parse(f"{SMALL.format('C M')} require {text}")
        if holds:
            check(spec, model, latencies)
            continue
        with pytest.raises(SpecError, match="latency_ms is") as caught:
            check(spec, model, latencies)
        assert "one thread" in str(caught.value)


# ---- commands --------------------------------------------------------------------------------------------


def written(folder: Path, limit: str) -> str:
    path = folder / "a.arch"
    path.write_text(
        f"input 1x28x28 stem patch(4, k=4) stage(4)[C] require latency_ms <= {limit} train(epochs=1, batch=64)"
    )
    return str(path)


def test_compile_measures_what_the_file_requires(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compile", written(tmp_path, "1M"), "--device", "cpu", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["latency_ms"] == pytest.approx(sum(block["latency_ms"] for block in table["blocks"]))
    assert table["latency"].startswith("cpu (")
    assert run(["compile", written(tmp_path, "0"), "--device", "cpu"]) == 1
    assert "this requirement is not met: latency_ms is" in capsys.readouterr().err
    assert resolve_model(parse((tmp_path / "a.arch").read_text())).depth == 1  # undecided until it is measured


def test_compile_measures_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "b.arch"
    path.write_text("input 1x8x8 stage(4)[C]")
    assert run(["compile", str(path), "--latency", "--batch-size", "2", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].split()[-1] == "ms"
    assert "2 images" in out.splitlines()[-1]
    assert run(["compile", str(path), "--json"]) == 0
    assert "latency_ms" not in json.loads(capsys.readouterr().out)
    assert run(["compile", str(path), "--latency", "--device", "gpu"]) == 2


def test_train_refuses_a_network_that_is_too_slow(little: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="latency_ms is"):
        train_spec.train(written(tmp_path, "0"), data=f"npz:{little}", device="cpu", out=tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()
    found = train_spec.train(
        written(tmp_path, "1M"), data=f"npz:{little}", device="cpu", out=tmp_path / "m.safetensors"
    )
    assert found["epochs"] == 1
