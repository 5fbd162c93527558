"""`compare`: measures specs and checkpoints alike, and sets them side by side in a table and a page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from archdsl.analyses import Result, quality
from archdsl.analyses import batches as sample
from archdsl.analyses.measuring.exact import device_of
from archdsl.analyses.subjects import race as racing
from archdsl.analyses.subjects.folder import Folder, network_digest
from archdsl.analyses.subjects.subject import (
    Options,
    Say,
    Subject,
    about,
    attempt,
    failure,
    identity,
    kept,
)
from archdsl.api.subjects import is_checkpoint, of_checkpoint, of_job
from archdsl.api.train import Job, prepare
from archdsl.base.errors import ArchdslError, UsageError
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.language.sources import read_spec
from archdsl.network import digest, resolve_model
from archdsl.report.networks import Measured, Run, documents, page, rows
from archdsl.report.networks.measured import spreads
from archdsl.training.experiment import fit_to_data

PAGE = "comparison.html"


def compare(
    files: Sequence[str | Path], *, data: str | None = None, data_root: Path | None = None, download: bool = False,
    only: Sequence[str] = (), epochs: int | None = None, seed: int = 0, seeds: int = 1, device: str = "auto",
    out: str | Path | None = None, batches: int | None = None, batch_size: int | None = None, compat: str | None = None,
    race: float | None = None, on_step: Callable[[int, int], None] | None = None, say: Say | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measure networks side by side: trained under one recipe and budget, or from the checkpoints given.

    Specs are all trained by the recipe of the first of them, for as many epochs, from the same seeds. Checkpoints are
    taken as they are; where recipes differ, the notes say so. All networks see the same images. What is finished is
    kept in the folder, and the same command goes on from there.

    Args:
        files: two networks or more: specs, shipped names, checkpoints of `archdsl train`.
        data: data set of all; by default the one that the first of the files names.
        data_root, download: where torchvision's data sets lie, and whether to fetch them.
        only: names of analyses; by default the usual ones. What the folder has of these networks, data and options from
            earlier calls is shown beside them.
        epochs: in place of the recipe's.
        seed: of the batches, and of the first training.
        seeds: trainings of each spec, from `seed` on; with several, the intervals are over these, else over images.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        out: folder for the trainings, the analyses, `comparison.json` and `comparison.html`; by default
            `runs/compare-NAMES`.
        batches, batch_size: how many batches of how many images, in place of each analysis's own numbers.
        compat: "parkkim": measure as the public code of Park & Kim 2022 does, where that differs.
        race: measure the Hessian batch by batch, and stop as soon as each network is settled against the first, with
            this probability of any wrong verdict at most (`archdsl.analyses.subjects.race`); `batches` is then the
            most there may be. By default all batches are measured.
        on_step: for a progress display of the training.
        say: is told what is being done.

    Returns:
        `networks`, the `table` with intervals and with the differences from the first network, `notes`, and the
        `files` written.

    Raises:
        ArchdslError: a file, the data or an option is wrong, or a training or an analysis failed.
    """
    say = say or (lambda text: None)
    if len(files) < 2:
        raise UsageError("a comparison takes two networks or more", "archdsl compare A.arch B.arch")
    if seeds < 1:
        raise UsageError(f"{seeds} trainings of each network", "--seeds is from 1")
    options = Options(only, (), seed, batches, batch_size, compat, device)
    _check_race(race, options.only, seeds)
    if (epochs is not None or seeds > 1) and all(map(is_checkpoint, files)):
        raise UsageError("--epochs and --seeds are for specs, which are trained first", "leave them out")
    entries = enter(files, data=data, data_root=data_root, download=download, epochs=epochs, seed=seed, device=device)
    home = Folder(
        Path(out) if out is not None else Path("runs") / f"compare-{'-'.join(entry.name for entry in entries)}"[:80]
    )
    home.make()
    ready: list[dict[str, Result]] = [{} for _ in entries]
    raced: dict[str, Any] | None = None
    if race is not None:
        ready, raced = _raced(entries, options, race, home.path, on_step, say)
    failures: list[ArchdslError] = []
    found = [
        measured(entry, range(seed, seed + seeds), options, home.path, on_step, say, known, failures)
        for entry, known in zip(entries, ready, strict=True)
    ]
    notes = [*differing_recipes(entries), *(raced or {}).pop("notes", [])]
    for note in notes:
        say(note)
    document = documents(found, rows(found)) | {
        "notes": notes,
        "data": entries[0].data.name,
        "seed": seed,
        "seeds": seeds,
        "compat": compat,
        **({} if raced is None else {"race": raced}),
    }
    home.write(
        PAGE, page(found, about(entries[0].data, options, found[0].results) | {"Recipe": found[0].recipe}, notes)
    )
    home.write("comparison.json", json.dumps(document, indent=1) + "\n")
    document |= {"folder": str(home.path), "files": sorted(home.files)}
    if failures:
        failures[0].finished = document
        raise failures[0]
    return document


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network of a comparison before it is trained and measured.

    Attributes:
        name: unlike the others'.
        data: the same for all.
        recipe: how it is, or was, trained; None where a checkpoint does not say.
        source: a spec, to be trained; or a checkpoint's network.
        file: as it was named.
        said: what a spec itself says of its training.
    """

    name: str
    data: Dataset
    recipe: Recipe | None
    source: Job | Subject
    file: str
    said: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> str:
        """A folder's name: equal for the same network, recipe and data."""
        if isinstance(self.source, Job):
            content: Any = [self.source.architecture.hash, self.source.recipe.model_dump(mode="json"), self.data.digest]
        else:
            content = network_digest(self.source.network, self.source.structure)
        return f"{self.name}-{digest(content)[:8]}"


