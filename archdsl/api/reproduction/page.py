"""Writes the page of a rerun from its results: the claims with their verdicts, the figures, and how it was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from archdsl.api.reproduction.claims import PARTS, RULE
from archdsl.api.reproduction.document import Page
from archdsl.api.reproduction.figures import figures
from archdsl.api.reproduction.records import Records
from archdsl.base.numbers import MINUS, MISSING, decimals, duration, listing, plural, short

PAPER = "Park & Kim, How Do Vision Transformers Work? (ICLR 2022, arXiv 2202.06709)"
_BESIDE = "The same on [one page that needs nothing else](report.html); [all numbers](results.json)."
_PICTURED = ("resnet", "vit", "alternet")

# What a number is multiplied by, its decimals, what stands behind it, and behind a difference or a share above half.
_UNITS = {
    "percent": (100.0, 1, " %", " points"),
    "blocks": (100.0, 0, " %", " points above half"),
    "ln": (1.0, 2, "", ""),
    "nats": (1.0, 3, " nats", " nats"),
}


def write_pages(results: dict[str, Any], folder: Path) -> None:
    """Write `report.html`, `index.md` and its SVG files.

    Raises:
        RunError: the folder cannot be written.
    """
    page = Page("The paper, rerun", _BESIDE)
    _summary(page, results)
    page.heading("The claims")
    page.prose(RULE)
    for part in PARTS:
        rows = [_claim(claim) for claim in results["claims"] if claim["part"] == part]
        if rows:
            page.table(part, ("Claim", "Verdict", "Numbers", "For the claim, 95 % interval"), rows)
    page.heading("The figures")
    page.prose(
        "Numbered figures answer those of that number in the paper, as far as its public summary names them (1 to 4 "
        "and 8); what stands under 5, 6 and without a number covers its other experiments. Every line and point is our "
        "own measurement."
    )
    _figures(page, results)
    page.heading("How it was done")
    _method(page, results)
    page.heading("Run it yourself")
    page.prose(
        "archdsl reproduce does what this page shows on the embedded data set; --seeds 3 is the least that gives "
        "verdicts, and --quick tries the whole path in one epoch. archdsl reproduce --full --data npz:cifar10.npz "
        "--device cuda does the same with networks of 5.8 million parameters. An interrupted run goes on when the "
        "command is given again. archdsl reproduce --render --run FOLDER draws page and figures again from "
        "results.json."
    )
    page.write(folder)


def _summary(page: Page, results: dict[str, Any]) -> None:
    data, seeds = results["data"], results["seeds"]
    counts = Counter(claim["verdict"] for claim in results["claims"])
    words = [f"{counts[verdict]} {verdict}" for verdict in ("seen", "not seen", "unclear here")]
    page.lead(f"Of {plural(len(results['claims']), 'claim')}, {listing(words)}.")
    if results["plan"]["recipe"]["epochs"] == 1:
        page.lead("A trial of the whole path: after one epoch these numbers mean nothing.")
    page.prose(
        f"{PAPER}, rerun with archdsl: {plural(len(results['networks']), 'network')} of about "
        f"{short(fmean(n['params'] for n in results['networks']))} parameters, trained from scratch on "
        f"{data['train']:,} images of {'×'.join(map(str, data['input']))} ({data['name'].partition(':')[0]}), "
        f"{plural(len(seeds), 'seed')} each."
    )
    page.prose(
        "The paper trains networks of 5 million parameters and more, on CIFAR for 300 epochs, and on ImageNet. This is "
        "a small part of that work: what is not seen here may well be there, and what is seen here need not hold there."
    )


def _claim(claim: dict[str, Any]) -> tuple[str, ...]:
    if not claim["values"]:
        return (claim["says"], claim["verdict"], "not measured", MISSING)
    unit = claim["unit"]
    if claim["blocks"]:
        right, total = claim["blocks"]
        groups = f"{right} of {total} {claim['measure']}"
    else:
        means = [f"{group['name']} {_mean(group['values'], unit)}" for group in claim["groups"]]
        groups = f"{'; '.join(means)} ({claim['measure']})"
    interval = MISSING
    if claim["low"] is not None and claim["high"] is not None:
        mean, low, high = (_signed(claim[name], unit) for name in ("mean", "low", "high"))
        interval = f"{mean}{_UNITS[unit][3]} [{low}, {high}]"
    return (claim["says"], claim["verdict"], groups, interval)


def _mean(values: Sequence[float], unit: str) -> str:
    if not values:
        return MISSING
    factor, digits, tail, _ = _UNITS[unit]
    spread = f" ± {factor * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{decimals(factor * fmean(values), digits)}{spread}{tail}"


def _signed(value: float, unit: str) -> str:
    factor, digits, *_ = _UNITS[unit]
    text = decimals(factor * value, digits)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def _figures(page: Page, results: dict[str, Any]) -> None:
    """The figures, the architectures in third place."""
    networks = [(n["name"], n["title"], n["spec"]) for n in results["networks"] if n["name"] in _PICTURED]
    for plot in figures(Records(results["records"])):
        page.plot(plot)
        if plot.name == "frequencies":
            page.drawings(
                "Figure 3. The architectures: a CNN, a canonical Transformer, and the alternating pattern, whose "
                "stages end with an MSA block.",
                networks,
            )


def _method(page: Page, results: dict[str, Any]) -> None:
    _networks(page, results)
    plan, recipe = results["plan"], results["plan"]["recipe"]
    shares = listing([f"{share:.0%}" for share in plan["shares"]])
    page.prose(
        f"AdamW, {recipe['epochs']} epochs of batches of {recipe['batch']}, peak learning rate {recipe['lr']:g} after "
        f"a warm-up of {recipe['warmup']:.0%}, weight decay {recipe['weight_decay']:g}, no label smoothing, so that "
        f"the loss that is measured is the one that was trained. Shares of {shares} are stratified and drawn from the "
        "seed; epochs grow with the inverse square root of the share. MSA first has narrower heads than AlterNet, as "
        "its stages need a downsampling layer that takes parameters. The Hessian is that of NLL and weight decay on "
        "augmented images; noise has the same strength in all bands, where that of the paper’s public code grows with "
        "the frequency; the landscape shows the NLL without the L2 term. What each analysis does: docs/scores.md."
    )
    versions = plan["versions"]
    software = [f"{name} {versions[name]}" for name in ("archdsl", "python", "torch", "numpy") if name in versions]
    page.prose(
        f"Seeds {listing([str(seed) for seed in results['seeds']])}; data digest {plan['data_digest'][:16]}; "
        f"{', '.join(software)}; {results['machine']['device']}, {results['workers']} at a time. All trainings and "
        f"measurements took {duration(results['cpu_seconds'])} of processor time; waiting on a busy machine included, "
        f"{duration(results['seconds'])} one after the other. results.json holds every record: curves, weights’ paths "
        "and the arrays of all analyses, by network, share and seed."
    )


def _networks(page: Page, results: dict[str, Any]) -> None:
    records = Records(results["records"])
    base = next(n["params"] for n in results["networks"] if n["name"] == "resnet")
    columns = (("test", "accuracy", "percent"), ("test", "nll", "ln"), ("train", "nll", "ln"))
    page.table(
        "The networks, matched by parameters",
        ("Network", "Parameters", "Against ResNet", "MACs", "Test accuracy", "Test NLL", "NLL on training images"),
        [
            (
                n["title"], f"{n['params']:,}", f"{_signed(n['params'] / base - 1, 'percent')} %", short(n["macs"]),
                *(_mean([r.content[split][name] for r in records.of(n["name"])], u) for split, name, u in columns),
            )
            for n in results["networks"]
        ],
    )  # fmt: skip
