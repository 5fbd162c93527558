"""`analyze`: measures a spec, a checkpoint or a module; writes scores, raw arrays, figures and a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from archdsl import analyses
from archdsl.analyses import Result
from archdsl.analyses.subjects.folder import Folder
from archdsl.analyses.subjects.subject import Options, Say, Subject, about, attempt, failure, kept
from archdsl.api.subjects import is_checkpoint, of_checkpoint, of_job
from archdsl.api.train import prepare
from archdsl.base.errors import UsageError
from archdsl.report.networks import Measured, Run, page

PAGE = "analysis.html"


def analyze(
    file: str | Path | nn.Module, *,
    blocks: str | nn.Module | Sequence[str | nn.Module] | Mapping[str, str] | None = None,
    data: str | None = None, data_root: Path | None = None, download: bool = False, only: str | Sequence[str] = (),
    epochs: int | None = None, seed: int = 0, device: str = "auto", out: str | Path | None = None,
    batches: int | None = None, batch_size: int | None = None, compat: str | None = None, density: bool = False,
    on_step: Callable[[int, int], None] | None = None, say: Say | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measure a network with the analyses of `archdsl.analyses`: spectrum, Fourier, variance, noise, lesion and others.

    What is finished is kept in the folder and not measured again, as long as weights, data, options, seed and versions
    are the same: an interrupted analysis goes on where it was.

    Args:
        file: a checkpoint of `archdsl train` (`….safetensors`); or a spec, which is trained first by its own recipe
            (and taken from its checkpoint when it was trained before); or a PyTorch module, timm's among them.
        blocks: of a module, what counts as its blocks: names or modules, or names to kinds
            (`{"layer1.0": "conv", "layer4.1": "msa"}`). By default they are found, and their kinds guessed; where none
            are, what looks at blocks is left out.
        data: data set; by default the one it was trained on.
        data_root, download: where torchvision's data sets lie, and whether to fetch them.
        only: names of analyses, or one name; by default all usual ones that the network can have (no variance of maps
            of 1 x 1, say, and no corruptions, which take long).
        epochs: of the training of a spec, in place of its recipe's.
        seed: of the batches, and of the training of a spec.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        out: folder for `scores.json`, `analysis.html`, `….npz`, `….json` and the figures; by default beside the
            checkpoint. For a module: none, and nothing is written.
        batches, batch_size: how many batches of how many images, in place of each analysis's own numbers; quality
            always looks at the whole split.
        compat: "parkkim": measure as the public code of Park & Kim 2022 does, where that differs.
        density: the density of all Hessian eigenvalues, too (the analysis `hessian_density`).
        on_step: for a progress display of the training.
        say: is told what is being done.

    Returns:
        `scores`, their `standard_errors`, and the `files` written. Page and `scores.json` hold, beside these scores,
        all that the folder has of this network, data and options from earlier calls.

    Raises:
        ArchdslError: the file, the data or an option is wrong, or an analysis failed that was named, or all did. The
            others are then measured and written all the same, and what would be returned is its `finished`.
    """
    say = say or (lambda text: None)
    options = Options(only, ("hessian_density",) if density else (), seed, batches, batch_size, compat, device)
    place = None if out is None else Path(out)
    if epochs is not None and (isinstance(file, nn.Module) or is_checkpoint(file)):
        raise UsageError("--epochs is for specs, which are trained first", "leave it out: this network is trained")
    if isinstance(file, nn.Module):
        from archdsl.analyses.subjects.modules import of_module

        subject = of_module(file, blocks, data=data, data_root=data_root, download=download, device=device, say=say)
    elif is_checkpoint(file):
        subject = of_checkpoint(Path(file), data=data, data_root=data_root, download=download, device=device)
        place = place or Path(file).parent / "analysis"
    else:
        job = prepare(file, data=data, data_root=data_root, download=download, epochs=epochs, seed=seed, device=device)
        say(f"training {job.architecture.name} on {job.data.name} (or taking it from {job.checkpoint})")
        subject = of_job(job, job.checkpoint, on_step)
        place = place or job.checkpoint.parent / "analysis"
    folder = None if place is None else Folder(place)
    results, failures = attempt(subject, options, folder, say)
    error = failure(options, results, failures)
    if error is not None and not results:
        raise error
    document = _document(subject, options, results)
    if folder is not None:
        everything = kept(subject, options, folder, any_batches=True) | results
        folder.write("scores.json", json.dumps(_document(subject, options, everything), indent=1) + "\n")
        facts = about(subject.data, options, everything)
        folder.write(PAGE, page([described(subject, everything)], facts, _notes(everything)))
        document |= {"folder": str(folder.path), "files": sorted(set(folder.files))}
    if error is not None:
        error.finished = document
        raise error
    return document


def _document(subject: Subject, options: Options, results: Mapping[str, Result]) -> dict[str, Any]:
    """What `scores.json` holds."""
    return {
        "scores": analyses.scores(results),
        "standard_errors": analyses.standard_errors(results),
        "name": subject.name,
        "hash": subject.hash,
        "params": subject.params,
        "data": subject.data.name,
        "seed": options.seed,
        "compat": options.compat,
    }


def _notes(results: Mapping[str, Result]) -> list[str]:
    """A line for each analysis that left something out, or has more to say; not all of it where that is much."""
    lines = []
    for name, result in results.items():
        notes = getattr(result, "notes", ())
        more = [f"and {len(notes) - 2} more"] if len(notes) > 3 else []
        if notes:
            lines.append(f"{name}: {'; '.join([*(notes[:2] if more else notes), *more])}")
    return lines


def described(subject: Subject, results: Mapping[str, Result]) -> Measured:
    """A subject as the page shows it."""
    return Measured(
        name=subject.name, params=subject.params, macs=subject.macs, layout=tuple(map(tuple, subject.layout)),
        kinds=subject.kinds, hash=subject.hash, runs=(Run(None, results),),
    )  # fmt: skip
