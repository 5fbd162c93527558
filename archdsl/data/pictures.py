"""Decodes pictures of any size and mode into arrays of one shape."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archdsl.base.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 64_000_000
"""Largest picture that is decoded; a few kilobytes of PNG can declare gigabytes of pixels."""

_GREY, _COLOUR = (
    frozenset({"1", "L"}),
    frozenset({"P", "LA", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}),
)


class Header(NamedTuple):
    """What is known of a picture before it is decoded: pixels and Pillow's mode."""

    width: int
    height: int
    mode: str


def header(name: str, picture: Image) -> Header:
    """The header of an opened picture.

    Raises:
        DataError: more than `MAX_PIXELS`, or more than 8 bits per channel.
    """
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise DataError(f"'{name}' has {width}x{height} pixels, more than {MAX_PIXELS:,}", "remove it or scale it down")
    if picture.mode not in _GREY | _COLOUR:
        raise DataError(
            f"'{name}' has pixels of kind '{picture.mode}', not 8 bits per channel", "save it as 8-bit PNG or JPEG"
        )
    return Header(width, height, picture.mode)


def common_shape(name: str, headers: Sequence[Header], size: tuple[int, int] | None = None) -> tuple[int, int, int]:
    """Shape (C, H, W) for a whole data set: grey if every picture is; `size`, or the size that most of them have.

    Raises:
        DataError: there is no size that at least half of the pictures have, or the data set is larger than half of
            this machine's memory.
    """
    channels = 1 if all(h.mode in _GREY for h in headers) else 3
    if size is None:
        sizes = Counter((h.height, h.width) for h in headers)
        size, count = min(sizes.items(), key=lambda entry: (-entry[1], entry[0]))
        if 2 * count < len(headers):
            raise DataError(
                f"the pictures of '{name}' come in {len(sizes)} sizes, none of which half of them share",
                f"name the size: {name}@64 or {name}@48x64 (height x width) scales and crops them to it",
            )
    needed = len(headers) * channels * size[0] * size[1]
    memory = _physical_memory()
    if memory and needed > memory // 2:
        raise DataError(
            f"the pictures of '{name}' take {needed / 2**30:.1f} GiB as {channels}x{size[0]}x{size[1]} tensors, "
            f"this machine has {memory / 2**30:.1f} GiB",
            f"scale them down: {name}@64",
        )
    return channels, *size


def pixels(picture: Image, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A picture as (C, H, W): alpha dropped; of another size, it is scaled to cover H x W and its centre is cut out."""
    from PIL import Image, ImageOps  # Pillow is needed by the kinds that read pictures alone

    channels, height, width = shape
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    array = np.asarray(picture, dtype=np.uint8)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _physical_memory() -> int:
    """Bytes of memory in this machine, 0 where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0
