"""`analyze_checkpoints`: analyses a network at several epochs of one training; draws its eigenvalues against these."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archdsl.analyses.results.hessian import HessianResult
from archdsl.analyses.results.hessian_epochs import plot
from archdsl.analyses.subjects.folder import SIZE, Folder, save_arrays, save_both
from archdsl.api.analyze import analyze
from archdsl.base import checkpoint
from archdsl.base.errors import ArchdslError, DataError, UsageError
from archdsl.base.pictures import blank

_CURVE = "train.curve"
_NAME = "along"


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint and how many epochs its weights were trained for."""

    path: Path
    epoch: int
    training: Mapping[str, str]  # what is the same in all checkpoints of a training


def analyze_checkpoints(
    files: Sequence[str | Path], *, only: str | Sequence[str] = (), out: str | Path | None = None, **options: Any
) -> dict[str, Any]:
    """Measure a network as it was after several epochs of one training.

    Args:
        files: two checkpoints or more of one training, in any order (`archdsl train --keep-every N` writes them).
        only: names of analyses; by default the Hessian's spectrum.
        out: folder for an analysis of each epoch, `along.json`, `along.npz` and the figure; by default `along` beside
            the first file.
        options: as for `archdsl.analyze`, of every epoch.

    Returns:
        `epochs`, the `scores` of each with their `standard_errors`, and the `files` written.

    Raises:
        ArchdslError: a file is no checkpoint, they are not of one training, or an analysis failed.
    """
    snapshots = ordered(files)
    home = Folder(Path(out) if out is not None else snapshots[0].path.parent / _NAME)
    home.make()
    say = options.get("say") or (lambda text: None)
    names = ([only] if isinstance(only, str) else list(only)) or ["hessian"]
    found: list[Mapping[str, Any]] = []
    spectra: dict[int, HessianResult] = {}
    failure: ArchdslError | None = None
    for snapshot in snapshots:
        say(f"epoch {snapshot.epoch}: {snapshot.path}")
        place = home.path / f"epoch{snapshot.epoch}"
        try:
            found.append(analyze(snapshot.path, only=names, out=place, **options))
        except ArchdslError as error:
            if error.finished is None:
                raise
            found.append(error.finished)
            failure = failure or error
        if "lambda_max" in found[-1]["scores"]:
            stored = json.loads((place / "hessian.json").read_text(encoding="utf-8"))
            spectra[snapshot.epoch] = HessianResult.from_json(stored["result"])
    epochs = [snapshot.epoch for snapshot in snapshots]
    document = {
        "name": found[0]["name"],
        "hash": found[0]["hash"],
        "epochs": epochs,
        "checkpoints": [str(snapshot.path) for snapshot in snapshots],
        "scores": [one["scores"] for one in found],
        "standard_errors": [one["standard_errors"] for one in found],
    }
    home.write(f"{_NAME}.json", json.dumps(document, indent=1) + "\n")
    if spectra:
        _write_spectra(home, list(spectra), list(spectra.values()))
    document |= {"folder": str(home.path), "files": sorted(home.files)}
    if failure is not None:
        failure.finished = document
        raise failure
    return document


def ordered(files: Sequence[str | Path]) -> list[Snapshot]:
    """The checkpoints of one training by their epochs.

    Raises:
        UsageError: there are fewer than two.
        DataError: they are of several trainings, or two of one epoch.
    """
    if len(files) < 2:
        raise UsageError("a training is followed through two checkpoints or more", "archdsl train --keep-every 1")
    found = sorted((_snapshot(Path(file)) for file in files), key=lambda snapshot: snapshot.epoch)
    first = found[0]
    for before, here in itertools.pairwise(found):
        if here.training != first.training:
            keys = (*here.training, *first.training)  # either may have one that the other lacks
            differing = next(key for key in keys if here.training.get(key) != first.training.get(key))
            what = differing.removeprefix("train.").removeprefix("archdsl.")
            raise DataError(
                f"'{first.path}' and '{here.path}' are not of one training: their {what} differs",
                "archdsl compare is for different networks",
            )
        if here.epoch == before.epoch:
            raise DataError(f"'{before.path}' and '{here.path}' are both of epoch {here.epoch}", "leave one out")
    return found


def _snapshot(path: Path) -> Snapshot:
    if path.suffix != ".safetensors":
        raise UsageError(f"'{path}' is no checkpoint", "several files are checkpoints of one training (.safetensors)")
    metadata = checkpoint.load_metadata(path)
    try:
        epoch = len(json.loads(metadata[_CURVE]))
    except (KeyError, ValueError, TypeError):
        raise DataError(
            f"'{path}' does not say how long it was trained", "archdsl train --keep-every N writes checkpoints that do"
        ) from None
    return Snapshot(path, epoch, {key: value for key, value in metadata.items() if key not in (_CURVE, "train.format")})


def _write_spectra(home: Folder, epochs: Sequence[int], spectra: Sequence[HessianResult]) -> None:
    """The eigenvalues of all epochs as arrays and as a figure."""
    found = {
        "epochs": np.array(epochs), "eigenvalues": np.stack([s.eigenvalues for s in spectra]),
        "largest": np.stack([s.largest for s in spectra]), "smallest": np.stack([s.smallest for s in spectra]),
    }  # fmt: skip
    figure = blank(SIZE)
    plot(epochs, spectra, figure.add_subplot())
    home.files += [save_arrays(home.path / f"{_NAME}.npz", found), *save_both(figure, home.path / _NAME)]
