"""Lists the paper's claims, and judges each by the numbers of several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from archdsl.api.reproduction import records as r
from archdsl.api.reproduction.plan import NETWORKS, SCARCE, SHARES
from archdsl.api.reproduction.records import Number, Records
from archdsl.base.statistics import mean_interval

Verdict = Literal["seen", "not seen", "unclear here"]

SEEDS_AT_LEAST: Final = 3
RULE: Final = (
    "For every claim there is a number per seed, positive where the paper is right: the difference of two networks "
    "trained with the same seed, or the share of blocks that do what the paper says, less one half. Student’s 95 % "
    "interval of its mean over the seeds decides. Seen: the interval lies above 0. Not seen: it lies below 0, the "
    "opposite was found. Unclear here: it holds 0, or there are fewer than three seeds. Claims are judged one by one, "
    "so of twenty that were all empty, one would be decided by chance."
)


def judge(values: Sequence[float]) -> Verdict:
    """The verdict on a claim by `RULE`, from a number per seed, positive where the paper is right.

    >>> judge([0.2, 0.3, 0.25]), judge([-0.2, -0.3, -0.25]), judge([0.2, -0.3, 0.25]), judge([0.2, 0.2])
    ('seen', 'not seen', 'unclear here', 'unclear here')
    """
    found = mean_interval(values)
    if found.n[0] < SEEDS_AT_LEAST or not found.excludes_zero:
        return "unclear here"
    return "seen" if found.low > 0 else "not seen"


@dataclass(frozen=True)
class Claim:
    """One claim: the number is larger in the first network than in the second, or positive where there is no second.

    Attributes:
        name: for machines.
        part: of the paper: what it is about.
        says: the claim, in our words.
        number: what is compared.
        first, second: the networks.
        shares: of the training images, on which they were trained.
        smaller: the first one's is the smaller.
    """

    name: str
    part: str
    says: str
    number: Number
    first: str
    second: str | None = None
    shares: tuple[float, float] = (1.0, 1.0)
    smaller: bool = False

    def values(self, sides: Sequence[dict[int, float]], seeds: Sequence[int]) -> list[float]:
        """A number per seed, positive where the paper is right, from each network's."""
        if self.second is None:
            half = 0.5 if self.number.unit == "blocks" else 0.0
            return [sides[0][seed] - half for seed in seeds]
        more, less = reversed(sides) if self.smaller else sides
        return [more[seed] - less[seed] for seed in seeds]


def judged(claim: Claim, records: Records) -> dict[str, Any]:
    """A claim with its numbers over the seeds that all its networks have, and its verdict, as plain data."""
    number = claim.number
    networks = [(name, share) for name, share in zip((claim.first, claim.second), claim.shares, strict=True) if name]
    sides = [number.by_seed(records.of(name, share)) for name, share in networks]
    seeds = sorted(set(sides[0]).intersection(*sides))
    values = claim.values(sides, seeds)
    interval = mean_interval(values)
    titles = [NETWORKS[name] + ("" if share == 1 else f" on {share:.0%}") for name, share in networks]
    return {
        "name": claim.name, "part": claim.part, "says": claim.says, "measure": number.says, "unit": number.unit,
        "verdict": judge(values), "mean": interval.value, "low": interval.low, "high": interval.high,
        "seeds": len(values), "values": values,
        "groups": [
            {"name": number.of.format(title), "values": [side[seed] for seed in seeds]}
            for title, side in zip(titles, sides, strict=True)
        ],
        "blocks": _counted(claim, records),
    }  # fmt: skip


def _counted(claim: Claim, records: Records) -> list[int] | None:
    """How many blocks of how many do what the paper says, over all seeds; None where no blocks are counted."""
    if claim.number.changes is None:
        return None
    changes = [change for record in records.of(claim.first) for change in claim.number.changes(record)]
    return [sum(change > 0 for change in changes), len(changes)]


_EARLY, _LATE = "after the warm-up", "at the end of the training"
_NEGATIVE = "share of negative ones among the five largest Hessian eigenvalues of a batch"
_POSITIVE = "logarithm of the mean positive one of the five largest Hessian eigenvalues of a batch"
_NEP = {when: r.score(_NEGATIVE, "percent", when, "nep") for when in ("hessian_early", "hessian")}
_APE = {when: r.score(_POSITIVE, "ln", when, "log_ape") for when in ("hessian_early", "hessian")}
_RISE = r.score("mean rise of the NLL over the unit disc of the landscape", "nats", "landscape", "landscape_rise")
_FIT = r.quality("NLL on the training images", "nats", "train", "nll")
_ACCURACY, _NLL = (
    r.quality("test accuracy", "percent", "test", "accuracy"),
    r.quality("test NLL", "nats", "test", "nll"),
)
_KEPT = Number("accuracy with noise above 0.5π against accuracy without", "percent", r.kept_at_high_frequencies)
_TILT = r.score("accuracy with noise above 0.5π less accuracy with noise below", "percent", "noise", "noise_tilt")
_TILT_BACK = r.score(
    "accuracy with noise below 0.5π less accuracy with noise above", "percent", "noise", "noise_tilt", sign=-1
)
_END = Number("accuracy lost without the one less accuracy lost without the other", "percent", r.end_against_middle)


