"""Each corruption against a closed form, another implementation, or what it must leave alone."""

from __future__ import annotations

import colorsys
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from small_networks import hybrid, one_thread  # noqa: F401

from archdsl.analyses.corruption import CorruptionResult, measure
from archdsl.analyses.measuring import corruptions as c
from archdsl.analyses.measuring.corruptions import CORRUPTIONS, corrupt
from archdsl.base.errors import UnknownNameError, UsageError

PUBLISHED = {
    "gaussian_noise": 0.0618578942,
    "shot_noise": 0.0502457363,
    "impulse_noise": 0.0132276348,
    "defocus_blur": 0.1488019557,
    "motion_blur": 0.1843743617,
    "zoom_blur": 0.1921357996,
    "brightness": 0.0801840788,
    "contrast": 0.1502482894,
    "pixelate": 0.0898022621,
    "jpeg_compression": 0.1960037531,
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def smooth(count: int = 3, channels: int = 3, side: int = 32) -> np.ndarray:
    """Images with structure, of 8-bit values."""
    drawn = ndimage.gaussian_filter(rng(1).random((count, channels, side, side)), (0, 0, 2, 2))
    drawn = (drawn - drawn.min()) / (drawn.max() - drawn.min())
    return np.rint(255 * drawn) / 255


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
def test_all_of_them(name: str, channels: int, side: int) -> None:
    x = smooth(4, channels, side)
    found = corrupt(x, name, 5, 3)
    assert found.shape == x.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.allclose(found * 255, np.rint(found * 255))
    assert np.array_equal(found, corrupt(x, name, 5, 3))
    apart = [np.abs(corrupt(x, name, severity, 3) - x).mean() for severity in (1, 5)]
    assert min(apart) > 0
    assert apart[0] < apart[1]
    assert np.array_equal(x, smooth(4, channels, side))  # the images given are left alone
    grey = np.repeat(smooth(2, 1), 3, 1)
    if name not in ("gaussian_noise", "shot_noise", "impulse_noise"):  # those are drawn for each colour
        assert np.ptp(corrupt(grey, name, 3, 0), axis=1).max() < 2.5 / 255


def test_noise_has_the_moments_it_should_have() -> None:
    half = np.full((40, 3, 32, 32), 0.5)
    found = c.gaussian(half, 4, rng())
    assert (found.mean(), found.std()) == (pytest.approx(0.5, abs=1e-3), pytest.approx(0.1, rel=0.01))
    found = c.shot(half, 4, rng())
    assert (found.mean(), found.var()) == (pytest.approx(0.5, abs=1e-3), pytest.approx(0.5 / 50, rel=0.02))
    found = c.impulse(half, 4, rng())
    assert [(found == v).mean() for v in (0, 1)] == [pytest.approx(0.035, abs=2e-3)] * 2


def test_defocus_is_a_correlation_with_a_disc_of_sum_one() -> None:
    kernel = c.disc(1.5, 0.1)
    assert kernel.sum() == pytest.approx(1)
    middle = len(kernel) // 2
    inner = kernel[middle - 1 : middle + 2, middle - 1 : middle + 2]
    assert np.allclose(inner, 1 / 9, atol=1e-6)
    x = smooth(1, 1)
    found = c.defocus(x, 4, rng())[0, 0]
    assert found[10, 12] == pytest.approx(x[0, 0, 9:12, 11:14].mean(), abs=1e-6)


def test_motion_goes_along_its_direction() -> None:
    x = np.zeros((2, 1, 32, 32))
    x[:, :, 16, 16] = 1
    found = c.smeared(x, 6, 2.0, np.array([0.0, 90.0]))
    weights = np.exp(-(np.arange(13) ** 2) / 8)
    weights /= weights.sum()
    assert np.allclose(found[0, 0, 16, 4:17], weights[::-1])  # every pixel looks to the right
    assert np.allclose(found[1, 0, 4:17, 16], weights[::-1])
    assert found.sum() == pytest.approx(2)
    assert np.allclose(c.smeared(np.full((1, 1, 9, 9), 0.3), 9, 2.5, np.array([33.0])), 0.3)


def test_zoom_enlarges_about_the_middle() -> None:
    assert np.allclose(c.zoom(np.full((1, 2, 28, 32), 0.4), 4, rng()), 0.4)
    x = smooth(2)
    assert np.allclose(c.enlarged(x, 1.0), x)
    large = c.enlarged(x, 2.0)
    assert large.shape == x.shape
    assert large[0, 0].mean() == pytest.approx(x[0, 0, 8:24, 8:24].mean(), abs=0.02)


def test_brightness_raises_the_value_and_nothing_else() -> None:
    x = np.clip(rng().random((1, 3, 4, 4)), 0.01, 1)
    found = c.brightness(x, 2, rng())
    for before, after in zip(x[0].reshape(3, -1).T, found[0].reshape(3, -1).T, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        assert after == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.15)))
    assert np.allclose(c.brightness(np.zeros((1, 1, 2, 2)), 2, rng()), 0.15)


