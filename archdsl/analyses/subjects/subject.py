"""Measures a subject: a network with its blocks and data, from a checkpoint, a trained spec or any PyTorch module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from archdsl import analyses
from archdsl.analyses import ANALYSES, Result
from archdsl.analyses.contract import Analysis, Sample
from archdsl.analyses.measuring.exact import device_of, dtype_of
from archdsl.analyses.subjects.folder import Folder, Identity, network_digest
from archdsl.base.device import pick_device
from archdsl.base.errors import ArchdslError, DataError, UsageError
from archdsl.base.version import VERSION
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.network.model import Network
from archdsl.network.units import Unit

Say = Callable[[str], None]


@dataclass(frozen=True)
class Subject:
    """A network to be measured.

    Attributes:
        name: what readers see it called.
        network: on its device, in eval mode.
        units: its blocks.
        data: the images.
        layout: block labels of each stage.
        params: trainable parameters.
        macs: of one image; None where nobody counted them.
        weight_decay: of the loss whose curvature is measured.
        hash: of the spec, or "".
        recipe: how it was trained, where that is known.
        structure: text that, with the weights, says what the network computes.
        unitless: why it has no blocks, where none could be found.
    """

    name: str
    network: nn.Module
    units: tuple[Unit, ...]
    data: Dataset
    layout: list[list[str]]
    params: int
    macs: int | None
    weight_decay: float
    hash: str
    recipe: Recipe | None
    structure: str = field(repr=False)
    unitless: UsageError | None = None

    @property
    def kinds(self) -> dict[str, str]:
        """What each label does to the map; the attention half of a block counts before the other."""
        found: dict[str, str] = {}
        for unit in self.units:
            if found.get(unit.label) != "msa":
                found[unit.label] = unit.kind
        return found


def of_network(network: Network, data: Dataset, recipe: Recipe | None) -> Subject:
    """A compiled network.

    Raises:
        DataError: it takes other images, or has other classes, than the data set.
    """
    architecture = network.architecture
    check_fit(network, data)
    return Subject(
        name=architecture.name, network=network, units=architecture.units, data=data, layout=architecture.layout,
        params=architecture.params, macs=architecture.macs,
        weight_decay=(recipe or Recipe()).weight_decay, hash=architecture.hash, recipe=recipe,
        structure=architecture.hash,
    )  # fmt: skip


def check_fit(network: nn.Module, data: Dataset) -> None:
    """Raises DataError where a network cannot look at the images, or has fewer outputs than they have classes."""
    shape = "x".join(map(str, data.input))
    architecture = getattr(network, "architecture", None)
    taken = getattr(architecture, "input", data.input)
    if tuple(taken) != tuple(data.input):
        raise DataError(
            f"the network takes images of {'x'.join(map(str, taken))}, those of '{data.name}' are {shape}",
            "name other data with --data",
        )
    probe = torch.zeros(2, *data.input, device=device_of(network), dtype=dtype_of(network))
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            logits: Any = network(probe)
    except Exception as error:  # whatever a stranger's forward() may raise
        reason = (str(error) or type(error).__name__).strip().partition("\n")[0]
        raise DataError(
            f"the network does not take the images of '{data.name}', {shape}: {reason}",
            "name data of the size it was made for, such as imagefolder:PATH@224",
        ) from error
    finally:
        for module, training in modes:
            module.training = training
    if not isinstance(logits, torch.Tensor) or logits.dim() != 2 or len(logits) != 2:
        found = f"a tensor {tuple(logits.shape)}" if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
        raise DataError(f"the network gives {found} for 2 images", "it has to give logits (B, classes)")
    if logits.shape[1] < data.classes:
        raise DataError(
            f"the network has {logits.shape[1]} outputs, the data set '{data.name}' {data.classes} classes",
            "measure it on the data it was trained for",
        )


BATCHES = ("batches", "batch_size")  # what an identity calls their number, and that of images in each


@dataclass(frozen=True)
class Options:
    """How a subject is measured.

    Attributes:
        only: names of analyses, each once; empty for the usual ones.
        also: names of further ones.
        seed: of the batches and of whatever is random in an analysis.
        batches, batch_size: in place of each analysis's own numbers.
        compat: public code that is imitated.
        device: where.
    """

    only: str | Sequence[str] = ()
    also: tuple[str, ...] = ()
    seed: int = 0
    batches: int | None = None
    batch_size: int | None = None
    compat: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "only", (self.only,) if isinstance(self.only, str) else tuple(dict.fromkeys(self.only))
        )
        for name in (*self.only, *self.also):
            ANALYSES[name]  # a typo is an error before anything is trained
        analyses.check_compat(self.compat)
        for name, number in (("batches", self.batches), ("batch_size", self.batch_size)):
            if number is not None and number < 1:
                raise UsageError(f"{name} is {number}", f"{name} is 1 or more")

    def sizes(self, sample: Sample) -> tuple[int | None, int]:
        """Number of batches, and of images in each, of an analysis that asks for a sample."""
        return self.batches or sample.count, self.batch_size or sample.size


def failure(
    options: Options, results: Mapping[str, Result], failures: Mapping[str, ArchdslError]
) -> ArchdslError | None:
    """What a measuring fails with: the first failure of a named analysis, or where nothing at all came out."""
    if not failures or (results and not options.only):
        return None
    name, error = next(iter(failures.items()))
    if error.help is None:
        error.help = f"leave the analysis '{name}' out"
    return error


def attempt(
    subject: Subject, options: Options, folder: Folder | None, say: Say, known: Mapping[str, Result] | None = None
) -> tuple[dict[str, Result], dict[str, ArchdslError]]:
    """The analyses of a subject: those the folder already holds are read, the others measured and kept at once.

    Args:
        subject: what to measure.
        options: how.
        folder: where results are kept, if anywhere.
        say: is told what is being done.
        known: results that are already there.

    Returns:
        Results by name; and why those failed that are not among them.
    """
    names = list(dict.fromkeys((*(options.only or analyses.usual()), *options.also)))
    identities = identity(subject, options, names) if folder is not None else {}
    found: dict[str, Result] = dict(known or {})
    if folder is not None:
        folder.make()
        for name in names:
            if name in found:
                continue
            result = folder.kept(name, identities[name])
            if result is not None:
                say(f"{name}: kept from before")
                _say_notes(name, result, say)
                found[name] = result
    failures: dict[str, ArchdslError] = {}

    def keep(name: str, result: Result) -> None:
        found[name] = result
        if folder is not None:
            folder.keep(name, result, identities[name])
        say(f"{name}: done")
        _say_notes(name, result, say)

    def leave_out(name: str, error: ArchdslError) -> None:
        failures[name] = error
        if not options.only:
            say(f"{name}: left out: {error.message}")
        elif len(names) > 1:  # else it is all there is to say, and is raised
            say(f"{name}: failed: {error.message}")

    wanted = [name for name in names if name not in found]
    if subject.unitless is not None:
        blind = [name for name in wanted if ANALYSES[name].takes("units")]
        failures.update(dict.fromkeys(blind, subject.unitless))
        wanted = [name for name in wanted if name not in blind]
        if blind and not (options.only and len(names) == 1):
            fate = "failed" if options.only else "left out"
            say(f"{', '.join(blind)}: {fate}: {subject.unitless.message}; {subject.unitless.help}")
    further = _further(subject, wanted, identities, folder, say)
    try:
        analyses.measure_all(
            subject.network, subject.data, units=subject.units, only=wanted,
            seed=options.seed, device=pick_device(options.device), batches=options.batches, size=options.batch_size,
            options=further, compat=options.compat, on_result=keep, on_failure=leave_out,
        )  # fmt: skip
    except KeyboardInterrupt:
        begun = [
            f"{len(told['parts'].done)} batches of {name}"
            for name, told in further.items()
            if name not in found and "parts" in told and told["parts"].done
        ]
        if folder is not None and (found or begun):
            say(f"{', '.join((*found, *begun))} are kept in {folder.path}")
        raise
    return {name: found[name] for name in names if name in found}, failures


def _say_notes(name: str, result: Result, say: Say) -> None:
    for note in getattr(result, "notes", ()):
        say(f"{name}: {note}")


def _further(
    subject: Subject, names: Sequence[str], identities: Mapping[str, Identity], folder: Folder | None, say: Say
) -> dict[str, dict[str, Any]]:
    """What analyses are told besides network, images and seed: the weight decay, and batches that are already there."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        if ANALYSES[name].takes("weight_decay"):
            found.setdefault(name, {})["weight_decay"] = subject.weight_decay
        if ANALYSES[name].takes("parts") and folder is not None:
            parts = folder.parts(name, identities[name])
            found.setdefault(name, {})["parts"] = parts
            if parts.done:
                say(f"{name}: {len(parts.done)} batches kept from before")
    return found


