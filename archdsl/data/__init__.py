"""Loads data sets by name, as tensors in memory.

A file in this folder that enters a function in `DATASETS` adds a kind of data set; nothing else lists it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from archdsl.base.errors import DataError, UnknownNameError, did_you_mean
from archdsl.base.registry import Registry
from archdsl.data.dataset import Dataset, Split

__all__ = ["DATASETS", "DEFAULT_DATA", "Dataset", "Split", "load"]

DEFAULT_DATA = "fashion"  # the embedded one
Source = Callable[[str, Path | None, bool], Dataset]
"""What is written after the colon (or nothing), the `--data-root` and whether to download -> the data set."""

DATASETS: Registry[Source] = Registry("data set", "archdsl.data")

_TIMM = ("torch/", "hfds/", "hfids/", "tfds/", "wds/")


def load(name: str, *, root: Path | None = None, download: bool = False) -> Dataset:
    """Reads a data set into memory.

    Args:
        name: `fashion`, `fashion-mnist`, `cifar10`, `cifar100`, `npz:PATH`, `imagefolder:PATH`, or a name of
            `timm.data.create_dataset` such as `torch/kmnist` or `hfds/cifar10`.
        root: the folder of `--data-root`; relative paths start there.
        download: fetch what is not there; nothing is ever fetched without it.

    Raises:
        UnknownNameError: nothing is called that.
        DataError: the data is absent, truncated, corrupt or of the wrong shape; the message says what to do.

    >>> data = load("fashion")
    >>> data.input, data.classes, len(data.train), len(data.validation), len(data.test)
    ((1, 28, 28), 10, 6000, 2000, 2000)
    """
    if name.startswith(_TIMM):
        name = f"timm:{name}"
    kind, _, where = name.partition(":")
    if kind not in DATASETS:
        raise _unknown(name)
    try:
        return DATASETS[kind](where, root, download)
    except MemoryError:
        raise DataError(f"the data set '{name}' does not fit into this machine's memory", "use fewer images") from None


def _unknown(name: str) -> UnknownNameError:
    """The error for a name of no kind, which is often just a path."""
    error = UnknownNameError("data set", name, DATASETS)
    if name.endswith(".npz"):
        error.help = f"did you mean 'npz:{name}'?"
    elif Path(name).is_dir():
        error.help = f"did you mean 'imagefolder:{name}'?"
    elif did_you_mean(name, list(DATASETS)) is None:
        error.help = f"{error.help}, and timm's names such as torch/kmnist"
    return error