def enter(
    files: Sequence[str | Path], *, data: str | None, data_root: Path | None, download: bool, epochs: int | None,
    seed: int, device: str,
) -> list[Entry]:  # fmt: skip
    """The networks of the files on one data set, all specs with the recipe of the first, names told apart.

    Raises:
        ArchdslError: a file is wrong, or does not fit the data.
    """
    made: list[Entry] = []
    for file in files:
        jobs = [entry.source for entry in made if isinstance(entry.source, Job)]
        known = made[0].data if made else None
        if is_checkpoint(file):
            subject = of_checkpoint(
                Path(file), data=known or data, data_root=data_root, download=download, device=device
            )
            made.append(Entry(subject.name, subject.data, subject.recipe, subject, str(file)))
        elif jobs:
            made.append(_matched(file, jobs[0]))
        else:
            job = prepare(
                file, data=known.name if known else data, data_root=data_root, download=download, epochs=epochs,
                seed=seed, device=device,
            )  # fmt: skip
            made.append(Entry(job.architecture.name, job.data, job.recipe, job, str(file)))
    return _named(made)


def _matched(file: str | Path, like: Job) -> Entry:
    """A spec on the data of another and with its recipe."""
    source = read_spec(file)
    spec = fit_to_data(source.spec(), like.data, source.path)
    job = dataclasses.replace(like, architecture=resolve_model(spec, source.text, source.path))
    return Entry(job.architecture.name, like.data, like.recipe, job, str(file), dict(spec.train))


def _named(entries: list[Entry]) -> list[Entry]:
    """Names that tell the networks apart: the files' where the networks' own do not."""
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        names = [Path(entry.file).stem if "\n" not in entry.file else entry.name for entry in entries]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names, start=1)]
    return [dataclasses.replace(entry, name=name) for entry, name in zip(entries, names, strict=True)]


def differing_recipes(entries: Sequence[Entry]) -> list[str]:
    """A sentence for each network that was not, or does not ask to be, trained as the first one is."""
    notes = []
    common = entries[0].recipe
    for entry in entries:
        if isinstance(entry.source, Job):
            used = entry.source.recipe.model_dump()
            other = {name: value for name, value in entry.said.items() if name != "epochs" and used[name] != value}
            if other:
                listed = ", ".join(f"{name}={value}" for name, value in other.items())
                notes.append(f"{entry.name} asks for {listed}, but is trained as {entries[0].name} is")
        if entry.recipe is None:
            notes.append(f"{entry.name}: its file does not say how it was trained")
        elif common is not None and entry.recipe != common:
            mine, theirs = entry.recipe.model_dump(), common.model_dump()
            listed = ", ".join(f"{n}={mine[n]}, not {theirs[n]}" for n in mine if mine[n] != theirs[n])
            notes.append(
                f"{entry.name} was not trained as {entries[0].name} was ({listed}): differences may be the recipe's"
            )
    return notes


