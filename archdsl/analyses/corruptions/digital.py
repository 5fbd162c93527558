"""Images and a severity in, the same after bad processing out: low contrast, bent, coarse pixels, a small JPEG."""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage

from archdsl.analyses.corruptions.blur import scale_of

Images = NDArray[np.float64]


def contrast(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Every channel nearer to its mean."""
    mean = x.mean((2, 3), keepdims=True)
    return np.asarray(mean + (0.75, 0.5, 0.4, 0.3, 0.15)[severity] * (x - mean))


def elastic(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """A random affine map that moves three points a little, then a smooth random displacement of all pixels."""
    strength, smooth, corner = (
        (0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03),
    )[severity]  # fmt: skip
    side = 32 * scale_of(x)
    B, _, H, W = x.shape
    centre, reach = np.array([W // 2, H // 2]), min(H, W) // 3
    points = centre + reach * np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    moved = points + rng.uniform(-corner * side, corner * side, (B, 3, 2))
    rows, columns = np.meshgrid(np.arange(H), np.arange(W), indexing="ij")
    # The map that takes the moved points back to where they were says which pixel each place shows.
    back = np.linalg.solve(with_ones(moved), points)  # (B, 3, 2)
    x = sampled(x, with_ones(np.stack([columns, rows], -1)) @ back[:, None], corners=True)
    if not strength:
        return x
    fields = rng.uniform(-1, 1, (B, H, W, 2))
    spread = smooth * side
    fields = strength * side * ndimage.gaussian_filter(fields, (0, spread, spread, 0), mode="reflect", truncate=3)
    return sampled(x, np.stack([columns, rows], -1) + fields, corners=False)


def with_ones(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…, 2) -> (…, 3), a one behind each point."""
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], -1)


def sampled(x: Images, places: NDArray[np.float64], *, corners: bool) -> Images:
    """The images at places (B, H, W, 2) of column and row, linear between pixels.

    Outside they go on mirrored: at the middle of the outermost pixels (`corners`), or at their rims.
    """
    size = np.array([x.shape[3], x.shape[2]])
    grid = 2 * places / (size - 1) - 1 if corners else (2 * places + 1) / size - 1
    tensor = torch.from_numpy(np.ascontiguousarray(x))
    found = F.grid_sample(tensor, torch.from_numpy(grid), "bilinear", "reflection", align_corners=corners)
    return np.asarray(found.numpy())


def pixelate(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Made smaller and large again, by boxes, in 8 bits."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[severity]
    H, W = x.shape[2:]
    small = resized(x, (int(H * share), int(W * share)))
    return resized(np.rint(small * 255) / 255, (H, W))


def resized(x: Images, size: tuple[int, int]) -> Images:
    """Every pixel the mean of those whose centres lie in its box, as Pillow's BOX filter has it."""
    rows, columns = (boxes(old, new) for old, new in zip(x.shape[2:], size, strict=True))
    return np.asarray(rows @ x @ columns.T)


def boxes(old: int, new: int) -> NDArray[np.float64]:
    """(new, old): the shares of the old pixels in the new ones.

    >>> boxes(4, 2).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    wide = max(old / new, 1.0)
    centres = (np.arange(new) + 0.5) * old / new
    from_centre = (np.arange(old) + 0.5 - centres[:, None]) / wide
    inside = ((from_centre > -0.5) & (from_centre <= 0.5)).astype(np.float64)
    return np.asarray(inside / inside.sum(1, keepdims=True))


def jpeg(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Through a JPEG file; images that are neither grey nor of three colours, channel by channel."""
    quality = (80, 65, 58, 50, 40)[severity]
    bytes_ = np.rint(x * 255).astype(np.uint8)
    if x.shape[1] == 3:
        return np.stack([np.moveaxis(through_jpeg(np.moveaxis(one, 0, -1), quality), -1, 0) for one in bytes_]) / 255
    return np.stack([[through_jpeg(channel, quality) for channel in one] for one in bytes_]) / 255


def through_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """uint8 (H, W) or (H, W, 3) as it comes out of a JPEG of this quality."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
