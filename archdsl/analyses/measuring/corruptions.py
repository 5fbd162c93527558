"""Corrupts images as a bad camera, lens, light or file does: ten of the common corruptions, in five severities.

Those of Hendrycks & Dietterich 2019 (arXiv 1903.12261) with the parameters of CIFAR-10-C, whose images are 32 x 32:
lengths in pixels grow with the shorter side of other images. Computed for a whole batch, from a seed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from archdsl.base.errors import UnknownNameError, UsageError

Images = NDArray[np.float64]  # (B, C, H, W), from 0 to 1
SEVERITIES: Final = 5
MISSING: Final = "frost, glass blur, snow, fog and elastic transform are left out: no library draws them"


def corrupt(images: Images, name: str, severity: int, seed: int | tuple[int, ...]) -> Images:
    """The images corrupted, in 8 bits as a file has them: of the 256 values from 0 to 1.

    Args:
        images: (B, C, H, W) from 0 to 1, grey or colour.
        name: of `CORRUPTIONS`.
        severity: from 1 to 5.
        seed: of whatever is random; the same seed gives the same images.

    Raises:
        UnknownNameError: there is no such corruption.
        UsageError: the severity or the shape is wrong.
    """
    if name not in CORRUPTIONS:
        raise UnknownNameError("corruption", name, CORRUPTIONS)
    if not 1 <= severity <= SEVERITIES:
        raise UsageError(f"severity {severity}", f"severities are from 1 to {SEVERITIES}")
    if images.ndim != 4 or min(images.shape[2:]) < 8:
        shape = "x".join(map(str, images.shape))
        raise UsageError(f"images of shape {shape} cannot be corrupted", "they are (B, C, H, W), at least 8 x 8")
    _, number, change = CORRUPTIONS[name]
    rng = np.random.default_rng([*(seed if isinstance(seed, tuple) else (seed,)), number, severity])
    found = change(np.asarray(images, dtype=np.float64), severity - 1, rng)
    return np.asarray(np.rint(np.clip(found, 0, 1) * 255) / 255)


def gaussian(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Dim light: normal noise on every value."""
    return x + rng.normal(scale=(0.04, 0.06, 0.08, 0.09, 0.10)[severity], size=x.shape)


def shot(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Few photons: Poisson counts, white being so many of them."""
    photons = (500, 250, 100, 75, 50)[severity]
    return np.asarray(rng.poisson(x * photons) / photons)


def impulse(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Dead pixels: a share of the values black or white, half of each."""
    hit = rng.random(x.shape) < (0.01, 0.02, 0.03, 0.05, 0.07)[severity]
    return np.where(hit, rng.random(x.shape) < 0.5, x)


def defocus(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Out of focus: correlation with a disc whose rim is softened."""
    radius, soft = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))[severity]
    return np.asarray(ndimage.correlate(x, disc(radius * _scale(x), soft * _scale(x))[None, None], mode="mirror"))


def disc(radius: float, soft: float) -> NDArray[np.float64]:
    """A filled circle of sum 1, smoothed by a Gaussian of three taps."""
    at = np.arange(-math.floor(radius) - 2, math.floor(radius) + 3)
    filled = (at[:, None] ** 2 + at**2 <= radius**2).astype(np.float64)
    taps = np.exp(-np.array([1.0, 0.0, 1.0]) / (2 * soft**2))
    taps /= taps.sum()
    return np.asarray(ndimage.convolve(filled / filled.sum(), np.outer(taps, taps), mode="constant"))


def motion(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Smeared along a direction of at most 45 degrees."""
    radius, sigma = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))[severity]
    return smeared(x, radius * _scale(x), sigma * _scale(x), rng.uniform(-45, 45, len(x)))


