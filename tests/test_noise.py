"""Band noise by its own spectrum, and its effect on a linear model in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from small_networks import hybrid, images, one_thread  # noqa: F401
from torch import Tensor, nn

from archdsl.analyses import measure_all
from archdsl.analyses.noise import BANDS, NoiseResult, band_noise, measure, plot, ring
from archdsl.base.errors import RunError, UsageError
from archdsl.data.dataset import Dataset, Split


def white(side: int, count: int = 3, channels: int = 2) -> Tensor:
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("side", [20, 27, 28])
def test_the_bands_share_all_frequencies_but_zero(side: int) -> None:
    together = torch.stack([ring((side, side), *band) for band in BANDS]).sum(0)
    expected = torch.ones(side, side, dtype=torch.int64)
    expected[0, 0] = 0
    assert torch.equal(together, expected)


@pytest.mark.parametrize("band", range(10))
def test_noise_lives_in_its_ring_alone(band: int) -> None:
    low, high = BANDS[band]
    noise = band_noise(white(20), ring((20, 20), low, high), 0.3).numpy()
    energy = np.abs(np.fft.fft2(noise)) ** 2
    for row in range(20):
        for column in range(20):
            size = max(min(row, 20 - row), min(column, 20 - column)) / 10  # of pi
            inside = round(10 * low) < round(10 * size) <= round(10 * high)
            assert (energy[..., row, column] > 1e-6).all() if inside else (energy[..., row, column] < 1e-18).all()


def test_equal_norms_and_those_of_the_public_code() -> None:
    x = white(28, count=200)
    masks = [ring((28, 28), *band) for band in BANDS]
    for mask in masks:
        assert band_noise(x, mask, 0.1).flatten(1).norm(dim=1).numpy() == pytest.approx(0.1 * math.sqrt(2 * 28 * 28))
    energy = np.array([band_noise(x, mask, 0.1, "parkkim").square().sum().item() / 200 for mask in masks])
    bins = np.array([int(mask.sum()) for mask in masks])
    assert energy == pytest.approx(0.01 * 2 * bins, rel=0.05)  # white noise: the same in every bin
    assert energy[-1] > 2.5**2 * energy[0]  # the three-fold growth that confounds the figure


class Probe(nn.Module):
    """Says class 1 where a cosine of one frequency, of amplitude 1 as a rule, weighs more than half; linear."""

    def __init__(self, side: int, bin_: int) -> None:
        super().__init__()
        wave = torch.cos(2 * math.pi * bin_ / side * torch.arange(side, dtype=torch.float64))
        self.wave = nn.Parameter(wave.expand(side, side) * 2 / side**2)

    def forward(self, x: Tensor) -> Tensor:
        weight = (x[:, 0] * self.wave).sum((1, 2)) - 0.5
        return torch.stack([torch.zeros_like(weight), weight], 1)


def test_a_linear_model_in_closed_form() -> None:
    """Only noise in the cosine's own band moves the answer: by a Gaussian of known width, so P(wrong) is known."""
    side, strength, std = 20, 0.5, 0.25
    bin_ = 7  # 0.7 pi, in band 6
    model = Probe(side, bin_)
    wave = torch.cos(2 * math.pi * bin_ / side * torch.arange(side, dtype=torch.float64)).expand(side, side)
    labels = torch.arange(4000) % 2
    x = (wave * labels[:, None, None])[:, None]
    found = measure(model, [(x[:2000], labels[:2000]), (x[2000:], labels[2000:])], std=[std], strength=strength)
    assert found.clean_accuracy == 1
    expected = np.ones(10)
    # White noise of variance s^2 per bin of the ring has variance strength^2 * n / bins per pixel-and-bin: the
    # weight of the cosine is then normal with variance 2 * strength^2 / bins, divided by std like the image.
    deviation = strength / std * math.sqrt(2 / int(ring((side, side), *BANDS[6]).sum()))
    expected[6] = 0.5 * (1 + math.erf(0.5 / deviation / math.sqrt(2)))
    assert expected[6] < 0.99
    error = math.sqrt(expected[6] * (1 - expected[6]) / 4000)
    assert found.accuracy[6] == pytest.approx(expected[6], abs=4 * error)
    assert np.delete(found.accuracy, 6) == pytest.approx(np.ones(9))
    scores = found.scores()
    assert scores["noise_auc"] == pytest.approx((9 + found.accuracy[6]) / 10)
    assert scores["noise_tilt"] == pytest.approx((4 + found.accuracy[6]) / 5 - 1)
    a, b = found.correct[6] / 2000
    assert found.standard_errors()["noise_tilt"] == pytest.approx(abs(a - b) / 5 / 2)  # the jackknife of a mean of two


