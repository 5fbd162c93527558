"""Images and a severity in, noisy images out: Gaussian (dim light), shot (few photons), impulse (dead pixels)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float64]


def gaussian(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Normal noise on every value."""
    return x + rng.normal(scale=(0.04, 0.06, 0.08, 0.09, 0.10)[severity], size=x.shape)


def shot(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Poisson counts, white being so many photons."""
    photons = (500, 250, 100, 75, 50)[severity]
    return np.asarray(rng.poisson(x * photons) / photons)


def impulse(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """A share of the values black or white, half of each."""
    amount = (0.01, 0.02, 0.03, 0.05, 0.07)[severity]
    hit = rng.random(x.shape) < amount
    return np.where(hit, rng.random(x.shape) < 0.5, x)
