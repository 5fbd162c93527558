"""Images and a severity in, blurred images out: out of focus, through frosted glass, while moving, while zooming."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Images = NDArray[np.float64]


def scale_of(x: Images) -> float:
    """How many times as large as those of CIFAR-10 the images are."""
    return float(min(x.shape[2:]) / 32)


def defocus(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Correlation with a disc whose rim is softened."""
    radius, soft = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))[severity]
    kernel = disc(radius * scale_of(x), soft * scale_of(x))
    return np.asarray(ndimage.correlate(x, kernel[None, None], mode="mirror"))


def disc(radius: float, soft: float) -> NDArray[np.float64]:
    """A filled circle of sum 1, smoothed by a Gaussian of three taps."""
    reach = math.floor(radius) + 2
    at = np.arange(-reach, reach + 1)
    filled = (at[:, None] ** 2 + at**2 <= radius**2).astype(np.float64)
    taps = np.exp(-np.array([1.0, 0.0, 1.0]) / (2 * soft**2))
    taps /= taps.sum()
    return np.asarray(ndimage.convolve(filled / filled.sum(), np.outer(taps, taps), mode="constant"))


def glass(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Blurred, every pixel swapped with one near it, and blurred again.

    The published script means to swap too, but assigns views of one array, so that it copies pixels over others.
    """
    sigma, delta, times = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))[severity]
    sigma, delta = sigma * scale_of(x), max(1, round(delta * scale_of(x)))
    soft = (0, 0, sigma, sigma)
    x = ndimage.gaussian_filter(x, soft, mode="nearest")
    return np.asarray(ndimage.gaussian_filter(shuffled(x, delta, times, rng), soft, mode="nearest"))


def shuffled(x: Images, delta: int, times: int, rng: np.random.Generator) -> Images:
    """Every inner pixel, from the last to the first, swapped with one up to `delta` up and left (or less down)."""
    x = x.copy()
    images = np.arange(len(x))
    H, W = x.shape[2:]
    for _ in range(times):
        for row in range(H - delta, delta, -1):
            moves = rng.integers(-delta, delta, size=(W, 2, len(x)))
            for column in range(W - delta, delta, -1):
                down, right = moves[column - 1]
                there = (images, slice(None), row + down, column + right)
                other = x[there].copy()
                x[there] = x[:, :, row, column]
                x[:, :, row, column] = other
    return x


def motion(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Smeared along a direction of at most 45 degrees."""
    radius, sigma = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))[severity]
    return smeared(x, radius * scale_of(x), sigma * scale_of(x), rng.uniform(-45, 45, len(x)))


def smeared(x: Images, radius: float, sigma: float, degrees: NDArray[np.float64]) -> Images:
    """Half a Gaussian along one direction per image, as ImageMagick's motion blur has it; edges are repeated."""
    H, W = x.shape[2:]
    steps = np.arange(2 * round(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    angles = np.deg2rad(degrees)[:, None]
    images = np.arange(len(x))[:, None, None]
    pixels = np.moveaxis(x, 1, -1)  # (B, H, W, C)
    out = np.zeros_like(pixels)
    for step, weight in zip(steps, weights, strict=True):
        rows, columns = (np.ceil(step * turn(angles) - 0.5).astype(int) for turn in (np.sin, np.cos))
        rows = np.clip(np.arange(H) + rows, 0, H - 1)
        columns = np.clip(np.arange(W) + columns, 0, W - 1)
        out += weight * pixels[images, rows[:, :, None], columns[:, None, :]]
    return np.moveaxis(out, -1, 1)


def zoom(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """The mean of the image and of itself enlarged in steps of one percent."""
    last = (6, 11, 16, 21, 26)[severity]
    factors = 1 + np.arange(last) / 100
    return np.asarray((x + sum(enlarged(x, float(factor)) for factor in factors)) / (last + 1))


def enlarged(x: Images, factor: float) -> Images:
    """The middle of the images, so many times as large, in the old size; linear between pixels."""
    H, W = x.shape[-2:]
    height, width = math.ceil(H / factor), math.ceil(W / factor)
    top, left = (H - height) // 2, (W - width) // 2
    middle = x[..., top : top + height, left : left + width]
    large = ndimage.zoom(middle, (1,) * (x.ndim - 2) + (factor, factor), order=1)
    top, left = (large.shape[-2] - H) // 2, (large.shape[-1] - W) // 2
    return np.asarray(large[..., top : top + H, left : left + W])
