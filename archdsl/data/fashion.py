"""Reads Fashion-MNIST: its 10,000 embedded test images as `fashion`, all 70,000 from a folder as `fashion-mnist`."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import sys
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from archdsl.base.errors import DataError
from archdsl.data import DATASETS
from archdsl.data.dataset import Dataset, Split, build, hold_out


@DATASETS.register("fashion")
def embedded(where: str, root: Path | None, download: bool) -> Dataset:
    """6,000 training, 2,000 validation and 2,000 test images, stratified; part of the package, MIT licence."""
    if where:
        raise DataError(f"the data set 'fashion' is part of archdsl and takes no path ('{where}')", "write 'fashion'")
    folder = files("archdsl.data") / "fashion_mnist"
    names = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    images, labels = (read_idx(name, (folder / name).read_bytes()) for name in names)
    rest, test = hold_out(_split("fashion", images, labels), 0.2, "archdsl fashion test")
    train, validation = hold_out(rest, 0.25, "archdsl fashion validation")
    return build("fashion", train, validation=validation, test=test, classes=10, flip=True)


@DATASETS.register("fashion-mnist")
def local(where: str, root: Path | None, download: bool) -> Dataset:
    """The four files as torchvision lays them out, zipped or not; 10% of the training images become validation."""
    remedy = "pass --data-root DIR, the folder that holds FashionMNIST/raw; --download fetches the files into it"
    if where or root is None:
        raise DataError("the data set 'fashion-mnist' is read from a folder, and none was named", remedy)
    folder = root.expanduser()
    if download:
        _fetch(folder)
    splits = []
    for part in ("train", "t10k"):
        arrays = []
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            path = _find(folder, f"{part}-{kind}")
            if path is None:
                raise DataError(f"'{folder}' holds no {part}-{kind} of Fashion-MNIST", remedy)
            arrays.append(read_idx(str(path), path.read_bytes()))
        splits.append(_split("fashion-mnist", *arrays))
    return build("fashion-mnist", splits[0], test=splits[1], classes=10, flip=True)


def read_idx(name: str, raw: bytes) -> NDArray[np.uint8]:
    """Decodes an IDX file of bytes, gzipped or not: two zeros, type 8, rank, big-endian sizes, values.

    Raises:
        DataError: the file is truncated, corrupt or not of that format; names `name`.

    >>> read_idx("three", bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])).tolist()
    [7, 8, 9]
    """
    stream = gzip.GzipFile(fileobj=io.BytesIO(raw)) if raw[:2] == b"\x1f\x8b" else io.BytesIO(raw)
    try:
        magic = stream.read(4)
        if len(magic) < 4 or magic[:3] != b"\0\0\x08" or magic[3] not in (1, 3):
            raise DataError(f"'{name}' is not an IDX file of bytes", "replace it by a fresh copy")
        shape = np.frombuffer(stream.read(4 * magic[3]), dtype=">u4").tolist()
        size = math.prod(shape)
        values = stream.read(min(size, 1 << 31) + 1)  # never more than the header declares: no decompression bombs
    except (EOFError, OSError, zlib.error, ValueError) as error:
        raise DataError(f"'{name}' is truncated or corrupt: {error}", "replace it by a fresh copy") from None
    if len(shape) != magic[3] or len(values) != size:
        raise DataError(
            f"'{name}' is truncated or corrupt: its header declares {size} bytes", "replace it by a fresh copy"
        )
    return np.frombuffer(bytearray(values), dtype=np.uint8).reshape(shape)  # a bytearray is writable, torch wants that


def _split(name: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Split:
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(f"the images and labels of '{name}' do not belong together", "replace them by fresh copies")
    return Split(torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64)))


def _find(folder: Path, name: str) -> Path | None:
    places = [base / f"{name}{end}" for base in (folder / "FashionMNIST" / "raw", folder) for end in ("", ".gz")]
    return next((path for path in places if path.is_file()), None)


def _fetch(folder: Path) -> None:
    """Downloads what is missing, with torchvision's addresses and checksums."""
    from torchvision.datasets import FashionMNIST  # seconds to import: only where it is needed

    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output belongs to --json
            FashionMNIST(folder, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"Fashion-MNIST could not be downloaded to '{folder}': {error}", "try again, or copy it there"
        ) from None
