"""Shifts, mirrors and normalises batches of images on their device."""

from __future__ import annotations

import torch
from torch import Tensor

from archdsl.data.dataset import Dataset


def augment(images: Tensor, *, shift: int, flip: bool, generator: torch.Generator | None = None) -> Tensor:
    """Shifts each image by up to `shift` pixels in both directions and mirrors half of them.

    Pixels shifted in are the reflection of the image at its border, so that no artificial edge appears. Nothing
    waits for the device, and there is no loop over images.

    Args:
        images: (B, C, H, W) of any type, on any device.
        shift: largest translation in pixels, less than H and W; 0 for none.
        flip: mirror left and right with probability 1/2.
        generator: random numbers on the images' device; the same state gives the same result.

    Returns:
        (B, C, H, W), channels last; fastest from images that are.

    >>> image = torch.arange(6).view(1, 1, 2, 3)
    >>> out = augment(image.expand(64, 1, 2, 3), shift=0, flip=True, generator=torch.Generator().manual_seed(0))
    >>> sorted({tuple(row) for row in out[:, 0, 0].tolist()})
    [(0, 1, 2), (2, 1, 0)]
    """
    if shift == 0 and not flip:
        return images
    B, C, H, W = images.shape
    device = images.device
    rows = torch.arange(H, device=device).expand(B, H)
    columns = torch.arange(W, device=device).expand(B, W)
    if shift:
        offsets = torch.randint(-shift, shift + 1, (2, B, 1), generator=generator, device=device)
        rows = _reflect(rows + offsets[0], H)
        columns = _reflect(columns + offsets[1], W)
    if flip:
        mirrored = torch.randint(0, 2, (B, 1), generator=generator, device=device, dtype=torch.bool)
        columns = torch.where(mirrored, W - 1 - columns, columns)
    # Whole rows first, then the values of each row: 0.6 of the time that one lookup with four index tensors takes.
    lines = images.permute(0, 2, 3, 1).reshape(B * H, W * C)  # a view of channels-last memory
    rows = rows + H * torch.arange(B, device=device)[:, None]
    lines = lines.index_select(0, rows.flatten()).view(B, H, W * C)
    values = columns[:, :, None] * C + torch.arange(C, device=device)  # (B, W, C)
    lines = lines.gather(2, values.view(B, 1, W * C).expand(B, H, W * C))
    return lines.view(B, H, W, C).permute(0, 3, 1, 2)


def take(images: Tensor, index: Tensor) -> Tensor:
    """Images (N, C, H, W) at index (B,), in the memory order they have (`index_select` alone would change it)."""
    return images.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)


def _reflect(index: Tensor, size: int) -> Tensor:
    """Indices mirrored back into 0 … size - 1, the border itself not repeated; valid up to size - 1 outside."""
    return (size - 1) - ((size - 1) - index.abs()).abs()


class Normalise:
    """Turns uint8 images into network inputs: (x / 255 - mean) / std per channel, with the data set's own figures.

    Args:
        data: whose mean and standard deviation.
        device: where the images will lie.
        memory_format: of the result; channels last is what convolutions compute fastest in.
    """

    def __init__(
        self,
        data: Dataset,
        device: torch.device | str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        mean, std = (torch.tensor(v, dtype=torch.float64).view(1, -1, 1, 1) for v in (data.mean, data.std))
        # Made once: a constant built for every batch would be a transfer that waits for the device.
        self.scale = (1 / (255 * std)).float().to(device)
        self.offset = (-mean / std).float().to(device)
        self.memory_format = memory_format

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) -> float32 (B, C, H, W)."""
        return images.to(torch.float32, memory_format=self.memory_format).mul_(self.scale).add_(self.offset)


def normalise(images: Tensor, data: Dataset) -> Tensor:
    """uint8 (B, C, H, W) -> float32 network input, standardised per channel with the training split's figures."""
    return Normalise(data, images.device)(images)
