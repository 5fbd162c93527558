"""Defines a data set: checked splits of labelled images, their statistics, identity and held-out parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archdsl.base.errors import DataError

HELD_OUT = 0.1
"""Share of the training images that becomes validation (or test) where the source has no such split."""

_CHUNK = 4096  # images per step wherever a whole split is walked: bounds the temporary memory to some MB


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled images in memory.

    Attributes:
        images: uint8 (N, C, H, W).
        labels: int64 (N,).
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return self.images.shape[0]

    def to(self, device: torch.device | str) -> Split:
        """The same split on a device, its images in channels-last memory; nothing is copied if it is so already."""
        images = self.images.to(device, memory_format=torch.channels_last)
        return Split(images, self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits of one classification task.

    Attributes:
        name: as it was asked for.
        classes: how many there are; labels count from 0.
        train, validation, test: a search sees the first two alone.
        mean, std: per channel over the training split, images scaled to 0..1.
        flip: mirroring an image keeps its label.
        digest: SHA-256 of all images and labels, the data set's identity for caches and resumed runs.
    """

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip: bool
    digest: str

    @property
    def input(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of an image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width


def build(
    name: str, train: Split, *, validation: Split | None = None, test: Split | None = None, classes: int = 0, flip: bool
) -> Dataset:
    """Checks the splits and makes the data set; a split that is None is held out of `train`.

    The held-out tenth (`HELD_OUT`, at least one image of every class that has two) is stratified and depends on
    nothing but the labels and their order. `train` is reordered in place then, so that no second copy is made.

    Raises:
        DataError: a split is empty, labels are out of range, or the splits differ in image shape.
    """
    classes = classes or _count_classes(name, train)
    if test is None:
        train, test = hold_out(train, HELD_OUT, "test")
    if validation is None:
        train, validation = hold_out(train, HELD_OUT, "validation")
    for role, split in (("training", train), ("validation", validation), ("test", test)):
        _check(name, role, split, train, classes)
    mean, std = _statistics(train.images)
    digest = _digest(classes, flip, (train, validation, test))
    return Dataset(name, classes, train, validation, test, mean, std, flip, digest)


def hold_out(split: Split, share: float, salt: str) -> tuple[Split, Split]:
    """Cuts a stratified share off a split: what stays (which reuses its memory), and what was cut.

    Images are chosen by the SHA-256 of `salt` and their position: the choice never changes with library versions.
    """
    labels = split.labels.numpy()
    order = np.array(sorted(range(len(labels)), key=lambda i: hashlib.sha256(f"{salt} {i}".encode()).digest()))
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        held[members[: max(round(share * len(members)), min(1, len(members) - 1))]] = True
    keep = torch.from_numpy(np.flatnonzero(~held))
    cut = torch.from_numpy(np.flatnonzero(held))
    part = Split(split.images[cut], split.labels[cut])
    for start in range(0, len(keep), _CHUNK):  # keep[i] >= i: what is overwritten has been moved already
        chunk = keep[start : start + _CHUNK]
        split.images[start : start + len(chunk)] = split.images[chunk]
    return Split(split.images[: len(keep)], split.labels[keep]), part


def _count_classes(name: str, train: Split) -> int:
    """Number of classes by the training labels, which must look like 0, 1, 2, …"""
    if len(train) == 0:
        raise DataError(f"the data set '{name}' has no training images")
    low, high = int(train.labels.min()), int(train.labels.max())
    if low != 0 or high >= len(train):
        raise DataError(
            f"the training labels of '{name}' lie in {low}..{high}, with {len(train)} images",
            "number the classes from 0 without gaps",
        )
    return high + 1


def _check(name: str, role: str, split: Split, train: Split, classes: int) -> None:
    if len(split) == 0:
        raise DataError(f"the data set '{name}' has no {role} images", "every split needs some; add images")
    if split.images.shape[1:] != train.images.shape[1:]:
        ours, theirs = ("x".join(map(str, s.images.shape[1:])) for s in (split, train))
        raise DataError(f"the {role} images of '{name}' are {ours}, its training images {theirs} (CxHxW)")
    low, high = int(split.labels.min()), int(split.labels.max())
    if low < 0 or high >= classes:
        raise DataError(
            f"the {role} labels of '{name}' lie in {low}..{high}, its training labels in 0..{classes - 1}",
            "all splits must use the same classes, numbered from 0",
        )


def _chunks(images: Tensor) -> Iterator[NDArray[np.uint8]]:
    """The images as contiguous (n, C, H, W) arrays, a bounded number at a time."""
    for start in range(0, len(images), _CHUNK):
        yield images[start : start + _CHUNK].contiguous().numpy()


def _statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Per-channel mean and standard deviation of images scaled to 0..1, from exact integer counts of pixel values."""
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for chunk in _chunks(images):
        for channel in range(images.shape[1]):
            counts[channel] += np.bincount(chunk[:, channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ values
    variance = (share * (values - mean[:, None]) ** 2).sum(axis=1)
    # A constant channel would divide by zero; one grey level is the least a deviation can mean in 8 bits.
    std = np.maximum(np.sqrt(variance), 1 / 255)
    return tuple(mean.tolist()), tuple(std.tolist())


def _digest(classes: int, flip: bool, splits: tuple[Split, ...]) -> str:
    digest = hashlib.sha256(f"archdsl data 1, {classes} classes, flip {flip}".encode())
    for split in splits:
        digest.update(str(tuple(split.images.shape)).encode())
        for chunk in _chunks(split.images):
            digest.update(chunk.data)
        digest.update(split.labels.numpy().astype("<i8").data)
    return digest.hexdigest()
