"""Draws the fixed batches that every network is measured on: from a data set and a seed, normalised."""

from __future__ import annotations

import torch

from archdsl.analyses.contract import Sample
from archdsl.analyses.measuring.exact import Batch, generator
from archdsl.base.errors import UsageError
from archdsl.data.augment import augment as augmented
from archdsl.data.augment import normalise
from archdsl.data.dataset import Dataset


def batches(
    data: Dataset,
    *,
    count: int | None = 12,
    size: int = 16,
    seed: int = 0,
    augment: bool = True,
    split: str = "train",
    shift: int = 2,
    device: torch.device | str = "cpu",
) -> list[Batch]:
    """The same images for the same seed, on every device and for every network.

    Args:
        data: where from.
        count: batches; fewer where the split has not as many images. None: all of the split, in its order.
        size: images per batch, drawn without repetition.
        seed: of the draw and of the augmentation.
        augment: shift by up to `shift` pixels, and mirror where the data set allows it, as in training.
        split: "train", "validation" or "test".
        shift: in pixels.
        device: where the batches are wanted.

    Returns:
        (images float32 (B, C, H, W), labels int64 (B,)) each.
    """
    if size < 1 or (count is not None and count < 1):
        raise UsageError("a sample needs at least one batch of at least one image")
    pool = getattr(data, split)
    draws = generator(seed)
    if count is None:
        order = torch.arange(len(pool))
    else:
        order = torch.randperm(len(pool), generator=draws)[: count * size]
        order = order[: max(size, len(order) // size * size)]  # whole batches, unless there is only a part of one
    home = pool.images.device
    made = []
    for places in torch.split(order, size):
        images = pool.images[places.to(home)].cpu()
        if augment:
            limit = min(shift, *(side - 1 for side in images.shape[2:]))
            images = augmented(images, shift=limit, flip=data.flip, generator=draws)
        made.append((normalise(images.to(device), data), pool.labels[places.to(home)].to(device)))
    return made


def sampled(
    data: Dataset, sample: Sample, *, seed: int, device: torch.device, count: int | None, size: int | None
) -> list[Batch]:
    """The batches an analysis asks for; `count` and `size` override, except where it wants a whole split."""
    whole = sample.count is None
    return batches(
        data,
        count=sample.count if whole or count is None else count,
        size=sample.size if whole or size is None else size,
        seed=seed,
        augment=sample.augment,
        split=sample.split,
        device=device,
    )