def _amplitude(kind: str, sign: int) -> Number:
    return r.blocks("blocks that {} the relative log amplitude at the highest frequency", kind, r.amplitude, sign)


def _variance(kind: str, sign: int) -> Number:
    return r.blocks("blocks that {} the variance of the feature map", kind, r.spread, sign)


_LANDSCAPE, _FREQUENCIES, _VARIANCE, _PLACEMENT, _DATA = PARTS = (
    "Loss landscape", "Frequencies", "Feature-map variance", "Placement", "AlterNet",
)  # fmt: skip


def _eigenvalues(tail: str, said: str, when: str) -> list[Claim]:
    return [
        Claim(f"negative-{tail}", _LANDSCAPE, f"ViT has more negative Hessian eigenvalues than ResNet, {said}",
              _NEP[when], "vit", "resnet"),
        Claim(f"positive-{tail}", _LANDSCAPE, f"ViT’s positive Hessian eigenvalues are smaller than ResNet’s, {said}",
              _APE[when], "vit", "resnet", smaller=True),
    ]  # fmt: skip


CLAIMS: Final = (
    Claim("flat", _LANDSCAPE, "ViT’s loss landscape is flatter than ResNet’s", _RISE, "vit", "resnet", smaller=True),
    *_eigenvalues("early", _EARLY, "hessian_early"),
    *_eigenvalues("late", _LATE, "hessian"),
    Claim("data", _LANDSCAPE, f"More data suppress ViT’s negative eigenvalues, {_EARLY}", _NEP["hessian_early"],
          "vit", "vit", (SCARCE, 1.0)),
    Claim("gap", _LANDSCAPE, f"Global average pooling in place of the class token suppresses them, {_EARLY}",
          _NEP["hessian_early"], "vit", "vit_gap"),
    Claim("local", _LANDSCAPE, f"Locality of attention suppresses them, {_EARLY}", _NEP["hessian_early"],
          "vit_gap", "local_vit"),
    Claim("local-accuracy", _LANDSCAPE, "Local attention is more accurate than global attention", _ACCURACY,
          "local_vit", "vit_gap"),
    Claim("no-overfitting", _LANDSCAPE,
          "ViT’s weakness on few images is no overfitting: it fits them worse than ResNet", _FIT, "vit", "resnet"),

    Claim("msa-low-pass", _FREQUENCIES, "MSA blocks lower high frequencies (9 of 12 in the paper)",
          _amplitude("msa", -1), "vit"),
    Claim("mlp-high-pass", _FREQUENCIES, "MLP blocks raise them (8 of 12 in the paper)", _amplitude("mlp", 1), "vit"),
    Claim("conv-high-pass", _FREQUENCIES, "Conv blocks raise them", _amplitude("conv", 1), "resnet"),
    Claim("alternet-msa-low-pass", _FREQUENCIES, "MSA blocks of AlterNet lower them", _amplitude("msa", -1),
          "alternet"),
    Claim("noise", _FREQUENCIES, "ViT stands high-frequency noise better than ResNet", _KEPT, "vit", "resnet"),
    Claim("noise-vit", _FREQUENCIES, "ViT stands high-frequency noise better than low-frequency noise", _TILT, "vit"),
    Claim("noise-resnet", _FREQUENCIES, "ResNet stands low-frequency noise better than high-frequency noise",
          _TILT_BACK, "resnet"),

    Claim("msa-variance", _VARIANCE, "MSA blocks lower the variance of feature maps", _variance("msa", -1), "vit"),
    Claim("mlp-variance", _VARIANCE, "MLP blocks raise it", _variance("mlp", 1), "vit"),
    Claim("conv-variance", _VARIANCE, "Conv blocks raise it", _variance("conv", 1), "resnet"),

    Claim("end", _PLACEMENT, "MSA blocks at the end of a stage beat MSA blocks at its beginning", _ACCURACY,
          "alternet", "alternet_front"),
    Claim("end-nll", _PLACEMENT, "The same by the loss", _NLL, "alternet", "alternet_front", smaller=True),
    Claim("lesion", _PLACEMENT, "AlterNet’s MSA blocks at a stage’s end matter more than the Conv blocks before them",
          _END, "alternet"),

    Claim("alternet-100", _DATA, "AlterNet beats the ResNet it comes from on all images", _ACCURACY, "alternet",
          "resnet"),
    *(
        Claim(f"alternet-{round(100 * share)}", _DATA,
              f"AlterNet beats the ResNet it comes from on {share:.0%} of the images", _ACCURACY,
              "alternet", "resnet", (share, share))
        for share in SHARES
    ),
)  # fmt: skip
