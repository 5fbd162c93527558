"""The Hessian by block against sub-blocks of the dense Hessian in float64, and what its figure shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from small_networks import HYBRID_UNITS, hybrid, images, one_thread  # noqa: F401
from test_hessian import dense_hybrid, largest
from torch import nn

from archdsl.analyses import hessian
from archdsl.analyses.hessian_blocks import measure
from archdsl.analyses.results.hessian_blocks import BlocksResult, plot
from archdsl.base.errors import RunError, UsageError
from archdsl.network.units import Unit


def places(model: nn.Module, *paths: str) -> np.ndarray:
    """Where the weights under these modules lie in the flat vector of all."""
    ends = np.cumsum([p.numel() for p in model.parameters()])
    named = zip(model.named_parameters(), ends, strict=True)
    found = [
        np.arange(end - p.numel(), end)
        for (name, p), end in named
        if any(name.startswith(f"{path}.") for path in paths)
    ]
    return np.concatenate(found)


def test_sub_blocks_of_the_dense_hessian() -> None:
    model, exact = hybrid(4), dense_hybrid()
    found = measure(model, [images(3)], HYBRID_UNITS, k=4, tol=1e-7)
    assert [unit.path for unit in found.units] == [unit.path for unit in HYBRID_UNITS]
    for unit in found.units:
        where = places(model, unit.path)
        block = exact[where][:, where]
        assert unit.spectrum.params == len(where)
        assert unit.spectrum.eigenvalues[0] == pytest.approx(largest(block, 4), rel=1e-5)
        assert unit.spectrum.largest[0] == pytest.approx(np.linalg.eigvalsh(block.numpy())[-1], rel=1e-5)
    for stage in found.stages:
        where = places(model, *(unit.path for unit in HYBRID_UNITS if unit.stage == stage.stage))
        assert stage.spectrum.params == len(where)
        assert stage.spectrum.eigenvalues[0] == pytest.approx(largest(exact[where][:, where], 4), rel=1e-5)
    assert [stage.stage for stage in found.stages] == [1, 2]
    assert found.asymmetry[0] < 1e-12


def test_no_block_is_sharper_than_its_stage_nor_a_stage_than_the_network() -> None:
    model, batch = hybrid(4), images(3)
    whole = hessian.measure(model, [batch], tol=1e-7).largest[0]
    found = measure(model, [batch], HYBRID_UNITS, tol=1e-7)
    stages = {stage.stage: stage.spectrum.largest[0] for stage in found.stages}
    assert max(stages.values()) <= whole * (1 + 1e-9)
    assert all(unit.spectrum.largest[0] <= stages[unit.stage] * (1 + 1e-9) for unit in found.units)


def test_one_graph_serves_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model, passes = hybrid(4), []
    model.register_forward_hook(lambda *_: passes.append(1))
    measure(model, [images(3)] * 2, HYBRID_UNITS, k=1)
    assert len(passes) == 2


def test_weight_decay_frozen_weights_and_small_blocks() -> None:
    model = hybrid(4)
    model.stage1[1].requires_grad_(False)
    model.stage1[0].conv.requires_grad_(False)  # its BatchNorm's six weights are left
    plain = measure(model, [images(3)], HYBRID_UNITS, k=9, tol=1e-7)
    decayed = measure(model, [images(3)], HYBRID_UNITS, k=9, tol=1e-7, weight_decay=0.5)
    assert plain.notes == ("stage1.1 has no weights",)
    assert [unit.path for unit in plain.units] == ["stage1.0", "stage2.0", "stage2.1"]
    first, shifted = plain.units[0].spectrum, decayed.units[0].spectrum
    assert first.eigenvalues.shape == (1, 6)  # as many as there are weights
    assert np.sort(shifted.eigenvalues[0]) == pytest.approx(np.sort(first.eigenvalues[0]) + 0.5, abs=1e-9)


def test_scores() -> None:
    found = measure(hybrid(4), [images(3), images(5, seed=3)], HYBRID_UNITS, k=1)
    conv = np.mean([np.log(unit.spectrum.largest) for unit in found.units if unit.kind == "conv"])
    assert found.scores()["block_log_lambda_conv"] == pytest.approx(conv, rel=0.1)
    assert set(found.scores()) == {"block_log_lambda_conv", "block_log_lambda_msa"}
    flat = dataclasses.replace(
        found,
        units=tuple(
            dataclasses.replace(u, spectrum=dataclasses.replace(u.spectrum, largest=np.array([0.0, 1.0])))
            for u in found.units
        ),
    )
    assert flat.scores() == {}
    plot(flat, Figure().add_subplot())


def test_the_figure() -> None:
    found = measure(hybrid(4), [images(3), images(5)], HYBRID_UNITS, k=1)
    axes = Figure().add_subplot()
    plot(found, axes)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["C", "M", "C", "M"]
    assert sum(patch.get_facecolor()[:3] != (1, 1, 1) for patch in axes.patches) == 2  # the shading of attention
    marks = sorted(float(line.get_ydata()[0]) for line in axes.lines if line.get_label() == "_negative")
    assert marks == pytest.approx(sorted(-u.spectrum.smallest.mean() for u in found.units))
    plot(found, axes, label="second", color="#d55e00")
    assert axes.get_yscale() == "log"


def _without_weights() -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).double()


def test_bad_input() -> None:
    relu = Unit("0", "R", "conv", 1, (8, 8))
    with pytest.raises(RunError, match="no block has weights"):
        measure(_without_weights(), [images()], [relu])
    with pytest.raises(UsageError, match="no block 'stage9'"):
        measure(hybrid(), [images()], [relu._replace(path="stage9")])
    with pytest.raises(UsageError, match="no blocks"):
        measure(hybrid(), [images()], [])
    with pytest.raises(UsageError, match="0 eigenvalues"):
        measure(hybrid(), [images()], HYBRID_UNITS, k=0)
    model = hybrid()
    nn.init.constant_(model.head.weight, float("nan"))
    with pytest.raises(RunError, match="the loss of batch 1 is nan"):
        measure(model, [images()], HYBRID_UNITS)
    assert torch.is_grad_enabled()
    assert isinstance(measure(hybrid(), [images(1)], HYBRID_UNITS, k=1), BlocksResult)  # one image
