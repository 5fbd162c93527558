"""Reads every data set that `timm.data.create_dataset` names (`torch/kmnist`, `hfds/…`, `wds/…`)."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from archdsl.base.errors import DataError
from archdsl.data import DATASETS
from archdsl.data.dataset import Dataset, Split, build
from archdsl.data.pictures import common_shape, header, pixels

if TYPE_CHECKING:
    from PIL.Image import Image


@DATASETS.register("timm")
def load(where: str, root: Path | None, download: bool) -> Dataset:
    """timm's `train` split, and its `validation` split (most public sets have just these two) as the test split.

    10% of the training images become validation. Sizes, channels and mirroring are decided as for `imagefolder`.
    """
    if not where:
        raise DataError("the data set 'timm' needs a name", "write timm:NAME, e.g. timm:torch/kmnist")
    if where.startswith(("hfds/", "hfids/")) and not download:
        raise DataError(f"'{where}' is read from the Hugging Face hub", "pass --download to allow that")
    train, test = (_samples(where, split, root, download) for split in ("train", "validation"))
    shape = common_shape(f"timm:{where}", [header(where, picture) for picture, _ in train + test])
    splits = [_stack(samples, shape) for samples in (train, test)]
    if splits[0].images.shape == splits[1].images.shape and torch.equal(splits[0].images, splits[1].images):
        # timm answers with the same folder when it finds no subfolder for a split.
        raise DataError(
            f"'{where}' gives the same images for training and validation", "put them into train/ and validation/"
        )
    return build(where, splits[0], test=splits[1], flip=shape[0] == 3)


def _samples(name: str, split: str, root: Path | None, download: bool) -> list[tuple[Image, int]]:
    from PIL.Image import Image
    from timm.data.dataset_factory import create_dataset

    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output belongs to --json
            source: Any = create_dataset(
                name, root=None if root is None else str(root.expanduser()), split=split, download=download
            )
            samples = [source[i] for i in range(len(source))] if hasattr(source, "__getitem__") else list(source)
    # timm and what it wraps raise whatever they like for a data set that is unknown, absent or broken.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(
            f"timm could not read the {split} split of '{name}': {reason}",
            "check the name, pass --data-root DIR for its folder, and --download to fetch it",
        ) from None
    if not all(isinstance(picture, Image) for picture, _ in samples):
        raise DataError(f"'{name}' does not hold pictures")
    return samples


def _stack(samples: list[tuple[Image, int]], shape: tuple[int, int, int]) -> Split:
    images = np.empty((len(samples), *shape), dtype=np.uint8)
    for index, (picture, _) in enumerate(samples):
        images[index] = pixels(picture, shape)
    return Split(torch.from_numpy(images), torch.tensor([int(label) for _, label in samples], dtype=torch.int64))
