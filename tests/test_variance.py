"""Feature-map variance against a constant map, a scaling, NumPy, and a map computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from small_networks import HYBRID_UNITS, TOKEN_UNITS, Tokens, hybrid, images, one_thread  # noqa: F401
from torch import Tensor, nn

from archdsl.analyses.fourier import FourierObserver
from archdsl.analyses.fourier import measure as fourier
from archdsl.analyses.measuring.features import watch
from archdsl.analyses.variance import VarianceObserver, VarianceResult, measure, plot
from archdsl.base import colours
from archdsl.base.errors import RunError
from archdsl.network.units import Unit


class Times(nn.Module):
    """A unit that scales its map."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def of_maps(maps: Tensor, *factors: float) -> VarianceResult:
    """The variances of a chain of scalings that these maps go through."""
    grid = (maps.shape[2], maps.shape[3])
    units = [Unit(str(index), "C", "conv", 1, grid) for index in range(len(factors))]
    return measure(nn.Sequential(*map(Times, factors)), [(maps, torch.zeros(len(maps)))], units)


def test_computed_by_hand() -> None:
    """[[0, 2], [4, 6]]: mean 3, squares 9 + 1 + 1 + 9 = 20, over 3; the second channel is constant."""
    maps = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]], [[5.0, 5.0], [5.0, 5.0]]]], dtype=torch.float64)
    assert of_maps(maps, 1.0).units[0].after == pytest.approx([20 / 3 / 2])


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_a_constant_map_has_none(value: float) -> None:
    found = of_maps(torch.full((3, 2, 7, 7), value, dtype=torch.float32), 1.0, 2.0)
    assert [unit.after.tolist() for unit in found.units] == [[0.0], [0.0]]
    assert found.scores() == {}  # no ratio of nothing to nothing
    plot(found, Figure().add_subplot())


def test_scaling_by_c_gives_c_squared() -> None:
    x = torch.randn(3, 2, 5, 4, dtype=torch.float64)
    found = of_maps(x, 1.0, 3.0, 0.5)
    variance = x.numpy().var((2, 3), ddof=1).mean()
    assert [unit.after[0] for unit in found.units] == pytest.approx([variance, 9 * variance, 2.25 * variance])
    assert found.units[1].change == pytest.approx([np.log(9)])
    assert found.scores()["variance_change_conv"] == pytest.approx((0 + np.log(9) - np.log(4)) / 3)


def test_a_plain_loop_over_the_hybrid() -> None:
    model, batches = hybrid(), [images(4), images(3, seed=1)]
    found = measure(model, batches, HYBRID_UNITS)
    model.eval()
    seen: dict[str, list[np.ndarray]] = {unit.path: [] for unit in HYBRID_UNITS}
    into: dict[str, list[np.ndarray]] = {unit.path: [] for unit in HYBRID_UNITS}
    for unit in HYBRID_UNITS:

        def keep(module: nn.Module, inputs: tuple[Tensor], output: Tensor, path: str = unit.path) -> None:
            into[path].append(inputs[0].detach().numpy())
            seen[path].append(output.detach().numpy())

        model.get_submodule(unit.path).register_forward_hook(keep)
    for x, _ in batches:
        model(x)
    changes: dict[str, list[list[float]]] = {"conv": [], "msa": []}
    for unit, got in zip(HYBRID_UNITS, found.units, strict=True):
        after = [maps.var((2, 3), ddof=1).mean() for maps in seen[unit.path]]
        assert got.after == pytest.approx(after)
        if unit.path == "stage2.0":  # strides
            assert got.before is None
            continue
        before = [maps.var((2, 3), ddof=1).mean() for maps in into[unit.path]]
        assert got.before == pytest.approx(before)
        changes[unit.kind].append(np.log(np.array(after) / before))
    scores, errors = found.scores(), found.standard_errors()
    assert set(scores) == set(errors) == {"variance_change_conv", "variance_change_msa"}
    for kind, rows in changes.items():
        by_batch = np.mean(rows, axis=0)
        assert scores[f"variance_change_{kind}"] == pytest.approx((4 * by_batch[0] + 3 * by_batch[1]) / 7)
        assert errors[f"variance_change_{kind}"] == pytest.approx(2 * 4 / 7 * 3 / 7 * abs(by_batch[0] - by_batch[1]))


def test_tokens_without_their_class_token() -> None:
    torch.manual_seed(0)
    model = Tokens().double()
    found = measure(model, [images(3)], TOKEN_UNITS)
    kept: list[Tensor] = []
    model.blocks[1].register_forward_hook(lambda m, i, o: kept.append(o))
    model.eval()(images(3)[0])
    assert found.units[1].after == pytest.approx([kept[0].detach()[:, 1:].numpy().var(1, ddof=1).mean()])
    assert set(found.scores()) == {"variance_change_mlp"}


def test_one_forward_pass_for_two_analyses() -> None:
    model, batches = hybrid(), [images(4), images(3, seed=1)]
    passes = []
    model.register_forward_hook(lambda m, i, o: passes.append(1))
    both = [FourierObserver(HYBRID_UNITS), VarianceObserver(HYBRID_UNITS)]
    watch(model, batches, HYBRID_UNITS, both)
    assert len(passes) == 2
    assert both[0].result().to_json() == fourier(model, batches, HYBRID_UNITS).to_json()
    assert both[1].result().to_json() == measure(model, batches, HYBRID_UNITS).to_json()


def test_maps_of_one_pixel_are_left_out_with_a_note() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 2, 1)).double()
    big, small = Unit("0", "C", "conv", 1, (8, 8)), Unit("2", "C", "conv", 2, (1, 1))
    found = measure(model, [images(2)], [big, small])
    assert [unit.path for unit in found.units] == ["0"]
    assert found.notes == ("2 is 1 x 1: no variance",)
    with pytest.raises(RunError, match="larger than 1 x 1, so there is no variance"):
        measure(model, [images(2)], [small])


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_numbers_that_are_not_finite(bad: float) -> None:
    model = hybrid()
    nn.init.constant_(model.stem.weight, bad)
    with pytest.raises(RunError, match=r"'stage1\.0' is not finite"):
        measure(model, [images()], HYBRID_UNITS)


def test_the_figure_shows_the_variances() -> None:
    found = measure(hybrid(), [images(4), images(4, seed=1)], HYBRID_UNITS)
    ax = Figure().add_subplot()
    plot(found, ax)
    line = ax.lines[0]
    assert line.get_ydata()[0] == pytest.approx(found.units[0].before.mean())
    assert line.get_ydata()[1:] == pytest.approx([unit.after.mean() for unit in found.units])
    assert ax.get_yscale() == "log"
    assert len(ax.patches) == 2  # the two attention units
    assert [text.get_text() for text in ax.texts] == ["4 × 4"]
    plot(found, ax, label="second", color=colours.network(1))
    assert "second" in [text.get_text() for text in ax.get_legend().get_texts()]
