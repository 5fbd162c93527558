"""Linear CKA against the formula written out, itself, and what it must not see: rotations and scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from small_networks import HYBRID_UNITS, TOKEN_UNITS, Tokens, hybrid, images, one_thread  # noqa: F401
from torch import Tensor, nn

from archdsl.analyses.cka import CkaResult, centred_gram, measure, plot
from archdsl.base.errors import RunError, UsageError
from archdsl.network.units import Unit


def hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased HSIC as Song et al. 2012 and Nguyen et al. 2021, equation 3, write it."""
    n = len(x)
    K, L = x @ x.T, y @ y.T
    np.fill_diagonal(K, 0)
    np.fill_diagonal(L, 0)
    ones = np.ones(n)
    return (
        np.trace(K @ L)
        + (ones @ K @ ones) * (ones @ L @ ones) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (ones @ K @ L @ ones)
    ) / (n * (n - 3))


def outputs(model: nn.Module, units: tuple[Unit, ...], x: Tensor) -> list[np.ndarray]:
    kept: dict[str, np.ndarray] = {}
    handles = []
    for unit in units:

        def keep(module: nn.Module, inputs: tuple[Tensor], output: Tensor, unit: Unit = unit) -> None:
            kept[unit.path] = (output[:, unit.prefix :] if unit.prefix else output).detach().flatten(1).numpy()

        handles.append(model.get_submodule(unit.path).register_forward_hook(keep))
    model.eval()(x)
    for handle in handles:
        handle.remove()
    return [kept[unit.path] for unit in units]


@pytest.mark.parametrize("network", ["hybrid", "tokens"])
def test_the_formula_written_out(network: str) -> None:
    torch.manual_seed(0)
    model, units = (hybrid(), HYBRID_UNITS) if network == "hybrid" else (Tokens().double(), TOKEN_UNITS)
    batches = [images(9), images(7, seed=1), images(4, seed=2)]
    found = measure(model, batches, units)
    seen = [outputs(model, units, x) for x, _ in batches]
    for i in range(len(units)):
        for j in range(len(units)):
            expected = [hsic(maps[i], maps[j]) for maps in seen]
            assert found.hsic[:, i, j] == pytest.approx(expected, rel=1e-9)
            pair, own, other = (np.mean([hsic(maps[a], maps[b]) for maps in seen]) for a, b in ((i, j), (i, i), (j, j)))
            assert found.similarity[i, j] == pytest.approx(pair / math.sqrt(own * other))


def test_one_on_itself_and_symmetric() -> None:
    similarity = measure(hybrid(), [images(6), images(8, seed=1)], HYBRID_UNITS).similarity
    assert np.diag(similarity) == pytest.approx(np.ones(4))
    assert similarity == pytest.approx(similarity.T)


class Mixed(nn.Module):
    """A map, and the same map with its channels rotated, scaled and shifted; then one that has nothing to do with it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Identity()
        self.second = nn.Conv2d(4, 4, 1).double()
        self.third = nn.Identity()
        rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
        self.second.weight.data = 3.7 * rotation[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(x))
        self.third(torch.randn(x.shape, dtype=x.dtype))
        return x.mean((2, 3))


def test_rotations_and_scale_are_not_seen_and_likeness_by_chance_averages_out() -> None:
    units = [Unit(name, "C", "conv", 1, (3, 3)) for name in ("first", "second", "third")]
    batches = [(torch.randn(8, 4, 3, 3, dtype=torch.float64), torch.zeros(8)) for _ in range(200)]
    found = measure(Mixed(), batches, units)
    assert found.similarity[0, 1] == pytest.approx(1, abs=1e-12)
    assert abs(found.similarity[0, 2]) < 0.05  # without bias, on 8 images with 36 numbers each
    biased = [x.numpy().reshape(8, -1) for x, _ in batches[:2]]
    centred = [x - x.mean(0) for x in biased]
    a, b = (x @ x.T for x in centred)
    assert (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()) > 0.5  # the usual estimate finds chance alike


def test_centring_takes_constants_out() -> None:
    x = torch.randn(7, 5, dtype=torch.float64)
    gram = centred_gram(x)
    assert gram.sum(0).numpy() == pytest.approx(np.zeros(7), abs=1e-12)
    assert centred_gram(x + 100).numpy() == pytest.approx(gram.numpy(), abs=1e-9)
    in_float32 = centred_gram((x + 100).float()).numpy()
    assert in_float32 == pytest.approx(gram.numpy(), abs=1e-3)


def test_scores() -> None:
    found = measure(hybrid(), [images(9), images(7, seed=1), images(6, seed=2)], HYBRID_UNITS)

    def score(kept: list[int]) -> float:
        similarity = CkaResult(found.units, found.hsic[kept], found.images[kept]).similarity
        return float(np.mean([similarity[i, i + 1] for i in range(3)]))

    assert found.scores() == {"cka_neighbours": pytest.approx(score([0, 1, 2]))}
    left_out = np.array([score([1, 2]), score([0, 2]), score([0, 1])])
    error = math.sqrt(2 / 3 * np.sum((left_out - left_out.mean()) ** 2))
    assert found.standard_errors() == {"cka_neighbours": pytest.approx(error)}
    alone = measure(hybrid(), [images(9)], HYBRID_UNITS[:1])
    assert (alone.scores(), alone.standard_errors()) == ({}, {})


def test_a_unit_that_tells_no_image_from_another() -> None:
    model = hybrid()
    nn.init.zeros_(model.stem.weight)
    found = measure(model, [images(6)], HYBRID_UNITS)
    assert found.scores() == {}
    assert np.isnan(found.similarity).all()
    figure = Figure()
    plot(CkaResult.from_json(found.to_json()), figure.add_subplot())
    figure.canvas.draw()


def test_bad_batches_and_numbers() -> None:
    with pytest.raises(UsageError, match="batch of 3 images"):
        measure(hybrid(), [images(6), images(3)], HYBRID_UNITS)
    model = hybrid()
    nn.init.constant_(model.stem.weight, float("nan"))
    with pytest.raises(RunError, match=r"'stage1\.0' is not finite"):
        measure(model, [images()], HYBRID_UNITS)
    assert not any(module._forward_hooks for module in model.modules())


def test_the_figure_is_the_matrix() -> None:
    found = measure(hybrid(), [images(9)], HYBRID_UNITS)
    figure = Figure()
    ax = figure.add_subplot()
    plot(found, ax)
    plot(found, ax, label="net", color="#d55e00")
    assert np.array_equal(np.asarray(ax.images[0].get_array()), found.similarity)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["C", "M", "C", "M"]
    assert (len(ax.images), len(figure.axes)) == (1, 2)  # itself and one colour bar
