"""Writes files so that either the old one or the new one is there, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from archdsl.base.errors import DiskFullError, RunError

FULL = os.strerror(errno.ENOSPC)  # libraries that are not written in Python hand on the text alone


def write_atomically(path: Path, text: str | bytes) -> Path:
    """Write beside the target under a temporary name, then rename.

    Raises:
        RunError: the folder is absent or cannot be written, or the disk is full; an older file is left as it was.
    """
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException as error:  # a Ctrl-C too must leave nothing behind
        if name:
            with contextlib.suppress(OSError):
                os.unlink(name)
        if not isinstance(error, OSError):
            raise
        raise unwritable(path, error) from None
    return path


def unwritable(path: Path, error: OSError) -> RunError:
    """What to tell of a file or folder that cannot be written."""
    kind = DiskFullError if is_full(error) else RunError
    return kind(f"cannot write '{path}': {error.strerror}", "check the folder, its permissions and the free space")


def is_full(error: BaseException) -> bool:
    """Whether an error means that a disk, or the user's share of it, is full."""
    return (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or FULL in str(error)


def _umask() -> int:
    """The process's file mask; `mkstemp` ignores it and makes files nobody else can read."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