def kept(subject: Subject, options: Options, folder: Folder, *, any_batches: bool = False) -> dict[str, Result]:
    """Every result that the folder holds of this subject under these options, whether asked for now or earlier.

    With `any_batches`, also those of other numbers of batches and images.
    """
    blind = BATCHES if any_batches else ()
    found = {name: folder.kept(name, made, blind) for name, made in identity(subject, options, list(ANALYSES)).items()}
    return {name: result for name, result in found.items() if result is not None}


def identity(subject: Subject, options: Options, names: Sequence[str]) -> dict[str, Identity]:
    """For each analysis, what a stored result must agree in, to be this one."""
    data = subject.data
    common = {
        "archdsl": VERSION,
        "torch": str(torch.__version__),
        "network": network_digest(subject.network, subject.structure),
        "frozen": [name for name, p in subject.network.named_parameters() if not p.requires_grad],  # no Hessian in them
        "blocks": [list(unit) for unit in subject.units],
        "data": data.digest,
        "mean": list(data.mean),
        "std": list(data.std),
        "weight_decay": subject.weight_decay,
        "seed": options.seed,
    }
    return {name: common | _particular(ANALYSES[name], options) for name in names}


def _particular(analysis: Analysis, options: Options) -> dict[str, Any]:
    """What an analysis heeds of the options; one that looks at a whole split heeds no number of batches."""
    sample, whole = analysis.sample, analysis.sample.count is None
    sizes = (None, None) if whole else options.sizes(sample)
    compat = options.compat if options.compat in analysis.compat else None
    revision = {"revision": analysis.revision} if analysis.revision else {}
    return dict(zip(BATCHES, sizes, strict=True)) | {"compat": compat} | revision


def about(data: Dataset, options: Options, results: Mapping[str, Result]) -> dict[str, str]:
    """The facts of a measuring that a page states."""
    shape = "×".join(map(str, data.input))
    counts: dict[int, list[str]] = {}
    for name, result in results.items():
        if ANALYSES[name].sample.count is not None:
            counts.setdefault(result.draws, []).append(name)
    return {
        "Data": f"{data.name}, {shape}, {data.classes} classes",
        "Seed": str(options.seed),
        "Batches": "; ".join(f"{count} ({', '.join(names)})" for count, names in sorted(counts.items())),
        "Measured as": "" if options.compat is None else f"the public code of {options.compat} does",
        "Data digest": data.digest[:12],
        "archdsl": VERSION,
        "PyTorch": str(torch.__version__),
    }
