"""Tells how to read what a block gives: where its places and channels are, or why it is no feature map.

A tensor does not say which of its sides is which, and a wrong guess gives numbers that look right. So a reading has to
agree with the images: as many as were shown, and a map with the proportions they have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

PROBES = 5  # images that are shown: no usual number of heads, windows, tokens or channels

# Modules of timm between whose parts tokens are in another order than in the image: Hiera, NesT (squares of tokens).
_REORDERING = ("Unroll", "Reroll", "NestLevel")
# Those that give pixels of a patch x patches, where they stand without the block that makes a map of them again.
_PATCHED, _WHOLE = "LinearTransformerBlock", "MobileVitV2Block"


class Layout(NamedTuple):
    """A block's output as a map: height and width, class tokens in front of it, and whether channels come last."""

    grid: tuple[int, int]
    prefix: int = 0
    channels_last: bool = False


class NoMapError(ValueError):
    """An output that is no map, or not surely one; says why."""


def layout_of(model: nn.Module, block: nn.Module, output: Any, image: tuple[int, int]) -> Layout:
    """How to read what `block` gives for PROBES images of `image`, their height and width.

    Raises:
        NoMapError: it is no map, or cannot be told to be one.
    """
    if not isinstance(output, Tensor):
        raise NoMapError(f"gives a {type(output).__name__}, not a tensor")
    said = f"gives a tensor {tuple(output.shape)} for {PROBES} images"
    if output.dim() not in (3, 4) or not output.is_floating_point():
        raise NoMapError(f"{said}, which is neither a feature map nor tokens")
    if len(output) != PROBES:
        raise NoMapError(f"{said}, so its first side does not count the images (the sequence does, or windows do)")
    layout = _map(model, block, output, image) if output.dim() == 4 else _tokens(model, output, image)
    if layout is None:
        what = "channels first nor channels last a map" if output.dim() == 4 else "with class tokens nor without a grid"
        raise NoMapError(f"{said}, which is neither {what} of the proportions of {image[0]} x {image[1]}")
    inside = {type(part).__name__ for part in block.modules()}
    reordered = (output.dim() == 3 or layout.channels_last) and any(
        type(part).__name__ in _REORDERING for part in model.modules()
    )
    if reordered or (_PATCHED in inside and _WHOLE not in inside):
        raise NoMapError(f"{said}, places in an order that is not that of the image (the model reorders them)")
    return layout


def _map(model: nn.Module, block: nn.Module, output: Tensor, image: tuple[int, int]) -> Layout | None:
    """(B, C, H, W) or (B, H, W, C): what has the proportions of the image; where both have, as timm says."""
    first = Layout((output.shape[2], output.shape[3]))
    last = Layout((output.shape[1], output.shape[2]), channels_last=True)
    fitting = [layout for layout in (first, last) if _proportional(layout.grid, image)]
    if len(fitting) == 1:
        return fitting[0]
    convolves = output.shape[1] in set(_convolved(block))
    if fitting:
        said = getattr(model, "output_fmt", None)
        if said is not None:
            return last if str(getattr(said, "value", said)).upper() == "NHWC" else first
        return first if convolves else last
    return first if convolves and (_nearly(first.grid, image) or _is_stretched(model)) else None


def _nearly(grid: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether a grid has about the proportions of the image, as convolutions without padding leave them."""
    return 4 / 5 <= grid[0] * image[1] / max(1, grid[1] * image[0]) <= 5 / 4


def _is_stretched(model: nn.Module) -> bool:
    """Whether a stride of the model differs along height and width."""
    strides = (getattr(part, "stride", None) for part in model.modules())
    return any(isinstance(stride, tuple) and len(set(stride)) > 1 for stride in strides)


def _convolved(block: nn.Module) -> Iterator[int]:
    """Numbers of channels that layers for maps with channels first give in a block."""
    for part in block.modules():
        if isinstance(part, nn.Conv2d):
            yield part.out_channels
        elif isinstance(part, nn.BatchNorm2d):
            yield part.num_features


def _tokens(model: nn.Module, output: Tensor, image: tuple[int, int]) -> Layout | None:
    """(B, N, C), row by row: N the places of a grid, after as many class tokens as the model says, or none."""
    count = output.shape[1]
    said = getattr(model, "num_prefix_tokens", None)
    prefixes = list(dict.fromkeys((said, 0))) if isinstance(said, int) else [0, 1, 2]
    known = _known_grid(model, image)
    for prefix in prefixes:
        if known is not None and known[0] * known[1] == count - prefix:
            return Layout(known, prefix)
    for prefix in prefixes:
        grid = _grid(count - prefix, image)
        if grid is not None and (grid != (1, 1) or prefix == prefixes[0]):  # a class token alone is no map
            return Layout(grid, prefix)
    return None


def _known_grid(model: nn.Module, image: tuple[int, int]) -> tuple[int, int] | None:
    """The grid of patches that a model of timm makes of images of this size, where it says so."""
    asked = getattr(getattr(model, "patch_embed", None), "dynamic_feat_size", None)
    if not callable(asked):
        return None
    height, width = asked(image)
    return int(height), int(width)


def _grid(count: int, image: tuple[int, int]) -> tuple[int, int] | None:
    """The grid of so many places that has exactly the proportions of the image, if there is one."""
    if count < 1:
        return None
    divisor = math.gcd(*image)
    height, width = image[0] // divisor, image[1] // divisor
    scale = math.isqrt(count // (height * width))
    return (scale * height, scale * width) if scale * scale * height * width == count else None


def _proportional(grid: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether some stride makes this grid of the image, rounded up or down."""
    if image[0] == image[1]:
        return grid[0] == grid[1]
    return any(
        grid == (-(-image[0] // stride), -(-image[1] // stride)) or grid == (image[0] // stride, image[1] // stride)
        for stride in range(1, max(image) + 1)
    )
