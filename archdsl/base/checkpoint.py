"""Writes and reads checkpoints: named tensors and text in one safetensors file that is never half-written."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from archdsl.base.errors import DiskFullError, RunError, StudyError
from archdsl.base.files import is_full

SPEC_KEY = "archdsl.spec"  # of the metadata: the text of the network whose weights these are
FORMAT_KEY = (
    "archdsl.format"  # the same, of files that hold nothing but weights (`archdsl compile --export safetensors`)
)
DIGEST_KEY = (
    "archdsl.base.checkpoint"  # the digest of all else in the file: safetensors itself does not notice a flipped bit
)
ABANDONED = 600.0  # seconds without a change after which nobody is writing a temporary file any more


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes a checkpoint: under a name of its own first, `path.….tmp`, which then replaces `path` in one step.

    A reader, or a run that is killed at any moment, finds either the old file or the new one, whole; so it is where
    several processes write one path. What killed ones left half written is removed by a later writer.

    Raises:
        RunError: it could not be written (full disk, no permission); the old file is as it was.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    # safetensors stores plain row-major arrays; channels-last weights and shared memory are laid out anew.
    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(plain, temporary, {**metadata, DIGEST_KEY: _digest(plain, metadata)})
        _to_disk(temporary)
        _remove_left_over(path, temporary.stat().st_mtime)
        temporary.replace(path)
        _to_disk(path.parent)
    except (OSError, SafetensorError) as error:
        kind = DiskFullError if is_full(error) else RunError
        raise kind(
            f"the checkpoint '{path}' could not be written: {error}",
            "free disk space or name another place; the same command then goes on from the last checkpoint",
        ) from None
    finally:  # after a Ctrl-C too
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _remove_left_over(path: Path, now: float) -> None:
    """Removes what killed writers of this path left; `now` is the file system's, which other machines may share."""
    for other in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):  # its writer, or another one, was quicker
            if now - other.stat().st_mtime > ABANDONED:
                other.unlink()


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads a checkpoint: its tensors, on the CPU, and its metadata. Nothing in it is ever executed.

    Raises:
        StudyError: it is absent, truncated, corrupt or no safetensors file, or a number in it is not the one that was
            written.
    """
    if not path.is_file():
        raise StudyError(f"there is no checkpoint '{path}'")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
        noted = metadata.pop(DIGEST_KEY, None)  # exports have none, but one of their weights
        if noted is not None and noted != _digest(tensors, metadata):
            raise ValueError("its content is not what was written")
        return tensors, metadata
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise _broken(path, error) from None


def load_metadata(path: Path) -> dict[str, str]:
    """A checkpoint's metadata, without its tensors.

    Raises:
        StudyError: as `load`.
    """
    if not path.is_file():
        raise StudyError(f"there is no checkpoint '{path}'")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise _broken(path, error) from None
    metadata.pop(DIGEST_KEY, None)
    return metadata


def _broken(path: Path, error: Exception) -> StudyError:
    return StudyError(f"the checkpoint '{path}' is truncated or corrupt: {error}", "delete it and write it anew")


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The `state_dict` a training checkpoint would be evaluated with (its moving average if it has one), and metadata.

    Exported weights are taken as they are.

    Raises:
        StudyError: as `load`, or it was written by neither `archdsl.training.loop.train` nor an export.
    """
    tensors, metadata = load(path)
    weights = tensors if FORMAT_KEY in metadata else evaluated(tensors)
    if not weights:
        raise StudyError(f"'{path}' is no training checkpoint of archdsl", "archdsl train writes them")
    return weights, metadata


def evaluated(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of the tensors of a training checkpoint those a network is evaluated with, empty for any other tensors."""
    for prefix in ("ema.", "model."):
        weights = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        if weights:
            return weights
    return {}


def set_aside(path: Path) -> Path:
    """Renames a broken checkpoint to a free name `path`.corrupt…, so that nothing is lost; returns that name."""
    number = 1
    target = path.with_name(f"{path.name}.corrupt")
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.corrupt{number}")
    path.replace(target)
    return target


def numbers_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the numbers of contiguous tensors on the CPU, in the order of their names."""
    found = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of all that a checkpoint holds: names, kinds, shapes, numbers and metadata."""
    forms = [(name, str(tensor.dtype), list(tensor.shape)) for name, tensor in sorted(tensors.items())]
    said = json.dumps([forms, sorted(metadata.items()), numbers_digest(tensors)])
    return hashlib.sha256(said.encode()).hexdigest()


def _plain(tensor: Tensor) -> Tensor:
    """A copy on the CPU in row-major order that shares memory with nothing."""
    return torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())


def _to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, have reached the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open folders
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
