"""The Fourier analysis against Parseval, an impulse, a cosine, a blur's transfer function and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from small_networks import HYBRID_UNITS, TOKEN_UNITS, Tokens, hybrid, images, one_thread  # noqa: F401
from torch import Tensor, nn

from archdsl.analyses.fourier import FLOOR, diagonal, frequencies, measure
from archdsl.analyses.results.depth import common_legend
from archdsl.analyses.results.fourier import FourierResult, plot
from archdsl.base.errors import RunError, UsageError
from archdsl.network.units import Unit


class Through(nn.Module):
    """A one-unit network: the unit turns images into maps."""

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        self.unit = unit
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.unit(x).mean((2, 3)) * self.weight


def curve(maps: Tensor) -> np.ndarray:
    """dA of these maps, through `measure`."""
    unit = Unit("unit", "C", "conv", 1, (maps.shape[2], maps.shape[3]))
    found = measure(Through(nn.Identity()), [(maps, torch.zeros(len(maps)))], [unit])
    return found.units[0].relative


@pytest.mark.parametrize("side", [4, 7, 8])
def test_parseval(side: int) -> None:
    """The diagonal is the spectrum of the sums along the other diagonals, so its energy is theirs."""
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    amplitude = diagonal(x)
    h, w = np.indices((side, side))
    sums = torch.stack([x[..., torch.from_numpy((h + w) % side == m)].sum(-1) for m in range(side)], -1)
    twice = torch.full((side // 2 + 1,), 2.0, dtype=torch.float64)  # a bin and its mirror image
    twice[0] = 1
    if side % 2 == 0:
        twice[-1] = 1
    assert (twice * amplitude**2).sum(-1).numpy() == pytest.approx(side * (sums**2).sum(-1).numpy())


@pytest.mark.parametrize("shape", [(6, 6), (7, 7), (4, 12), (12, 4), (5, 8), (9, 6)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_diagonal_is_bins_of_the_whole_spectrum(shape: tuple[int, int], layout: torch.memory_format) -> None:
    x = torch.randn(2, 3, *shape, dtype=torch.float64).to(memory_format=layout)
    spectrum, side = np.abs(np.fft.fft2(x.numpy())), min(shape)
    for bin_, found in enumerate(diagonal(x).numpy().transpose(2, 0, 1)):
        row, column = (round(bin_ * length / side) for length in shape)
        assert found == pytest.approx(spectrum[..., row, column], abs=1e-12)


@pytest.mark.parametrize("side", [2, 5, 8])
def test_impulse_is_flat(side: int) -> None:
    impulse = torch.zeros(1, 2, side, side, dtype=torch.float64)
    impulse[..., 1, side // 2] = 3.0
    assert curve(impulse) == pytest.approx(np.zeros(side // 2 + 1), abs=1e-9)


@pytest.mark.parametrize(("side", "bin_"), [(8, 1), (8, 4), (7, 2)])
def test_cosine_is_one_bin(side: int, bin_: int) -> None:
    place = torch.arange(side, dtype=torch.float64)
    wave = torch.cos(2 * math.pi * bin_ / side * (place[:, None] + place))
    amplitude = diagonal(wave[None, None])[0, 0]
    expected = np.zeros(side // 2 + 1)
    expected[bin_] = side**2 if 2 * bin_ == side else side**2 / 2
    assert amplitude.numpy() == pytest.approx(expected, abs=1e-9)
    assert frequencies((side, side))[bin_] == pytest.approx(2 * bin_ / side)


def test_frequencies_are_true_ones() -> None:
    assert frequencies((4, 4)).tolist() == [0, 0.5, 1]
    assert frequencies((7, 7))[-1] == pytest.approx(6 / 7)
    assert frequencies((6, 24)).tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_circular_blur_against_its_transfer_function() -> None:
    """A blur [1 2 1] / 4 in both directions multiplies the diagonal by ((1 + cos(pi f)) / 2)^2."""
    blur = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", bias=False).double()
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
    blur.weight.data = (taps[:, None] * taps)[None, None]
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    found = measure(Through(blur), [(x, torch.zeros(4))], [Unit("unit", "C", "conv", 1, (8, 8))]).units[0]
    assert found.before is not None
    f = found.frequency[:-1]  # at Nyquist the blur leaves 0
    gain = found.after[:-1] - found.before[:-1]
    assert gain == pytest.approx(np.log(((1 + np.cos(np.pi * f)) / 2) ** 2), abs=1e-4)
    assert found.after[-1] == pytest.approx(math.log(FLOOR), abs=1e-3)


def test_a_plain_loop_over_the_hybrid() -> None:
    model, batches = hybrid(), [images(4), images(3, seed=1)]
    found = measure(model, batches, HYBRID_UNITS)
    model.eval()
    for unit, got in zip(HYBRID_UNITS, found.units, strict=True):
        kept: list[Tensor] = []
        handle = model.get_submodule(unit.path).register_forward_hook(lambda m, i, o, kept=kept: kept.append(o))
        model(torch.cat([x for x, _ in batches]))
        handle.remove()
        rows = []
        for image in kept[0].detach().numpy():
            for channel in image:
                spectrum = np.abs(np.fft.fft2(channel))
                rows.append([math.log(spectrum[j, j] + 1e-6) for j in range(unit.grid[0] // 2 + 1)])
        assert got.after == pytest.approx(np.mean(rows, axis=0), abs=1e-9)
    assert [unit.before is None for unit in found.units] == [False, False, True, False]  # stage2.0 strides


def test_scores() -> None:
    found = measure(hybrid(), [images(4), images(3, seed=1), images(5, seed=2)], HYBRID_UNITS)
    first, second, third, fourth = found.units
    assert found.scores()["high_freq"] == pytest.approx((second.relative[2] + fourth.relative[1]) / 2)
    assert found.high_freq_by_stage() == pytest.approx({1: second.relative[2], 2: fourth.relative[1]})

    def change(unit) -> float:
        return float((unit.relative - (unit.before - unit.before[0]))[1:].mean())

    expected = (change(second) + change(fourth)) / 2 - change(first)  # third changes the grid
    assert third.before is None
    assert found.scores()["smoothing_contrast"] == pytest.approx(expected)
    errors = found.standard_errors()
    assert set(errors) == {"high_freq", "smoothing_contrast"}
    shares = np.array([4, 3, 5]) / 12
    spread = found.high_freq - found.scores()["high_freq"]
    assert errors["high_freq"] == pytest.approx(math.sqrt(1.5 * np.sum((shares * spread) ** 2)))


def test_one_batch_has_no_error_and_one_kind_no_contrast() -> None:
    found = measure(hybrid(), [images(1)], HYBRID_UNITS[1::2])
    assert set(found.scores()) == {"high_freq"}
    assert found.standard_errors() == {}


def test_half_pi_between_two_bins() -> None:
    x = torch.randn(3, 2, 7, 7, dtype=torch.float64)
    relative = curve(x)
    unit = Unit("unit", "C", "conv", 1, (7, 7))
    found = measure(Through(nn.Identity()), [(x, torch.zeros(3))], [unit])
    weight = (0.5 - 2 / 7) / (2 / 7)
    assert found.scores()["high_freq"] == pytest.approx((1 - weight) * relative[1] + weight * relative[2])


def test_maps_that_are_not_square_take_the_nearest_bins() -> None:
    x = torch.randn(2, 2, 4, 10, dtype=torch.float64)
    full = np.abs(np.fft.fft2(x.numpy()))
    assert diagonal(x).numpy() == pytest.approx(np.stack([full[..., 0, 0], full[..., 1, 2], full[..., 2, 5]], -1))


def test_tokens_with_a_class_token() -> None:
    torch.manual_seed(0)
    model = Tokens().double()
    found = measure(model, [images(3)], TOKEN_UNITS)
    kept: list[Tensor] = []
    model.blocks[1].register_forward_hook(lambda m, i, o: kept.append(o))
    model.eval()(images(3)[0])
    maps = kept[0].detach()[:, 1:].transpose(1, 2).reshape(3, 6, 4, 4).numpy()
    logs = np.log(np.abs(np.fft.fft2(maps))[..., range(3), range(3)] + 1e-6).mean((0, 1))
    assert found.units[1].after == pytest.approx(logs)
    assert found.units[1].before == pytest.approx(found.units[0].after)
    assert set(found.scores()) == {"high_freq"}


def test_maps_of_one_pixel_are_left_out_with_a_note() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 2, 1)).double()
    big, small = Unit("0", "C", "conv", 1, (8, 8)), Unit("2", "C", "conv", 2, (1, 1))
    found = measure(model, [images(2)], [big, small])
    assert [unit.path for unit in found.units] == ["0"]
    assert found.notes == ("2 is 1 x 1: no frequencies",)
    with pytest.raises(RunError, match="larger than 1 x 1"):
        measure(model, [images(2)], [small])


def test_an_input_changed_in_place_is_seen_as_it_went_in() -> None:
    """The unit before gave the very tensor, but a ReLU wrote into it on the way."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(2, 2, 3, padding=1)).double()
    units = [Unit("0", "C", "conv", 1, (8, 8)), Unit("2", "C", "conv", 1, (8, 8))]
    found = measure(model, [images(2)], units)
    assert found.units[1].before is not None
    assert np.abs(found.units[1].before - found.units[0].after).max() > 1e-3


