"""Reads CIFAR-10 and CIFAR-100 from the local folder that torchvision keeps them in."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

from archdsl.base.errors import DataError
from archdsl.data import DATASETS
from archdsl.data.dataset import Dataset, Split, build


@DATASETS.register("cifar10")
def cifar10(where: str, root: Path | None, download: bool) -> Dataset:
    """50,000 + 10,000 images of 10 classes, 3x32x32; 10% of the training images become validation."""
    return _load("cifar10", "CIFAR10", "cifar-10-batches-py", where, root, download)


@DATASETS.register("cifar100")
def cifar100(where: str, root: Path | None, download: bool) -> Dataset:
    """50,000 + 10,000 images of 100 classes, 3x32x32; 10% of the training images become validation."""
    return _load("cifar100", "CIFAR100", "cifar-100-python", where, root, download)


def _load(name: str, kind: str, inside: str, where: str, root: Path | None, download: bool) -> Dataset:
    remedy = f"pass --data-root DIR, the folder that holds {inside}; --download fetches the files into it"
    if where or root is None:
        raise DataError(f"the data set '{name}' is read from a folder, and none was named", remedy)
    folder = root.expanduser()
    if not download and not (folder / inside).is_dir():
        raise DataError(f"'{folder}' holds no folder {inside}", remedy)

    import torchvision.datasets  # seconds to import: only where it is needed

    splits = []
    for train in (True, False):
        try:
            with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of NumPy, about the old arrays inside the files
                # torchvision compares MD5 sums before it reads the files, so only the published ones are unpickled.
                source = getattr(torchvision.datasets, kind)(folder, train=train, download=download)
        except (OSError, RuntimeError, EOFError) as error:
            raise DataError(f"the files in '{folder / inside}' are incomplete or corrupt: {error}", remedy) from None
        images = torch.from_numpy(np.ascontiguousarray(source.data)).permute(0, 3, 1, 2)  # a view: stored N, H, W, C
        splits.append(Split(images, torch.tensor(source.targets, dtype=torch.int64)))
    return build(name, splits[0], test=splits[1], classes=10 if name == "cifar10" else 100, flip=True)
