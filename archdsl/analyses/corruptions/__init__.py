"""Images, the name of a corruption and a severity in; the images as a bad camera, lens, weather or file gives them out.

The common corruptions of Hendrycks & Dietterich 2019 (arXiv 1903.12261) with the parameters of CIFAR-10-C, whose images
are 32 x 32: lengths in pixels grow with the shorter side of other images. Computed for a whole batch, from a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from archdsl.analyses.corruptions import blur, digital, noise, weather
from archdsl.base.errors import UnknownNameError, UsageError

Images = NDArray[np.float64]  # (B, C, H, W), from 0 to 1
Corruption = Callable[[Images, int, np.random.Generator], Images]

CORRUPTIONS: Final[Mapping[str, tuple[str, Corruption]]] = {
    "gaussian_noise": ("noise", noise.gaussian),
    "shot_noise": ("noise", noise.shot),
    "impulse_noise": ("noise", noise.impulse),
    "defocus_blur": ("blur", blur.defocus),
    "glass_blur": ("blur", blur.glass),
    "motion_blur": ("blur", blur.motion),
    "zoom_blur": ("blur", blur.zoom),
    "snow": ("weather", weather.snow),
    "fog": ("weather", weather.fog),
    "brightness": ("weather", weather.brightness),
    "contrast": ("digital", digital.contrast),
    "elastic_transform": ("digital", digital.elastic),
    "pixelate": ("digital", digital.pixelate),
    "jpeg_compression": ("digital", digital.jpeg),
}
MISSING: Final = "frost is left out: it lays photographs of frost over the images, which are not part of archdsl"
SEVERITIES: Final = 5


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
    number = list(CORRUPTIONS).index(name)
    rng = np.random.default_rng([*(seed if isinstance(seed, tuple) else (seed,)), number, severity])
    found = CORRUPTIONS[name][1](np.asarray(images, dtype=np.float64), severity - 1, rng)
    return np.asarray(np.rint(np.clip(found, 0, 1) * 255) / 255)