def test_the_model_is_left_as_found() -> None:
    model = hybrid()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure(model, [images()], HYBRID_UNITS)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class _Skips(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Conv2d(1, 1, 1).double()
        self.unused = nn.Conv2d(1, 1, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


@pytest.mark.parametrize(
    ("model", "unit", "error", "message"),
    [
        (hybrid(), Unit("stage9", "C", "conv", 1, (8, 8)), UsageError, "no block 'stage9'"),
        (
            hybrid(),
            Unit("head", "C", "conv", 1, (8, 8)),
            RunError,
            "block 'head' gives a tensor .*, not a map of 8 x 8",
        ),
        (hybrid(), Unit("stem", "C", "conv", 1, (4, 4)), RunError, "not a map of 4 x 4"),
        (_Skips(), Unit("unused", "C", "conv", 1, (8, 8)), RunError, "'unused' was not run"),
    ],
)
def test_bad_units(model: nn.Module, unit: Unit, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        measure(model, [images()], [unit])
    assert not any(module._forward_hooks for module in model.modules())


def test_the_views_say_what_they_show() -> None:
    """Against depth: the highest frequency that all maps have; bands and subsampling are named; one legend for all."""
    found = measure(hybrid(), [images(3)], HYBRID_UNITS)  # 8 x 8 and 4 x 4: all reach Nyquist
    left, right = Figure().subplots(1, 2)
    plot(found, left, view="depth")
    heights = [found.units[0].before[-1] - found.units[0].before[0], *(unit.relative[-1] for unit in found.units)]
    assert left.lines[0].get_ydata() == pytest.approx(np.array(heights))
    assert left.get_ylabel() == "relative log amplitude\nat 1π (nats)"
    assert names(left) == ["Conv", "MSA, shaded", "subsampling"]
    unit = Unit("unit", "T", "mlp", 1, (7, 7))
    other = measure(Through(nn.Identity()), [(torch.randn(2, 1, 7, 7, dtype=torch.float64), torch.zeros(2))], [unit])
    plot(found, left, view="depth", beside=[other], color="black")
    assert left.get_ylabel() == "relative log amplitude\nat 0.86π (nats)"
    plot(other, right, view="depth", beside=[found])
    assert names(right) == ["MLP"]
    common_legend([left, right])
    assert left.get_legend() is None
    assert names(right) == ["Conv", "MLP", "MSA, shaded", "subsampling"]


def names(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_no_units_and_numbers_that_are_not_finite() -> None:
    with pytest.raises(RunError):
        measure(hybrid(), [images()], [])
    model = hybrid()
    nn.init.constant_(model.stem.weight, float("inf"))
    with pytest.raises(RunError, match=r"'stage1\.0' is not finite"):
        measure(model, [images()], HYBRID_UNITS)


def test_json_keeps_everything() -> None:
    found = measure(hybrid(), [images(2), images(2, seed=1)], HYBRID_UNITS)
    again = FourierResult.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert again.units[2].before is None
    assert again.units[0].grid == (8, 8)
    assert again.scores() == found.scores()
