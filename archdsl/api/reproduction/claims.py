"""The paper's claims: what each says, by what it is measured here, and on which networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from archdsl.api.reproduction import evidence as e
from archdsl.api.reproduction.evidence import Evidence, Records
from archdsl.api.reproduction.scale import NETWORKS
from archdsl.api.reproduction.verdict import estimate, judge

Unit = Literal["percent", "ln", "nats", "blocks"]


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
    interval = estimate(found.values)
    return {
        "name": claim.name, "part": claim.part, "says": claim.says, "measure": claim.measure, "unit": claim.unit,
        "verdict": judge(found.values), "mean": interval.value, "low": interval.low, "high": interval.high,
        "seeds": len(found.values), "values": list(found.values),
        "groups": [{"name": name, "values": list(values)} for name, values in found.groups],
        "blocks": None if found.counted is None else list(found.counted),
    }  # fmt: skip


def _two(
    more: str, less: str, number: e.Number, share: tuple[float, float] = (1.0, 1.0)
) -> Callable[[Records], Evidence]:
    """`more` has the larger number."""
    sides = [(_title(name, part), name, part) for name, part in zip((more, less), share, strict=True)]
    return lambda records: e.contrast(records, sides[0], sides[1], number)


def _smaller(
    less: str, more: str, number: e.Number, share: tuple[float, float] = (1.0, 1.0)
) -> Callable[[Records], Evidence]:
    """`less` has the smaller number; it is shown with its own sign."""

    def read(records: Records) -> Evidence:
        found = _two(less, more, e.negative(number), share)(records)
        return Evidence(found.values, tuple((name, tuple(-v for v in values)) for name, values in found.groups))

    return read


def _title(name: str, share: float) -> str:
    return NETWORKS[name] if share == 1 else f"{NETWORKS[name]} on {share:.0%}"


def _blocks(network: str, what: str, changes: Callable[[e.Record], list[float]]) -> Callable[[Records], Evidence]:
    return lambda records: e.majority(records, f"{what} blocks of {NETWORKS[network]}", network, changes)


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
              "mean rise of the NLL over the unit disc of the landscape", "nats", _smaller("vit", "resnet", rise)),
    ]  # fmt: skip
    for when, said in (("hessian_early", _EARLY), ("hessian", _LATE)):
        tail = when.removeprefix("hessian").replace("_", "-") or "-late"
        found += [
            Claim(f"negative{tail}", part, f"ViT has more negative Hessian eigenvalues than ResNet, {said}", _NEGATIVE,
                  "percent", _two("vit", "resnet", nep[when])),
            Claim(f"positive{tail}", part, f"ViT’s positive Hessian eigenvalues are smaller than ResNet’s, {said}",
                  _POSITIVE, "ln", _smaller("vit", "resnet", ape[when])),
        ]  # fmt: skip
    early = nep["hessian_early"]
    found += [
        Claim("data", part, f"More data suppress ViT’s negative eigenvalues, {_EARLY}", _NEGATIVE, "percent",
              _two("vit", "vit", early, (scarce, 1.0))),
        Claim("gap", part, f"Global average pooling in place of the class token suppresses them, {_EARLY}", _NEGATIVE,
              "percent", _two("vit", "vit_gap", early)),
        Claim("local", part, f"Locality of attention suppresses them, {_EARLY}", _NEGATIVE, "percent",
              _two("vit_gap", "local_vit", early)),
        Claim("local-accuracy", part, "Local attention is more accurate than global attention", _ACCURACY, "percent",
              _two("local_vit", "vit_gap", e.quality("test", "accuracy"))),
        Claim("no-overfitting", part, "ViT’s weakness on few images is no overfitting: it fits them worse than ResNet",
              "NLL on the training images", "nats", _two("vit", "resnet", e.quality("train", "nll"))),
    ]  # fmt: skip
    return found


def _frequencies() -> list[Claim]:
    part = "Frequencies"
    tilt = e.score("noise", "noise_tilt")
    lowered, raised = (_AMPLITUDE.format(word) for word in ("lower", "raise"))
    return [
        Claim("msa-low-pass", part, "MSA blocks lower high frequencies (9 of 12 in the paper)", lowered, "blocks",
              _blocks("vit", "MSA", e.amplitude("msa", -1))),
        Claim("mlp-high-pass", part, "MLP blocks raise them (8 of 12 in the paper)", raised, "blocks",
              _blocks("vit", "MLP", e.amplitude("mlp", 1))),
        Claim("conv-high-pass", part, "Conv blocks raise them", raised, "blocks",
              _blocks("resnet", "Conv", e.amplitude("conv", 1))),
        Claim("alternet-msa-low-pass", part, "MSA blocks of AlterNet lower them", lowered, "blocks",
              _blocks("alternet", "MSA", e.amplitude("msa", -1))),
        Claim("noise", part, "ViT stands high-frequency noise better than ResNet",
              "accuracy with noise above 0.5π against accuracy without", "percent",
              _two("vit", "resnet", e.kept_at_high_frequencies)),
        Claim("noise-vit", part, "ViT stands high-frequency noise better than low-frequency noise",
              "accuracy with noise above 0.5π less accuracy with noise below", "percent",
              lambda records: e.single(records, NETWORKS["vit"], "vit", tilt)),
        Claim("noise-resnet", part, "ResNet stands low-frequency noise better than high-frequency noise",
              "accuracy with noise below 0.5π less accuracy with noise above", "percent",
              lambda records: e.single(records, NETWORKS["resnet"], "resnet", e.negative(tilt))),
    ]  # fmt: skip


def _variance() -> list[Claim]:
    part = "Feature-map variance"
    lowered, raised = (_VARIANCE.format(word) for word in ("lower", "raise"))
    return [
        Claim("msa-variance", part, "MSA blocks lower the variance of feature maps", lowered, "blocks",
              _blocks("vit", "MSA", e.spread("msa", -1))),
        Claim("mlp-variance", part, "MLP blocks raise it", raised, "blocks", _blocks("vit", "MLP", e.spread("mlp", 1))),
        Claim("conv-variance", part, "Conv blocks raise it", raised, "blocks",
              _blocks("resnet", "Conv", e.spread("conv", 1))),
    ]  # fmt: skip


def _placement() -> list[Claim]:
    part = "Placement"
    return [
        Claim("end", part, "MSA blocks at the end of a stage beat MSA blocks at its beginning", _ACCURACY, "percent",
              _two("alternet", "alternet_front", e.quality("test", "accuracy"))),
        Claim("end-nll", part, "The same by the loss", "test NLL", "nats",
              _smaller("alternet", "alternet_front", e.quality("test", "nll"))),
        Claim("lesion", part, "AlterNet’s MSA blocks at a stage’s end matter more than the Conv blocks before them",
              "accuracy lost without the one less accuracy lost without the other", "percent",
              lambda records: e.single(records, NETWORKS["alternet"], "alternet", e.end_against_middle)),
    ]  # fmt: skip


def _data(shares: tuple[float, ...]) -> list[Claim]:
    part = "AlterNet"
    found = []
    for share in (1.0, *shares):
        images = "all images" if share == 1 else f"{share:.0%} of the images"
        found.append(
            Claim(f"alternet-{round(100 * share)}", part, f"AlterNet beats the ResNet it comes from on {images}",
                  _ACCURACY, "percent", _two("alternet", "resnet", e.quality("test", "accuracy"), (share, share))),
        )  # fmt: skip
    return found


PARTS: Final = ("Loss landscape", "Frequencies", "Feature-map variance", "Placement", "AlterNet")
