"""Judges the paper's claims: what each says, by what it is measured here on which networks, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from archdsl.api.reproduction import evidence as e
from archdsl.api.reproduction.evidence import Record, Records
from archdsl.api.reproduction.scale import NETWORKS
from archdsl.base.statistics import mean_interval

Unit = Literal["percent", "ln", "nats", "blocks"]
Verdict = Literal["seen", "not seen", "unclear here"]
PARTS: Final = ("Loss landscape", "Frequencies", "Feature-map variance", "Placement", "AlterNet")
SEEDS_AT_LEAST: Final = 3
RULE: Final = (
    "For every claim there is a number per seed, positive where the paper is right: the difference of two networks "
    "trained with the same seed, or the share of blocks that do what the paper says, less one half. Student’s 95 % "
    "interval of its mean over the seeds decides. Seen: the interval lies above 0. Not seen: it lies below 0, the "
    "opposite was found. Unclear here: it holds 0, or there are fewer than three seeds. Claims are judged one by one, "
    "so of twenty that were all empty, one would be decided by chance."
)


@dataclass(frozen=True)
class Evidence:
    """What a claim is judged by.

    Attributes:
        values: per seed, positive where the paper is right.
        groups: names, and the numbers that were compared, per seed.
        counted: how many blocks of how many do what the paper says, over all seeds; None where no blocks are counted.
    """

    values: tuple[float, ...]
    groups: tuple[tuple[str, tuple[float, ...]], ...]
    counted: tuple[int, int] | None = None


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        name: for machines.
        part: of the paper: what it is about.
        says: the claim, in our words.
        measure: the number that is compared.
        unit: of that number.
        evidence: from the records.
    """

    name: str
    part: str
    says: str
    measure: str
    unit: Unit
    evidence: Callable[[Records], Evidence]


def judged(claim: Claim, records: Records) -> dict[str, Any]:
    """A claim with its numbers and its verdict, as plain data."""
    found = claim.evidence(records)
    interval = mean_interval(found.values)
    return {
        "name": claim.name, "part": claim.part, "says": claim.says, "measure": claim.measure, "unit": claim.unit,
        "verdict": judge(found.values), "mean": interval.value, "low": interval.low, "high": interval.high,
        "seeds": len(found.values), "values": list(found.values),
        "groups": [{"name": name, "values": list(values)} for name, values in found.groups],
        "blocks": None if found.counted is None else list(found.counted),
    }  # fmt: skip


def judge(values: Sequence[float]) -> Verdict:
    """The verdict on a claim by `RULE`, from a number per seed, positive where the paper is right.

    >>> judge([0.2, 0.3, 0.25]), judge([-0.2, -0.3, -0.25]), judge([0.2, -0.3, 0.25]), judge([0.2, 0.2])
    ('seen', 'not seen', 'unclear here', 'unclear here')
    """
    if len(values) < SEEDS_AT_LEAST or not all(map(math.isfinite, values)):
        return "unclear here"
    found = mean_interval(values)
    return "seen" if found.low > 0 else "not seen" if found.high < 0 else "unclear here"


# ---------------------------------------------------------------- kinds of evidence


def _numbers(records: Records, network: str, share: float, number: e.Number) -> dict[int, float]:
    """Of each seed that has one."""
    found = {record.seed: number(record) for record in records.of(network, share)}
    return {seed: n for seed, n in found.items() if n is not None and math.isfinite(n)}


def _more(
    more: str, less: str, number: e.Number, share: tuple[float, float] = (1.0, 1.0), sign: int = 1
) -> Callable[[Records], Evidence]:
    """`more` has the larger number (with sign -1, the smaller one), over the seeds that both have."""

    def read(records: Records) -> Evidence:
        sides = list(zip((more, less), share, strict=True))
        found = [_numbers(records, name, part, number) for name, part in sides]
        seeds = sorted(found[0].keys() & found[1].keys())
        titles = [NETWORKS[name] + ("" if part == 1 else f" on {part:.0%}") for name, part in sides]
        groups = [(title, tuple(side[seed] for seed in seeds)) for title, side in zip(titles, found, strict=True)]
        return Evidence(tuple(sign * (found[0][seed] - found[1][seed]) for seed in seeds), tuple(groups))

    return read