def test_before_normalisation_and_from_the_seed() -> None:
    """The network sees (image + noise - mean) / std: what it is given here, times std, is the noise itself."""
    seen: list[Tensor] = []

    class Keeps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x.flatten(1)[:, :3]

    x, labels = torch.zeros(4, 2, 10, 10), torch.zeros(4, dtype=torch.int64)
    measure(Keeps(), [(x, labels)], std=[0.2, 0.4], strength=0.1)
    noises = [one * torch.tensor([0.2, 0.4]).view(1, 2, 1, 1) for one in seen[1:]]
    assert len(noises) == 5  # 10 x 10 images have the frequencies 0.2, 0.4, … pi
    for noise in noises:
        assert noise.square().mean((1, 2, 3)).sqrt().numpy() == pytest.approx(np.full(4, 0.1), rel=1e-5)
    first = [one.clone() for one in seen]
    seen.clear()
    measure(Keeps(), [(x, labels)], std=[0.2, 0.4], strength=0.1)
    assert all(torch.equal(a, b) for a, b in zip(first, seen, strict=True))
    seen.clear()
    measure(Keeps(), [(x, labels)], std=[0.2, 0.4], strength=0.1, seed=1)
    assert not torch.equal(first[1], seen[1])


def test_the_data_set_says_how_its_images_were_normalised() -> None:
    pixels = torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8)
    split = Split(pixels, torch.zeros(8, dtype=torch.int64))
    data = Dataset("x", 3, split, split, split, (0.5,), (0.25,), True, "0" * 64)
    seen: list[Tensor] = []

    class Keeps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x.flatten(1)[:, :3]

    measure_all(Keeps(), data, only=["noise"])
    assert (seen[1] - seen[0]).square().mean().sqrt().item() == pytest.approx(0.1 / 0.25, rel=1e-5)


def test_bands_without_a_frequency_are_left_out_with_a_note() -> None:
    found = measure(hybrid(), [images(4), images(5, seed=1)])
    assert found.frequency.tolist() == [0.3, 0.5, 0.8, 1.0]
    assert found.notes[0] == "0 to 0.1 pi: images of 8 x 8 have no frequency there"
    assert len(found.notes) == 6
    assert found.correct.shape == (4, 2)


def test_the_model_is_left_as_found() -> None:
    model = hybrid()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure(model, [images()])
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_nothing_right_without_noise_has_no_ratio() -> None:
    found = NoiseResult(np.array([0.5, 1.0]), np.zeros((2, 2)), np.zeros(2), np.array([4.0, 4.0]), 0.1, ())
    assert found.scores() == {"noise_tilt": 0.0}
    assert found.standard_errors() == {"noise_tilt": 0.0}
    plot(found, Figure().add_subplot())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"strength": 0.0}, UsageError, "noise of strength 0"),
        ({"strength": float("nan")}, UsageError, "noise of strength nan"),
        ({"std": (1.0, 1.0)}, UsageError, "2 standard deviations for 1 channels"),
    ],
)
def test_bad_options(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        measure(hybrid(), [images()], **options)  # type: ignore[arg-type]


def test_images_of_one_pixel_and_outputs_that_are_not_finite() -> None:
    with pytest.raises(RunError, match="1 x 1 have no frequencies"):
        measure(nn.Flatten(), [(torch.zeros(2, 3, 1, 1), torch.zeros(2, dtype=torch.int64))])
    model = hybrid()
    nn.init.constant_(model.head.weight, float("inf"))
    with pytest.raises(RunError, match="outputs are not finite"):
        measure(model, [images()])
