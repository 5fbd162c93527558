"""Reads `npz:PATH`: a Keras-style archive with x_train, y_train, x_test and y_test."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archdsl.base.errors import DataError
from archdsl.data import DATASETS
from archdsl.data.dataset import Dataset, Split, build

_REMEDY = "write one with numpy.savez(path, x_train=…, y_train=…, x_test=…, y_test=…)"


@DATASETS.register("npz")
def load(where: str, root: Path | None, download: bool) -> Dataset:
    """uint8 images (N,H,W), (N,H,W,C) or (N,C,H,W) with C of 1 or 3, integer labels (N,) or (N,1).

    10% of the training images become validation. Images with three channels may be mirrored, grey ones (digits,
    letters, scans) not; an array `flip` of 0 or 1 in the archive says otherwise.
    """
    if not where:
        raise DataError("the data set 'npz' needs a file", "write npz:PATH")
    path = (root or Path()).expanduser() / Path(where).expanduser()
    if not path.is_file():
        raise DataError(f"there is no file '{path}'", _REMEDY)
    if not zipfile.is_zipfile(path):
        raise DataError(f"'{path}' is truncated, or no .npz archive", _REMEDY)
    arrays = _read(path)
    splits = []
    for part in ("train", "test"):
        images = _images(path, f"x_{part}", arrays.pop(f"x_{part}"))
        labels = _labels(path, f"y_{part}", arrays.pop(f"y_{part}"), len(images))
        splits.append(Split(images, labels))
    flip = bool(arrays["flip"].any()) if "flip" in arrays else splits[0].images.shape[1] == 3
    return build(f"npz:{where}", splits[0], test=splits[1], flip=flip)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    key = ""
    try:
        with np.load(path, allow_pickle=False) as archive:
            absent = [k for k in ("x_train", "y_train", "x_test", "y_test") if k not in archive.files]
            if absent:
                held = ", ".join(archive.files[:8]) or "nothing"
                raise DataError(f"'{path}' has no {' and no '.join(absent)}, it holds {held}", _REMEDY)
            arrays = {}
            for key in ("x_train", "y_train", "x_test", "y_test", "flip"):
                if key in archive.files:
                    arrays[key] = archive[key]
            return arrays
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        what = f"'{key}' in '{path}'" if key else f"'{path}'"
        raise DataError(f"{what} is corrupt or not a plain array: {error}", _REMEDY) from None


def _images(path: Path, key: str, array: NDArray[Any]) -> Tensor:
    """(N, C, H, W) as a view of the array, whichever way its channels lie."""
    shape = "x".join(map(str, array.shape))
    if array.dtype != np.uint8:
        raise DataError(
            f"'{key}' in '{path}' is {array.dtype}, not uint8",
            "images are bytes 0..255: save (x * 255).round().astype('uint8') if yours are 0..1",
        )
    if array.ndim not in (3, 4) or 0 in array.shape[1:]:
        raise DataError(f"'{key}' in '{path}' has shape {shape}", "images are (N,H,W), (N,H,W,C) or (N,C,H,W)")
    if len(array) == 0:
        raise DataError(f"'{key}' in '{path}' has no images", _REMEDY)
    images = torch.from_numpy(array)
    if images.dim() == 3:
        return images[:, None]
    if images.shape[3] in (1, 3):
        return images.permute(0, 3, 1, 2)
    if images.shape[1] in (1, 3):
        return images
    raise DataError(
        f"'{key}' in '{path}' has shape {shape}", "images have 1 or 3 channels, as the second or the last axis"
    )


def _labels(path: Path, key: str, array: NDArray[Any], count: int) -> Tensor:
    if array.dtype.kind not in "iu":
        raise DataError(f"'{key}' in '{path}' is {array.dtype}", "labels are integers from 0")
    if array.ndim != 1 and array.shape[1:] != (1,):
        shape = "x".join(map(str, array.shape))
        raise DataError(f"'{key}' in '{path}' has shape {shape}", "labels are (N,) or (N,1), not one-hot")
    if len(array) != count:
        raise DataError(f"'{key}' in '{path}' has {len(array)} labels for {count} images", "save one label per image")
    if count and (int(array.min()) < 0 or int(array.max()) > 1_000_000):
        raise DataError(f"'{key}' in '{path}' lies in {array.min()}..{array.max()}", "labels are integers from 0")
    return torch.from_numpy(array.reshape(-1).astype(np.int64))