def _positive(network: str, number: e.Number, sign: int = 1) -> Callable[[Records], Evidence]:
    """A number of one network, times a sign, is positive."""

    def read(records: Records) -> Evidence:
        values = tuple(sign * n for n in _numbers(records, network, 1.0, number).values())
        return Evidence(values, ((NETWORKS[network], values),))

    return read


def _blocks(
    network: str, kind: str, change: Callable[[Record, str], list[float]], sign: int
) -> Callable[[Records], Evidence]:
    """More than half of the network's blocks of a kind have a change of this sign."""

    def read(records: Records) -> Evidence:
        found = [changes for record in records.of(network) if (changes := change(record, kind))]
        right = [sum(sign * change > 0 for change in changes) for changes in found]
        shares = [count / len(changes) for count, changes in zip(right, found, strict=True)]
        title = f"{_KINDS[kind]} blocks of {NETWORKS[network]}"
        counted = sum(right), sum(map(len, found))
        return Evidence(tuple(share - 0.5 for share in shares), ((title, tuple(shares)),), counted)

    return read


# ---------------------------------------------------------------- the claims

_KINDS = {"msa": "MSA", "mlp": "MLP", "conv": "Conv"}
_EARLY, _LATE = "after the warm-up", "at the end of the training"
_NEGATIVE = "share of negative ones among the five largest Hessian eigenvalues of a batch"
_POSITIVE = "logarithm of the mean positive one of the five largest Hessian eigenvalues of a batch"
_AMPLITUDE = "blocks that {} the relative log amplitude at the highest frequency"
_VARIANCE = "blocks that {} the variance of the feature map"
_ACCURACY = "test accuracy"


def claims(shares: tuple[float, ...], scarce: float) -> tuple[Claim, ...]:
    """All claims, for a run that trained on these shares of the data."""
    return (*_landscape(scarce), *_frequencies(), *_variance(), *_placement(), *_data(shares))


def _landscape(scarce: float) -> list[Claim]:
    part = "Loss landscape"
    nep, ape = ({when: e.score(when, name) for when in ("hessian", "hessian_early")} for name in ("nep", "log_ape"))
    rise = e.score("landscape", "landscape_rise")
    found = [
        Claim("flat", part, "ViT’s loss landscape is flatter than ResNet’s",
              "mean rise of the NLL over the unit disc of the landscape", "nats",
              _more("vit", "resnet", rise, sign=-1)),
    ]  # fmt: skip
    for when, said in (("hessian_early", _EARLY), ("hessian", _LATE)):
        tail = when.removeprefix("hessian").replace("_", "-") or "-late"
        found += [
            Claim(f"negative{tail}", part, f"ViT has more negative Hessian eigenvalues than ResNet, {said}", _NEGATIVE,
                  "percent", _more("vit", "resnet", nep[when])),
            Claim(f"positive{tail}", part, f"ViT’s positive Hessian eigenvalues are smaller than ResNet’s, {said}",
                  _POSITIVE, "ln", _more("vit", "resnet", ape[when], sign=-1)),
        ]  # fmt: skip
    early = nep["hessian_early"]
    found += [
        Claim("data", part, f"More data suppress ViT’s negative eigenvalues, {_EARLY}", _NEGATIVE, "percent",
              _more("vit", "vit", early, (scarce, 1.0))),
        Claim("gap", part, f"Global average pooling in place of the class token suppresses them, {_EARLY}", _NEGATIVE,
              "percent", _more("vit", "vit_gap", early)),
        Claim("local", part, f"Locality of attention suppresses them, {_EARLY}", _NEGATIVE, "percent",
              _more("vit_gap", "local_vit", early)),
        Claim("local-accuracy", part, "Local attention is more accurate than global attention", _ACCURACY, "percent",
              _more("local_vit", "vit_gap", e.quality("test", "accuracy"))),
        Claim("no-overfitting", part, "ViT’s weakness on few images is no overfitting: it fits them worse than ResNet",
              "NLL on the training images", "nats", _more("vit", "resnet", e.quality("train", "nll"))),
    ]  # fmt: skip
    return found


