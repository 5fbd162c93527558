"""The density of the Hessian's eigenvalues and the trace, against known spectra and dense Hessians, in float64."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from small_networks import hybrid, images, one_thread  # noqa: F401
from test_hessian import dense, dense_hybrid
from torch import Tensor, nn

from archdsl.analyses.curvature.lanczos import Krylov, lanczos
from archdsl.analyses.hessian_density import DensityResult, measure
from archdsl.analyses.subjects.modules import of_module
from archdsl.analyses.subjects.subject import Options, attempt
from archdsl.base.errors import RunError, UsageError
from archdsl.cli.main import run

SPECTRUM = np.concatenate([[-3.0, 20.0, 40.0], np.linspace(0, 1, 37)])


def _run(matrix: Tensor, probe: Tensor, steps: int) -> Krylov:
    return lanczos(lambda v: matrix @ v, probe, lambda run: bool(run.offdiagonal[-1] == 0), limit=steps)


def _rotated(spectrum: np.ndarray) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(len(spectrum), len(spectrum), generator=generator, dtype=torch.float64)).Q
    return (rotation * torch.from_numpy(spectrum)) @ rotation.T


def test_quadrature_is_exact_for_polynomials() -> None:
    """Gauss's rule of m nodes up to degree 2m - 1: v'A^d v."""
    matrix = _rotated(np.linspace(-1, 1.5, 40))
    probe = torch.randn(40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    probe /= probe.norm()
    nodes, weights = _run(matrix, probe, 4).quadrature()
    for degree in range(8):
        expected = float(probe @ torch.linalg.matrix_power(matrix, degree) @ probe)
        assert weights @ nodes**degree == pytest.approx(expected, rel=1e-10)
    expected = float(probe @ torch.linalg.matrix_power(matrix, 8) @ probe)
    assert weights @ nodes**8 != pytest.approx(expected, rel=1e-6)  # and no further


def test_all_unit_vectors_as_probes_give_every_moment() -> None:
    matrix = _rotated(SPECTRUM)
    rules = [_run(matrix, unit, 6).quadrature() for unit in torch.eye(len(SPECTRUM), dtype=torch.float64)]
    for degree in (1, 2, 3):
        found = sum(weights @ nodes**degree for nodes, weights in rules)
        assert found == pytest.approx((SPECTRUM**degree).sum(), rel=1e-10)
    full = _run(matrix, torch.ones(len(SPECTRUM), dtype=torch.float64), len(SPECTRUM)).quadrature()[0]
    assert full == pytest.approx(np.sort(SPECTRUM), abs=1e-9)  # as many steps as dimensions: the spectrum itself


def test_a_hybrids_density_has_the_moments_of_its_dense_hessian() -> None:
    exact = np.linalg.eigvalsh(dense_hybrid().numpy())
    size, probes = len(exact), 60
    found = measure(hybrid(4), [images(3)], steps=4, probes=probes)
    assert found.params == size
    assert found.weights.sum(-1) == pytest.approx(np.ones((1, probes)))
    assert found.traces == pytest.approx(size * (found.weights * found.nodes).sum(-1))
    for degree in (1, 2, 3):
        each = size * (found.weights * found.nodes**degree).sum(-1)[0]
        error = each.std(ddof=1) / probes**0.5
        assert abs(each.mean() - (exact**degree).sum()) < 3.5 * error, degree
    assert abs(found.scores()["hessian_trace"] - exact.sum()) < 3.5 * (found.probe_error() or 0)
    assert found.probe_error() == pytest.approx(found.traces.std(ddof=1) / probes**0.5)
    assert found.asymmetry[0] < 1e-12


def test_as_many_steps_as_parameters_give_the_whole_spectrum() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()
    model[1].weight.requires_grad_(False)
    batch = images(5)
    exact = np.linalg.eigvalsh(dense(model, batch).numpy())  # (3, 3): of the bias
    found = measure(model, [batch], steps=50, probes=6)
    assert found.nodes.shape[2] <= 3  # the space is exhausted then
    assert {float(node) for node in found.nodes[found.weights > 1e-9].round(9)} <= set(exact.round(9))
    at, heights = found.density()
    assert np.trapezoid(heights, at) == pytest.approx(1, abs=1e-3)
    assert found.scores()["negative_energy"] == pytest.approx(0, abs=1e-12)


def test_weight_decay_is_in_no_score(little: Path) -> None:
    """It would hide how convex the loss is: wd times the parameters is more than the sum of all other eigenvalues."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3, 4), nn.Tanh(), nn.Flatten(), nn.Linear(98, 10))
    plain = of_module(model, ["0"], data=f"npz:{little}", device="cpu")
    options = Options(only=("hessian_density",), batches=1, batch_size=4, device="cpu")
    found = [
        attempt(replace(plain, weight_decay=decay), options, None, print)[0]["hessian_density"].scores()
        for decay in (0.0, 10.0)
    ]
    assert found[0] == found[1]
    assert found[0]["negative_energy"] > 0