def test_contrast() -> None:
    x = smooth()
    found = c.contrast(x, 4, rng())
    assert np.allclose(found.mean((2, 3)), x.mean((2, 3)))
    assert np.allclose(found.std((2, 3)), 0.15 * x.std((2, 3)))


@pytest.mark.parametrize("channels", [1, 3])
def test_pixelate_and_jpeg_are_pillows(channels: int) -> None:
    x = smooth(2, channels, 32)
    for severity, (share, quality) in enumerate(zip((0.95, 0.9, 0.85, 0.75, 0.65), (80, 65, 58, 50, 40), strict=True)):
        pixelated, jpegged = (corrupt(x, name, severity + 1, 0) for name in ("pixelate", "jpeg_compression"))
        for image, coarse, small in zip(x, pixelated, jpegged, strict=True):
            plain = np.rint(255 * np.moveaxis(image, 0, -1)).astype(np.uint8)
            picture = Image.fromarray(plain[..., 0] if channels == 1 else plain)
            size = (int(32 * share),) * 2
            expected = np.asarray(picture.resize(size, Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX))
            got = np.rint(255 * np.moveaxis(coarse, 0, -1)).reshape(expected.shape)
            assert np.abs(got - expected).max() <= 1  # rounded between the axes, too
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality)
            assert np.array_equal(np.rint(255 * np.moveaxis(small, 0, -1)).reshape(expected.shape), Image.open(file))


def test_the_published_numbers_stay() -> None:
    """Means of corrupted images as they were when there were fourteen corruptions: each keeps its random numbers."""
    x = np.rint(255 * np.random.default_rng(0).random((2, 3, 32, 32))) / 255
    found = {name: float(np.abs(corrupt(x, name, 3, (3, 1)) - x).mean()) for name in CORRUPTIONS}
    assert found == pytest.approx(PUBLISHED, abs=1e-9)


def test_bad_input() -> None:
    with pytest.raises(UnknownNameError, match="frost"):
        corrupt(smooth(), "frost", 1, 0)
    with pytest.raises(UsageError, match="severity 6"):
        corrupt(smooth(), "contrast", 6, 0)
    with pytest.raises(UsageError, match="at least 8 x 8"):
        corrupt(np.zeros((1, 1, 4, 4)), "contrast", 1, 0)


def test_scores_are_those_of_counting() -> None:
    result = CorruptionResult(
        names=("a", "b"), groups=("noise", "blur"), correct=np.full((2, 5, 2), 3.0), clean=np.array([4.0, 4.0]),
        images=np.array([5.0, 5.0]), notes=(),
    )  # fmt: skip
    assert result.scores() == pytest.approx({"corruption_error": 0.4, "corruption_retained": 0.75})
    assert result.standard_errors() == pytest.approx({"corruption_error": 0.0, "corruption_retained": 0.0}, abs=1e-12)


def test_the_network_sees_the_corrupted_images_normalised() -> None:
    model = hybrid(dtype=torch.float32)
    pixels = smooth(6, 1, 8)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    images = (torch.from_numpy(pixels) - 0.4) / 0.25
    found = measure(model, [(images.float(), labels)], mean=(0.4,), std=(0.25,), corruptions=("contrast",), seed=5)
    model.eval()
    for severity in range(1, 6):
        corrupted = (torch.from_numpy(corrupt(pixels, "contrast", severity, (5, 1))) - 0.4) / 0.25
        assert found.correct[0, severity - 1, 0] == (model(corrupted.float()).argmax(1) == labels).sum().item()
    assert found.clean[0] == (model(images.float()).argmax(1) == labels).sum().item()
    assert "frost" in found.notes[0]
    with pytest.raises(UsageError, match="2 means"):
        measure(model, [(images.float(), labels)], mean=(0.4, 0.1))