def measured(
    entry: Entry, seeds: Sequence[int], options: Options, home: Path, on_step: Callable[[int, int], None] | None,
    say: Say, known: Mapping[str, Result], failures: list[ArchdslError],
) -> Measured:  # fmt: skip
    """A network trained from each seed (a checkpoint: taken as it is), analysed and tested.

    With what its folders hold from earlier calls.

    Args:
        known: analyses that are already there and are not measured again.
        failures: takes in why an analysis that was named failed, while there are others.

    Raises:
        ArchdslError: a training failed, or all analyses.
    """
    runs: list[Run] = []
    earlier: list[dict[str, Result]] = []
    subject: Subject
    for seed in seeds if isinstance(entry.source, Job) else [None]:
        subject, place, checkpoint = _trained(entry, seed, home, on_step, say)
        folder = Folder(place / "analysis")
        results, failed = attempt(subject, options, folder, lambda text: say(f"{entry.name}: {text}"), known)
        if (error := failure(options, results, failed)) is not None:
            if not results:
                raise error
            failures.append(error)
        earlier.append(kept(subject, options, folder))
        test = quality.measure(
            subject.network,
            sample(entry.data, count=None, size=250, augment=False, split="test", device=device_of(subject.network)),
        )
        runs.append(Run(seed, results, test.scores(), spreads(test), checkpoint))
    return Measured(
        name=entry.name, params=subject.params, macs=subject.macs, layout=tuple(map(tuple, subject.layout)),
        kinds=subject.kinds, hash=subject.hash, runs=_with_earlier(runs, earlier),
        recipe="" if entry.recipe is None else ", ".join(f"{k}={v}" for k, v in entry.recipe.model_dump().items()),
    )  # fmt: skip


def _with_earlier(runs: Sequence[Run], earlier: Sequence[Mapping[str, Result]]) -> tuple[Run, ...]:
    """The trainings with the analyses of earlier calls that each of them has: intervals are over all, or over none."""
    names = [name for name in earlier[0] if all(name in found for found in earlier)]
    return tuple(
        dataclasses.replace(run, results={name: found[name] for name in names} | dict(run.results))
        for run, found in zip(runs, earlier, strict=True)
    )


def _trained(
    entry: Entry, seed: int | None, home: Path, on_step: Callable[[int, int], None] | None, say: Say
) -> tuple[Subject, Path, str]:
    """The network of an entry, trained where it is a spec; the folder that is its own, and where its weights lie."""
    place = home / (entry.key if seed is None else f"{entry.key}-seed{seed}")
    if not isinstance(entry.source, Job):
        return entry.source, place, entry.file
    checkpoint = place / "model.safetensors"
    say(f"{entry.name}, seed {seed}: training (or taking it from {checkpoint})")
    job = dataclasses.replace(entry.source, seed=seed or 0)
    return of_job(job, checkpoint, on_step), place, str(checkpoint)


def _check_race(alpha: float | None, only: Sequence[str], seeds: int) -> None:
    """Raises UsageError where a race has nothing to decide."""
    if alpha is None:
        return
    if only and racing.NAME not in only:
        raise UsageError(f"--race decides by the Hessian, and --only leaves it out: {','.join(only)}", "add 'hessian'")
    if seeds > 1:
        raise UsageError(
            f"--race decides over the images of one training, and there are {seeds} of each network",
            "leave --race or --seeds out",
        )
    racing.check_alpha(alpha)


def _raced(
    entries: Sequence[Entry], options: Options, alpha: float, home: Path,
    on_step: Callable[[int, int], None] | None, say: Say,
) -> tuple[list[dict[str, Result]], dict[str, Any]]:  # fmt: skip
    """The Hessian of each network on as many batches as it took, and what came out of it."""
    made = [
        _trained(entry, options.seed if isinstance(entry.source, Job) else None, home, on_step, say)
        for entry in entries
    ]
    folders = [Folder(place / "analysis") for _, place, _ in made]
    for folder in folders:
        folder.make()
    subjects = [subject for subject, _, _ in made]
    identities = [identity(subject, options, [racing.NAME])[racing.NAME] for subject in subjects]
    parts = [folder.parts(racing.NAME, one) for folder, one in zip(folders, identities, strict=True)]
    found = racing.race(subjects, options, alpha, parts, strict=bool(options.only))
    for folder, one, result, part in zip(folders, identities, found.results, parts, strict=True):
        if result is not None:
            folder.keep(racing.NAME, result, {**one, "batches": len(result.eigenvalues)})
            part.keep(part.done)  # what this race did not need serves the next one, or a comparison without
    document = found.document([entry.name for entry in entries])
    return [{} if result is None else {racing.NAME: result} for result in found.results], document