def test_negative_energy_of_a_known_spectrum() -> None:
    found = _result(np.array([[[-2.0, 1.0, 4.0]], [[-1.0, 0.0, 1.0]]]))
    assert found.scores() == pytest.approx({"negative_energy": 3 / 9, "hessian_trace": (30 + 0) / 2})
    assert set(found.standard_errors()) == {"negative_energy", "hessian_trace"}
    assert found.standard_errors()["hessian_trace"] == pytest.approx(15)
    assert found.probe_error() is None
    assert found.notes == ()


def _result(nodes: np.ndarray) -> DensityResult:
    none = np.zeros(len(nodes))
    weights = np.full(nodes.shape, 1 / nodes.shape[2])
    return DensityResult(nodes, weights, 30 * nodes.mean(2), none, none, 30, 4)


def test_the_figure_shows_a_hill_for_every_group_of_eigenvalues() -> None:
    found = _result(np.array([[[-2.0, 1.0, 4.0]]]))
    axes = Figure().add_subplot()
    found_at, heights = found.density()
    peaks = [i for i in range(1, len(heights) - 1) if heights[i - 1] < heights[i] > heights[i + 1]]
    assert found_at[peaks] == pytest.approx([-2, 1, 4], abs=0.01)
    from archdsl.analyses.hessian_density import plot

    plot(found, axes, label="a")
    plot(found, axes, label="b")
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert len({axes.collections[0].get_facecolor().tobytes(), axes.collections[1].get_facecolor().tobytes()}) == 2
    plot(_result(np.zeros((1, 1, 3))), Figure().add_subplot())  # a flat loss


def test_the_same_seed_gives_the_same_numbers() -> None:
    model, batches = hybrid(dtype=torch.float32), [images(4, dtype=torch.float32)]
    first = measure(model, batches, steps=8, seed=5)
    assert (first.nodes == measure(model, batches, steps=8, seed=5).nodes).all()
    assert (first.traces != measure(model, batches, steps=8, seed=6).traces).any()
    assert first.traces.shape == (1, 2)


def test_bad_input() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()
    for options in ({"steps": 0}, {"probes": 0}):
        with pytest.raises(UsageError, match="one probe of one step at least"):
            measure(model, [images()], **options)
    nn.init.constant_(model[1].weight, float("inf"))
    with pytest.raises(RunError, match="the loss of batch 1 is nan"):
        measure(model, [images()])


def test_vectors_that_do_not_fit_are_told_of_before_anything_runs() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 80_000)).double()  # 10^13 numbers
    runs: list[int] = []
    model.register_forward_pre_hook(lambda *_: runs.append(1))
    with pytest.raises(RunError, match="no room for 5200000 Lanczos vectors of 5200000 parameters") as caught:
        measure(model, [images()], steps=10**9)
    assert "fewer `steps`" in str(caught.value.help)
    assert not runs


def test_the_option_adds_it(
    little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the training's state goes into `runs` here
    spec = tmp_path / "tiny.arch"
    spec.write_text("model tiny stem patch(4, k=4) stage(4)[C] train(epochs=1, batch=32)")
    common = ["analyze", str(spec), "--data", f"npz:{little}", "--device", "cpu", "--only", "quality", "--density"]
    common += ["--batches", "2", "--batch-size", "4", "--out", str(tmp_path / "analysis"), "--json"]
    assert run(common) == 0
    captured = capsys.readouterr()
    assert {"accuracy", "hessian_trace", "negative_energy"} <= set(json.loads(captured.out)["scores"])
    assert "standard error of the probes alone" in captured.err
    with np.load(tmp_path / "analysis" / "hessian_density.npz", allow_pickle=False) as arrays:
        assert arrays["nodes"].shape == arrays["weights"].shape
        assert arrays["traces"].shape == (2, 2)
    assert (tmp_path / "analysis" / "hessian_density.png").stat().st_size > 1000
    assert "Density of the Hessian" in (tmp_path / "analysis" / "analysis.html").read_text()