def smeared(x: Images, radius: float, sigma: float, degrees: NDArray[np.float64]) -> Images:
    """Half a Gaussian along one direction per image, as ImageMagick's motion blur has it; edges are repeated."""
    steps = np.arange(2 * round(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    out = np.zeros_like(x)
    for number, angle in enumerate(np.deg2rad(degrees)):
        for step, weight in zip(steps, weights / weights.sum(), strict=True):
            shift = [math.ceil(step * turn(angle) - 0.5) for turn in (math.sin, math.cos)]
            rows, columns = (np.clip(np.arange(n) + by, 0, n - 1) for n, by in zip(x.shape[2:], shift, strict=True))
            out[number] += weight * x[number][:, rows[:, None], columns]
    return out


def zoom(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """The mean of the image and of itself enlarged in steps of one percent."""
    last = (6, 11, 16, 21, 26)[severity]
    return np.asarray((x + sum(enlarged(x, 1 + step / 100) for step in range(last))) / (last + 1))


def enlarged(x: Images, factor: float) -> Images:
    """The middle of the images, so many times as large, in the old size; linear between pixels."""
    large = ndimage.zoom(
        _middle(x, [math.ceil(side / factor) for side in x.shape[2:]]), (1, 1, factor, factor), order=1
    )
    return _middle(large, x.shape[2:])


def brightness(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """The value of hue, saturation and value raised; hue and saturation stay."""
    value = x.max(1, keepdims=True)
    raised = np.minimum(value + (0.05, 0.1, 0.15, 0.2, 0.3)[severity], 1)
    return np.asarray(np.where(value > 0, x * raised / np.maximum(value, 1e-12), raised))


def contrast(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Every channel nearer to its mean."""
    mean = x.mean((2, 3), keepdims=True)
    return np.asarray(mean + (0.75, 0.5, 0.4, 0.3, 0.15)[severity] * (x - mean))


def pixelate(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Made smaller and large again, in 8 bits, by boxes: every pixel the mean of those whose centres lie in its box."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[severity]
    H, W = x.shape[2:]
    small = _boxes(H, int(H * share)) @ x @ _boxes(W, int(W * share)).T
    return np.asarray(_boxes(int(H * share), H) @ (np.rint(small * 255) / 255) @ _boxes(int(W * share), W).T)


def jpeg(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Through a JPEG file; images that are neither grey nor of three colours, channel by channel."""
    from PIL import Image

    def through(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        Image.fromarray(np.ascontiguousarray(image)).save(file := io.BytesIO(), "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    quality, bytes_ = (80, 65, 58, 50, 40)[severity], np.rint(x * 255).astype(np.uint8)
    if x.shape[1] == 3:
        return np.moveaxis(np.stack([through(image) for image in np.moveaxis(bytes_, 1, -1)]), -1, 1) / 255
    return np.stack([[through(channel) for channel in image] for image in bytes_]) / 255


def _scale(x: Images) -> float:
    """How many times as large as those of CIFAR-10 the images are."""
    return float(min(x.shape[2:]) / 32)


def _middle(x: Images, sides: Sequence[int]) -> Images:
    top, left = ((whole - side) // 2 for whole, side in zip(x.shape[2:], sides, strict=True))
    return x[..., top : top + sides[0], left : left + sides[1]]


def _boxes(old: int, new: int) -> NDArray[np.float64]:
    """(new, old): the shares of the old pixels in the new ones, as Pillow's BOX filter has them."""
    from_centre = (np.arange(old) + 0.5 - ((np.arange(new) + 0.5) * old / new)[:, None]) / max(old / new, 1.0)
    inside = ((from_centre > -0.5) & (from_centre <= 0.5)).astype(np.float64)
    return np.asarray(inside / inside.sum(1, keepdims=True))


# Group, what sets its random numbers apart from another's, and how.
CORRUPTIONS: Final[dict[str, tuple[str, int, Callable[[Images, int, np.random.Generator], Images]]]] = {
    "gaussian_noise": ("noise", 0, gaussian),
    "shot_noise": ("noise", 1, shot),
    "impulse_noise": ("noise", 2, impulse),
    "defocus_blur": ("blur", 3, defocus),
    "motion_blur": ("blur", 5, motion),
    "zoom_blur": ("blur", 6, zoom),
    "brightness": ("light", 9, brightness),
    "contrast": ("digital", 10, contrast),
    "pixelate": ("digital", 12, pixelate),
    "jpeg_compression": ("digital", 13, jpeg),
}
