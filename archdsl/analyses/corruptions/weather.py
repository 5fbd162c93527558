"""Images and a severity in, the same in bad weather out: snow, fog, glare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archdsl.analyses.corruptions.blur import enlarged, scale_of, smeared

Images = NDArray[np.float64]
_SNOW = (
    (0.1, 0.2, 1.0, 0.6, 8, 3, 0.95),
    (0.1, 0.2, 1.0, 0.5, 10, 4, 0.9),
    (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
    (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
    (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
)


def snow(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Flakes that fall, and the same again turned round, over a whitened image."""
    mean, spread, size, least, radius, sigma, kept = _SNOW[severity]
    H, W = x.shape[2:]
    flakes = enlarged(rng.normal(mean, spread, (len(x), 1, H, W)), size)
    flakes = np.clip(np.where(flakes < least, 0, flakes), 0, 1)
    scale = scale_of(x)
    flakes = smeared(flakes, radius * scale, sigma * scale, rng.uniform(-135, -45, len(x)))
    whitened = kept * x + (1 - kept) * np.maximum(x, luma(x) * 1.5 + 0.5)
    return np.asarray(whitened + flakes + flakes[..., ::-1, ::-1])


def luma(x: Images) -> Images:
    """(B, 1, H, W): the brightness of colours as the eye weighs them, grey as it is."""
    weights = np.array([0.299, 0.587, 0.114]) if x.shape[1] == 3 else np.full(x.shape[1], 1 / x.shape[1])
    return np.asarray(np.tensordot(x, weights, axes=(1, 0))[:, None])


def fog(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """A plasma fractal laid over the image, which keeps its brightest value."""
    strength, decay = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))[severity]
    B, _, H, W = x.shape
    size = 1 << (max(H, W) - 1).bit_length()
    mist = plasma(B, size, decay, rng)[:, None, :H, :W]
    brightest = x.max((1, 2, 3), keepdims=True)
    return np.asarray((x + strength * mist) * brightest / (brightest + strength))


def plasma(count: int, size: int, decay: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, size, size) height maps from 0 to 1 by the diamond-square algorithm, on a torus; size a power of two."""
    heights = np.zeros((count, size, size))
    rough, step = 100.0, size

    def shaken(total: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(total / 4 + rough * rng.uniform(-rough, rough, total.shape))

    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        above = corners + np.roll(corners, -1, 1)
        heights[:, half::step, half::step] = shaken(above + np.roll(above, -1, 2))
        centres = heights[:, half::step, half::step]
        across = corners + np.roll(corners, -1, 2)
        heights[:, ::step, half::step] = shaken(across + centres + np.roll(centres, 1, 1))
        heights[:, half::step, ::step] = shaken(above + centres + np.roll(centres, 1, 2))
        step, rough = half, rough / decay
    heights -= heights.min((1, 2), keepdims=True)
    return np.asarray(heights / np.maximum(heights.max((1, 2), keepdims=True), 1e-12))


def brightness(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """The value of hue, saturation and value raised; hue and saturation stay."""
    added = (0.05, 0.1, 0.15, 0.2, 0.3)[severity]
    value = x.max(1, keepdims=True)
    raised = np.minimum(value + added, 1)
    return np.asarray(np.where(value > 0, x * raised / np.maximum(value, 1e-12), raised))
