"""Puts the page of a rerun together from plain pieces: headings, paragraphs, tables and figures, for any output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from archdsl.api.reproduction.claims import PARTS, RULE
from archdsl.api.reproduction.evidence import Records
from archdsl.api.reproduction.figures import Plot, figures
from archdsl.report.wording import MINUS, duration, listing, plural, short

_PICTURED = ("resnet", "vit", "alternet")
PAPER = "Park & Kim, How Do Vision Transformers Work? (ICLR 2022, arXiv 2202.06709)"


@dataclass(frozen=True)
class Heading:
    """The title of a part."""

    text: str


@dataclass(frozen=True)
class Lead:
    """What came out, in a sentence."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Prose."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first cell of each is its heading."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Drawing:
    """A network's picture, from its text."""

    name: str
    title: str
    spec: str


@dataclass(frozen=True)
class Drawings:
    """Pictures of networks side by side, under one caption."""

    title: str
    drawings: tuple[Drawing, ...]


Piece = Heading | Lead | Paragraph | Table | Plot | Drawings


def content(results: dict[str, Any]) -> list[Piece]:
    """The whole page, after its title."""
    drawn = figures(Records(results["records"]), results["plan"]["scarce"])
    return [
        *_summary(results),
        Heading("The claims"),
        *_claims(results),
        Heading("The figures"),
        Paragraph(
            "Numbered figures answer those of that number in the paper, as far as its public summary names them (1 to "
            "4 and 8); what stands under 5, 6 and without a number covers its other experiments. Every line and point "
            "is our own measurement."
        ),
        *_in_order(drawn, results["networks"]),
        Heading("How it was done"),
        *_method(results),
        Heading("Run it yourself"),
        Paragraph(
            "archdsl reproduce does what this page shows on the embedded data set; --seeds 3 is the least that gives "
            "verdicts, and --quick tries the whole path in one epoch. archdsl reproduce --full --data npz:cifar10.npz "
            "--device cuda does the same with networks of 5.8 million parameters. An interrupted run goes on when the "
            "command is given again. archdsl reproduce --render --run FOLDER draws page and figures again from "
            "results.json."
        ),
    ]


def headline(results: dict[str, Any]) -> str:
    """What came out, in a sentence."""
    counts = Counter(claim["verdict"] for claim in results["claims"])
    words = [f"{counts[verdict]} {verdict}" for verdict in ("seen", "not seen", "unclear here")]
    return f"Of {plural(len(results['claims']), 'claim')}, {listing(words)}."


def _summary(results: dict[str, Any]) -> Iterator[Piece]:
    data, seeds = results["data"], results["seeds"]
    shape = "×".join(map(str, data["input"]))
    yield Lead(headline(results))
    if results["plan"]["recipe"]["epochs"] == 1:
        yield Lead("A trial of the whole path: after one epoch these numbers mean nothing.")
    yield Paragraph(
        f"{PAPER}, rerun with archdsl: {plural(len(results['networks']), 'network')} of about "
        f"{short(fmean(n['params'] for n in results['networks']))} parameters, trained from scratch on "
        f"{data['train']:,} images of {shape} ({data['name'].partition(':')[0]}), {plural(len(seeds), 'seed')} each."
    )
    yield Paragraph(
        "The paper trains networks of 5 million parameters and more, on CIFAR for 300 epochs, and on ImageNet. This is "
        "a small part of that work: what is not seen here may well be there, and what is seen here need not hold there."
    )


# ---------------------------------------------------------------- claims


def _claims(results: dict[str, Any]) -> Iterator[Piece]:
    yield Paragraph(RULE)
    for part in PARTS:
        rows = [_claim(claim) for claim in results["claims"] if claim["part"] == part]
        if rows:
            head = ("Claim", "Verdict", "Numbers", "For the claim, 95 % interval")
            yield Table(part, head, tuple(rows))


def _claim(claim: dict[str, Any]) -> tuple[str, ...]:
    if not claim["values"]:
        return (claim["says"], claim["verdict"], "not measured", "–")
    unit = claim["unit"]
    groups = "; ".join(f"{group['name']} {_mean(group['values'], unit)}" for group in claim["groups"])
    if claim["blocks"]:
        right, total = claim["blocks"]
        groups = f"{right} of {total} {claim['measure']}"
    else:
        groups = f"{groups} ({claim['measure']})"
    interval = "–"
    if claim["low"] is not None and claim["high"] is not None:
        ends = [_signed(claim[name], unit) for name in ("mean", "low", "high")]
        interval = f"{ends[0]}{_of(unit)} [{ends[1]}, {ends[2]}]"
    return (claim["says"], claim["verdict"], groups, interval)


