"""Reads `imagefolder:PATH`: a folder of pictures, one subfolder per class, as torchvision does."""

from __future__ import annotations

import logging
import os
import re
import struct
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from archdsl.base.errors import DataError
from archdsl.data import DATASETS
from archdsl.data.dataset import Dataset, Split, build
from archdsl.data.pictures import Header, common_shape, header, pixels

_LAYOUT = "a folder with train/CLASS/*.png and optionally validation/ and test/ like it, or with CLASS/*.png directly"
_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp")
_ROLES = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}

_log = logging.getLogger(__name__)


@DATASETS.register("imagefolder")
def load(where: str, root: Path | None, download: bool) -> Dataset:
    """Pictures by class; whichever of validation and test is absent is held out of train, 10% each.

    All pictures share one size, else they are scaled and cropped to the most common one; `imagefolder:PATH@64` or
    `@48x64` (height x width) names another. Classes are the subfolders of train by name; 3 channels, or 1 if every
    picture is grey. Colour pictures may be mirrored in training, grey ones (digits, scans) not.
    """
    if not where:
        raise DataError("the data set 'imagefolder' needs a folder", "write imagefolder:PATH")
    base, size = _folder_and_size(where, (root or Path()).expanduser())
    folders = _roles(base)
    classes = sorted(p.name for p in folders["train"].iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(classes) < 2:
        raise DataError(
            f"'{folders['train']}' has {len(classes)} class folders, at least 2 are needed", f"expected {_LAYOUT}"
        )
    listed = {role: _list(folder, classes) for role, folder in folders.items()}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # Pillow decodes outside the interpreter lock
        headers = {role: list(pool.map(_header, [p for p, _ in listed[role]])) for role in listed}
        name = f"imagefolder:{where}" if size is None else f"imagefolder:{base}"
        shape = common_shape(name, [h for part in headers.values() for h in part], size)
        odd = sum((h.height, h.width) != shape[1:] for part in headers.values() for h in part)
        if odd:
            _log.warning("%d pictures of %s are scaled and cropped to %dx%d", odd, base, *shape[1:])
        splits = {role: _decode(pool, listed[role], shape) for role in listed}
    return build(
        f"imagefolder:{where}",
        splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        classes=len(classes),
        flip=shape[0] == 3,
    )


def _folder_and_size(where: str, root: Path) -> tuple[Path, tuple[int, int] | None]:
    """Splits `PATH@64` or `PATH@48x64` into folder and size; a folder that is really called so wins."""
    base = root / Path(where).expanduser()
    size = None
    if not base.is_dir() and (match := re.fullmatch(r"(.+)@([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?", where)):
        base = root / Path(match[1]).expanduser()
        size = int(match[2]), int(match[3] or match[2])
    if not base.is_dir():
        raise DataError(f"there is no folder '{base}'", f"expected {_LAYOUT}")
    return base, size


def _roles(base: Path) -> dict[str, Path]:
    """Folder of each split there is; without train/ and the others, the folder itself is the training split."""
    found = {}
    for role, names in _ROLES.items():
        there = [base / name for name in names if (base / name).is_dir()]
        if len(there) > 1:
            raise DataError(f"'{base}' has both {' and '.join(p.name for p in there)}", "keep one of them")
        if there:
            found[role] = there[0]
    if not found:
        return {"train": base}
    if "train" not in found:
        raise DataError(
            f"'{base}' has {' and '.join(p.name for p in found.values())} but no train", f"expected {_LAYOUT}"
        )
    return found


def _list(folder: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    """All pictures of a split with their class, in the order of their paths."""
    present = {p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")}
    if unknown := sorted(present - set(classes)):
        raise DataError(
            f"'{folder}' has class folders that train has not: {', '.join(unknown[:5])}", f"expected {_LAYOUT}"
        )
    listed: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        inside = [Path(at, f) for at, _, found in os.walk(folder / name) for f in found if f.lower().endswith(_ENDINGS)]
        if not inside and folder.name not in ("validation", "val", "test"):
            raise DataError(
                f"'{folder / name}' has no pictures", f"expected {_LAYOUT}; files end in {' '.join(_ENDINGS)}"
            )
        listed.extend((path, label) for path in sorted(inside))
    if not listed:
        raise DataError(f"'{folder}' has no pictures in class folders", f"expected {_LAYOUT}")
    return listed


def _header(path: Path) -> Header:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # header() has the stricter limit
            with Image.open(path) as picture:
                return header(str(path), picture)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"'{path}' is no readable picture: {error}", "replace or remove it") from None


def _decode(pool: ThreadPoolExecutor, listed: Sequence[tuple[Path, int]], shape: tuple[int, int, int]) -> Split:
    from PIL import Image

    out = np.empty((len(listed), *shape), dtype=np.uint8)

    def decode(index: int) -> None:
        path = listed[index][0]
        try:
            with Image.open(path) as picture:
                out[index] = pixels(picture, shape)
        except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
            raise DataError(f"'{path}' is truncated or corrupt: {error}", "replace or remove it") from None

    for _ in pool.map(decode, range(len(listed))):
        pass
    return Split(torch.from_numpy(out), torch.tensor([label for _, label in listed], dtype=torch.int64))
