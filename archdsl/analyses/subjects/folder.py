"""Keeps the results of one network in a folder, with arrays and figures, and gives back those that still hold.

What makes a result hold is its identity: the weights, the data, the blocks, the batches, the options, the seed, and the
versions that computed it. A result of any other identity is measured again and replaced.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from archdsl.analyses import ANALYSES, Result
from archdsl.analyses.measuring.parts import Parts, apart
from archdsl.base import pictures
from archdsl.base.errors import DataError, RunError
from archdsl.base.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (6.4, 4.2)  # inches of a figure in a file of its own
Identity = Mapping[str, Any]  # plain data, equal exactly where a stored result still holds


@dataclass
class Folder:
    """A folder of results, one `NAME.json` each, with `NAME.npz` and the figures beside it.

    Attributes:
        path: the folder; made on first writing.
        files: names of what was written or found, in order.
    """

    path: Path
    files: list[str] = field(default_factory=list)

    def make(self) -> None:
        """Create the folder.

        Raises:
            RunError: it cannot be.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"cannot make the folder '{self.path}': {error.strerror}", "choose another with --out"
            ) from None

    def kept(self, name: str, identity: Identity, blind: Sequence[str] = ()) -> Result | None:
        """The stored result of an analysis, if it is there, whole, and of this identity, whatever the `blind` parts."""
        try:
            document = json.loads((self.path / f"{name}.json").read_text(encoding="utf-8"))
            any_ = dict.fromkeys(blind)
            if document["identity"] | any_ != json.loads(json.dumps(identity)) | any_:
                return None
            result = ANALYSES[name].result.from_json(document["result"])
        except (OSError, ValueError, KeyError, TypeError, DataError):
            return None  # absent, cut short, or of an older form: it is measured again
        missing = [file for file in self._beside(name) if not (self.path / file).is_file()]
        if missing:
            self._write_beside(name, result)
        self.files += [f"{name}.json", *self._beside(name)]
        return result

    def keep(self, name: str, result: Result, identity: Identity) -> None:
        """Store a result; `NAME.json` comes last, so that where it is, all is."""
        self._write_beside(name, result)
        document = {"analysis": name, "identity": identity, "result": result.to_json()}
        write_atomically(self.path / f"{name}.json", json.dumps(document) + "\n")
        (self.path / f"{name}.part.json").unlink(missing_ok=True)
        self.files += [f"{name}.json", *self._beside(name)]

    def parts(self, name: str, identity: Identity) -> Parts:
        """What earlier runs left of an analysis, batch by batch; further batches are kept as they come.

        They lie in `NAME.part.json` until the whole result is there. The first batches are the same however many are
        drawn: an interrupted run's serve, and so do those of a result of more batches, or fewer.
        """
        path, plain = self.path / f"{name}.part.json", json.loads(json.dumps({**identity, "batches": None}))
        done = max((self._batches(name, file, plain) for file in (path.name, f"{name}.json")), key=len)

        def keep(found: Sequence[Result]) -> None:
            write_atomically(path, json.dumps({"identity": plain, "parts": [part.to_json() for part in found]}) + "\n")

        return Parts(done, keep)

    def _batches(self, name: str, file: str, identity: Identity) -> list[Result]:
        """The results of single batches in a file of parts, or of the whole."""
        read = ANALYSES[name].result.from_json
        try:
            document = json.loads((self.path / file).read_text(encoding="utf-8"))
            if {**document["identity"], "batches": None} != identity:
                return []
            if "parts" in document:
                return [read(part) for part in document["parts"]]
            return apart(read(document["result"]))
        except (OSError, ValueError, KeyError, TypeError, DataError):
            return []  # absent, cut short, or of an older form

    def write(self, name: str, text: str) -> None:
        """Another file of the folder."""
        write_atomically(self.path / name, text)
        self.files.insert(0, name)

    def _beside(self, name: str) -> list[str]:
        return [f"{name}.npz", *(f"{stem}.{end}" for stem, _ in stems(name) for end in ("svg", "png"))]

    def _write_beside(self, name: str, result: Result) -> None:
        save_arrays(self.path / f"{name}.npz", arrays(result.to_json()))
        draw_files(name, result, self.path)


def network_digest(model: nn.Module, structure: str) -> str:
    """SHA-256 of what a network computes: its structure as text, and every weight and buffer, wherever they lie."""
    digest = hashlib.sha256(structure.encode("utf-8", "replace"))
    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):
            digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
            plain = value.detach().cpu().contiguous()
            digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def arrays(content: Any, prefix: str = "") -> dict[str, np.ndarray[Any, Any]]:
    """The numeric lists of a JSON document as arrays, named by their path.

    >>> sorted(arrays({"units": [{"after": [1.0, 2.0]}, {"after": [3.0]}], "label": "C"}))
    ['units.0.after', 'units.1.after']
    """
    if isinstance(content, dict):
        return {k: v for key, value in content.items() for k, v in arrays(value, f"{prefix}{key}.").items()}
    array = None
    if isinstance(content, (list, int, float)) and not isinstance(content, bool):
        try:
            array = np.asarray(content, dtype=float)
        except (ValueError, TypeError):
            array = None
    if array is not None:
        return {prefix.removesuffix("."): array}
    if isinstance(content, list):
        return {k: v for i, value in enumerate(content) for k, v in arrays(value, f"{prefix}{i}.").items()}
    return {}


def stems(name: str) -> list[tuple[str, str | None]]:
    """The figures of an analysis: file name without its ending, and view."""
    usual, *others = ANALYSES[name].views or (None,)
    return [(name, usual), *((f"{name}-{view}", view) for view in others)]


def draw_files(name: str, result: Result, folder: Path) -> None:
    """Draw a result into files of its own, one per view, as SVG and PNG."""
    for stem, view in stems(name):
        figure = pictures.blank(SIZE)
        axes = figure.add_subplot(projection="3d" if view == "surface" else None)
        ANALYSES[name].plot(result, axes, **({} if view is None else {"view": view}))
        save_both(figure, folder / stem)


def save_both(figure: Figure, stem: Path) -> list[str]:
    """A figure as SVG and as PNG; returns the files' names."""
    return [pictures.save(figure, stem.with_name(f"{stem.name}.{end}")).name for end in ("svg", "png")]


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """Arrays as an `.npz` file; returns its name."""
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return write_atomically(path, out.getvalue()).name