def _mean(values: Sequence[float], unit: str) -> str:
    factor, digits, tail = _style(unit)
    spread = f" ± {factor * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{_plain(factor * fmean(values), digits)}{spread}{tail}"


def _signed(value: float, unit: str) -> str:
    factor, digits, _ = _style(unit)
    text = _plain(factor * value, digits)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def _plain(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def _style(unit: str) -> tuple[float, int, str]:
    """Factor, decimals, and what stands behind a number."""
    return {"percent": (100.0, 1, " %"), "blocks": (100.0, 0, " %"), "ln": (1.0, 2, ""), "nats": (1.0, 3, " nats")}[
        unit
    ]


def _of(unit: str) -> str:
    return {"percent": " points", "blocks": " points above half", "ln": "", "nats": " nats"}[unit]


# ---------------------------------------------------------------- figures and method


def _in_order(drawn: list[Plot], networks: list[dict[str, Any]]) -> Iterator[Piece]:
    """The figures, the architectures in third place."""
    pictures = [Drawing(n["name"], n["title"], n["spec"]) for n in networks if n["name"] in _PICTURED]
    for plot in drawn:
        yield plot
        if plot.name == "frequencies":
            yield Drawings(
                "Figure 3. The architectures: a CNN, a canonical Transformer, and the alternating pattern, whose "
                "stages end with an MSA block.",
                tuple(pictures),
            )


def _method(results: dict[str, Any]) -> Iterator[Piece]:
    base = next(n["params"] for n in results["networks"] if n["name"] == "resnet")
    yield Table(
        "The networks, matched by parameters",
        ("Network", "Parameters", "Against ResNet", "MACs", "Test accuracy", "Test NLL", "NLL on training images"),
        tuple(_network(network, base, Records(results["records"])) for network in results["networks"]),
    )
    plan, recipe = results["plan"], results["plan"]["recipe"]
    shares = listing([f"{share:.0%}" for share in plan["shares"]])
    yield Paragraph(
        f"AdamW, {recipe['epochs']} epochs of batches of {recipe['batch']}, peak learning rate {recipe['lr']:g} after "
        f"a warm-up of {recipe['warmup']:.0%}, weight decay {recipe['weight_decay']:g}, no label smoothing, so that "
        f"the loss that is measured is the one that was trained. Shares of {shares} are stratified and drawn from the "
        "seed; epochs grow with the inverse square root of the share. MSA first has narrower heads than AlterNet, as "
        "its stages need a downsampling layer that takes parameters. The Hessian is that of NLL and weight decay on "
        "augmented images; noise has the same strength in all bands, where that of the paper’s public code grows with "
        "the frequency; the landscape shows the NLL without the L2 term. What each analysis does: docs/scores.md."
    )
    machine, versions = results["machine"], plan["versions"]
    software = ", ".join(
        f"{name} {versions[name]}" for name in ("archdsl", "python", "torch", "numpy") if name in versions
    )
    yield Paragraph(
        f"Seeds {listing([str(seed) for seed in results['seeds']])}; data digest {plan['data_digest'][:16]}; "
        f"{software}; {machine['device']}, {results['workers']} at a time. All trainings and measurements took "
        f"{duration(results['cpu_seconds'])} of processor time; waiting on a busy machine included, "
        f"{duration(results['seconds'])} one after the other. results.json holds every record: curves, weights’ paths "
        "and the arrays of all analyses, by network, share and seed."
    )


def _network(network: dict[str, Any], base: int, records: Records) -> tuple[str, ...]:
    found = records.of(network["name"])

    def column(split: str, name: str, unit: str) -> str:
        values = [record.content[split][name] for record in found]
        return _mean(values, unit) if values else "–"

    return (
        network["title"], f"{network['params']:,}", f"{_signed(network['params'] / base - 1, 'percent')} %",
        short(network["macs"]), column("test", "accuracy", "percent"), column("test", "nll", "ln"),
        column("train", "nll", "ln"),
    )  # fmt: skip