def _frequencies() -> list[Claim]:
    part = "Frequencies"
    tilt = e.score("noise", "noise_tilt")
    lowered, raised = (_AMPLITUDE.format(word) for word in ("lower", "raise"))
    return [
        Claim("msa-low-pass", part, "MSA blocks lower high frequencies (9 of 12 in the paper)", lowered, "blocks",
              _blocks("vit", "msa", e.amplitude, -1)),
        Claim("mlp-high-pass", part, "MLP blocks raise them (8 of 12 in the paper)", raised, "blocks",
              _blocks("vit", "mlp", e.amplitude, 1)),
        Claim("conv-high-pass", part, "Conv blocks raise them", raised, "blocks",
              _blocks("resnet", "conv", e.amplitude, 1)),
        Claim("alternet-msa-low-pass", part, "MSA blocks of AlterNet lower them", lowered, "blocks",
              _blocks("alternet", "msa", e.amplitude, -1)),
        Claim("noise", part, "ViT stands high-frequency noise better than ResNet",
              "accuracy with noise above 0.5π against accuracy without", "percent",
              _more("vit", "resnet", e.kept_at_high_frequencies)),
        Claim("noise-vit", part, "ViT stands high-frequency noise better than low-frequency noise",
              "accuracy with noise above 0.5π less accuracy with noise below", "percent",
              _positive("vit", tilt)),
        Claim("noise-resnet", part, "ResNet stands low-frequency noise better than high-frequency noise",
              "accuracy with noise below 0.5π less accuracy with noise above", "percent",
              _positive("resnet", tilt, sign=-1)),
    ]  # fmt: skip


def _variance() -> list[Claim]:
    part = "Feature-map variance"
    lowered, raised = (_VARIANCE.format(word) for word in ("lower", "raise"))
    return [
        Claim("msa-variance", part, "MSA blocks lower the variance of feature maps", lowered, "blocks",
              _blocks("vit", "msa", e.spread, -1)),
        Claim("mlp-variance", part, "MLP blocks raise it", raised, "blocks", _blocks("vit", "mlp", e.spread, 1)),
        Claim("conv-variance", part, "Conv blocks raise it", raised, "blocks",
              _blocks("resnet", "conv", e.spread, 1)),
    ]  # fmt: skip


def _placement() -> list[Claim]:
    part = "Placement"
    return [
        Claim("end", part, "MSA blocks at the end of a stage beat MSA blocks at its beginning", _ACCURACY, "percent",
              _more("alternet", "alternet_front", e.quality("test", "accuracy"))),
        Claim("end-nll", part, "The same by the loss", "test NLL", "nats",
              _more("alternet", "alternet_front", e.quality("test", "nll"), sign=-1)),
        Claim("lesion", part, "AlterNet’s MSA blocks at a stage’s end matter more than the Conv blocks before them",
              "accuracy lost without the one less accuracy lost without the other", "percent",
              _positive("alternet", e.end_against_middle)),
    ]  # fmt: skip


def _data(shares: tuple[float, ...]) -> list[Claim]:
    part = "AlterNet"
    found = []
    for share in (1.0, *shares):
        images = "all images" if share == 1 else f"{share:.0%} of the images"
        found.append(
            Claim(f"alternet-{round(100 * share)}", part, f"AlterNet beats the ResNet it comes from on {images}",
                  _ACCURACY, "percent", _more("alternet", "resnet", e.quality("test", "accuracy"), (share, share))),
        )  # fmt: skip
    return found
