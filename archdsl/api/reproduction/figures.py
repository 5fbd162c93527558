"""Draws the figures of a rerun, by the analyses themselves: all seeds of a network as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archdsl.analyses import ANALYSES
from archdsl.api.reproduction.evidence import Records
from archdsl.api.reproduction.pooling import pooled
from archdsl.api.reproduction.scale import NETWORKS
from archdsl.base import colours
from archdsl.base.statistics import mean_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS: Final = {
    "resnet": "#0072b2",
    "vit": "#d55e00",
    "vit_gap": "#cc79a7",
    "local_vit": "#009e73",
    "alternet": "#e69f00",
    "alternet_front": "#56b4e9",
}
MARKERS: Final = dict(zip(COLOURS, colours.NETWORK_MARKERS, strict=False))
_SCARCE = "#009e73"  # of ViT on few images


@dataclass(frozen=True)
class Plot:
    """A figure.

    Attributes:
        name: of its file.
        title, caption: what it shows, and how to read it.
        size: inches.
        draw: into a matplotlib figure.
    """

    name: str
    title: str
    caption: str
    size: tuple[float, float]
    draw: Callable[[Figure], None]


def figures(records: Records, scarce: float) -> list[Plot]:
    """All figures that can be drawn from the records, in the paper's order (the architectures are drawn elsewhere)."""
    pool = partial(_pools, records)
    maps, curves = pool("landscape", ("resnet", "vit")), pool("fourier", ("resnet", "vit"))
    noise = pool("noise", ("resnet", "vit", "alternet"))
    spectra = _spectra(records, (("resnet", 1.0, ""), ("vit", 1.0, ""), ("vit", scarce, _SCARCE)))
    constraints = _spectra(records, (("vit", 1.0, ""), ("vit_gap", 1.0, ""), ("local_vit", 1.0, "")))
    found = [
        len(maps) == 2 and Plot("landscapes", *_WORDS["landscapes"], (12.5, 3.7), partial(_landscapes, records, maps)),
        len(curves) == 2 and noise
        and Plot("frequencies", *_WORDS["frequencies"], (12.5, 3.7), partial(_frequencies, curves, noise)),
        spectra and Plot("spectra", *_WORDS["spectra"], (10.5, 6.2), partial(_hessians, spectra)),
        Plot("fits", *_WORDS["fits"], (6.6, 4.2), partial(_fits, records)),
        constraints and Plot("constraints", *_WORDS["constraints"], (10.5, 6.2), partial(_hessians, constraints)),
    ]  # fmt: skip
    for name, analysis, networks, options in _DEPTH:
        results = pool(analysis, networks)
        size, draw = (4.2 * len(results), 3.5), partial(_by_depth, analysis, results, options)
        found.append(bool(results) and Plot(name, *_WORDS[name], size, draw))
    found.append(Plot("regimes", *_WORDS["regimes"], (6.6, 4.0), partial(_regimes, records)))
    return [plot for plot in found if isinstance(plot, Plot)]


def _pools(records: Records, analysis: str, networks: Sequence[str], share: float = 1.0) -> dict[str, Any]:
    """The results of all seeds as one, of the networks that have some."""
    found = {n: pooled(analysis.removesuffix("_early"), records.results(n, analysis, share)) for n in networks}
    return {network: result for network, result in found.items() if result is not None}


def _landscapes(records: Records, maps: dict[str, Any], figure: Figure) -> None:
    for column, (name, result) in enumerate(maps.items(), start=1):
        axes = figure.add_subplot(1, 3, column)
        ANALYSES["landscape"].plot(result, axes)
        axes.set_title(NETWORKS[name], loc="left")
    polar: Any = figure.add_subplot(1, 3, 3, projection="polar")
    for name in maps:
        for index, record in enumerate(records.of(name)):
            if path := record.content.get("path"):
                label = NETWORKS[name] if index == 0 else None
                look = {"marker": MARKERS[name], "color": COLOURS[name], "ms": 2.5, "lw": 0.9}
                polar.plot(path["angle"], path["length"], label=label, **look)
    polar.set_thetamin(0)
    polar.set_thetamax(90)
    polar.set_xticks(np.deg2rad([0, 30, 60, 90]))
    polar.legend(frameon=False, loc="upper right", fontsize="small")


def _frequencies(curves: dict[str, Any], noise: dict[str, Any], figure: Figure) -> None:
    *sides, right = figure.subplots(1, 3)
    for axes, (name, result) in zip(sides, curves.items(), strict=True):
        ANALYSES["fourier"].plot(result, axes)
        axes.set_title(NETWORKS[name], loc="left")
    for name, result in noise.items():
        drop = 100 * (result.accuracy - result.clean_accuracy)
        middle = result.frequency - 0.05  # of a band
        right.plot(middle, drop, MARKERS[name], ls="-", color=COLOURS[name], ms=4, lw=1.3, label=NETWORKS[name])
    right.set_xlim(0, 1)
    right.set_xlabel("frequency of the noise (π per pixel)")
    right.set_ylabel("change of accuracy (points)")
    right.legend(frameon=False)


def _spectra(records: Records, shown: Sequence[tuple[str, float, str]]) -> list[tuple[str, str, list[Any]]]:
    """Name, colour, and the Hessian after the warm-up and at the end, of the networks and shares that have both."""
    found = []
    for network, share, colour in shown:
        both = [_pools(records, when, (network,), share).get(network) for when in ("hessian_early", "hessian")]
        if None not in both:
            name = NETWORKS[network] + ("" if share == 1 else f" on {share:.0%} of the images")
            found.append((name, colour or COLOURS[network], both))
    return found


def _hessians(shown: Sequence[tuple[str, str, list[Any]]], figure: Figure) -> None:
    """After the warm-up above, at the end below; negative ones left, positive ones right."""
    rows: Any = figure.subfigures(2, 1)
    for index, (row, said) in enumerate(zip(rows, ("after the warm-up", "at the end"), strict=True)):
        axes = row.subplots(1, 2, width_ratios=(0.4, 0.6))
        for name, colour, both in shown:
            ANALYSES["hessian"].plot(both[index], axes, label=name, color=colour)
        axes[0].set_title(said, loc="left")


def _fits(records: Records, figure: Figure) -> None:
    """NLL on the training images against the test error in per cent, a point for each share of the data."""
    from matplotlib.ticker import LogLocator

    axes = figure.subplots()
    for name in NETWORKS:
        own = {share: [r.content for r in records.of(name, share)] for share in records.shares(name)}
        points = [np.mean([(c["train"]["nll"], 100 * (1 - c["test"]["accuracy"])) for c in own[s]], 0) for s in own]
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(x, y, MARKERS[name], ls="-", color=COLOURS[name], ms=5, lw=0.9, label=NETWORKS[name])
        for share, point in zip(own, points, strict=True):
            if len(own) > 1:
                axes.annotate(
                    f"{share:.0%}", point, (0, 7), textcoords="offset points", fontsize="x-small",
                    color=colours.FAINT, ha="center",
                )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 6, 8)))
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    axes.minorticks_off()
    axes.set_xlabel("NLL on the training images (nats)")
    axes.set_ylabel("test error (%)")
    axes.legend(frameon=False, fontsize="small")


def _by_depth(analysis: str, results: dict[str, Any], options: dict[str, Any], figure: Figure) -> None:
    grid = figure.subplots(1, len(results), squeeze=False, sharey=analysis == "lesion")[0]
    for index, (axes, (network, result)) in enumerate(zip(grid, results.items(), strict=True)):
        ANALYSES[analysis].plot(result, axes, **options)
        axes.set_title(NETWORKS[network], loc="left")
        if index:
            axes.set_ylabel("")


def _regimes(records: Records, figure: Figure) -> None:
    axes = figure.subplots()
    for name in ("resnet", "alternet", "alternet_front"):
        shares = records.shares(name)
        found = [mean_interval([100 * r.content["test"]["accuracy"] for r in records.of(name, s)]) for s in shares]
        half = [f.high - f.value if np.isfinite(f.high) else 0.0 for f in found]
        if found:
            axes.errorbar(
                [100 * share for share in shares], [f.value for f in found], half, color=COLOURS[name],
                marker=MARKERS[name], ms=4.5, lw=1.3, capsize=2.5, label=NETWORKS[name],
            )  # fmt: skip
    axes.set_xscale("log")
    ticks = [100 * share for share in records.shares("resnet")]
    axes.set_xticks(ticks, [f"{tick:g} %" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("share of the training images")
    axes.set_ylabel("test accuracy (%)")
    axes.legend(frameon=False, loc="lower right")


_DEPTH: Final[tuple[tuple[str, str, tuple[str, ...], dict[str, Any]], ...]] = (
    ("amplitudes", "fourier", ("vit", "resnet", "alternet"), {"view": "depth", "frequency": 1.0}),
    ("variances", "variance", ("vit", "resnet", "alternet"), {}),
    ("lesions", "lesion", ("resnet", "alternet"), {}),
)
_BOTH = (
    ": after the warm-up above, at the end of the training below. The areas of a network’s two parts add up to 1, so "
    "the left one is the share of negative ones."
)
# Title and caption of each figure.
_WORDS: Final[dict[str, tuple[str, str]]] = {
    "landscapes": (
        "Figure 1. Loss landscapes, and the ways to their centres",
        "Left and middle: the NLL around the trained weights along two random directions, mean over seeds and "
        "directions; each map has its own scale. Right: the way of the weights from the start (angle 0, radius 1) to "
        "the end (the centre), a line per seed: the length of what is left to go, and its angle to the whole way.",
    ),
    "frequencies": (
        "Figure 2. Feature maps and noise by frequency",
        "Left and middle: relative log amplitude of every block’s output, from the centre of the spectrum to its "
        "corner, from the first block to the last. Right: what noise of one band of frequencies, of the same strength "
        "in all bands, takes from the accuracy on validation images.",
    ),
    "spectra": (
        "Figure 4. Hessian eigenvalues of ResNet and ViT",
        "The five eigenvalues of largest magnitude of the loss Hessian of every batch, all seeds together" + _BOTH,
    ),
    "fits": (
        "Figure 5. How well networks fit what they are trained on, and how well they do elsewhere",
        "Means over the seeds; along a line the share of the training images. A network that overfits has a low NLL on "
        "its training images and a high test error.",
    ),
    "constraints": (
        "Figure 6. Hessian eigenvalues under constraints",
        "The same for ViT, for ViT with global average pooling in place of its class token, and for that with "
        "attention to neighbourhoods of 3 × 3" + _BOTH,
    ),
    "amplitudes": (
        "Figure 8. High-frequency amplitude through the network",
        "Relative log amplitude at the highest frequency of each block’s map against depth; MSA blocks shaded, changes "
        "of resolution dashed. The paper finds that it falls over shaded blocks and rises over others. All seeds "
        "together.",
    ),
    "variances": (
        "Feature-map variance through the network",
        "Variance of each block’s output over its pixels against depth. The paper finds that it falls over MSA blocks "
        "and rises over others. All seeds together.",
    ),
    "lesions": (
        "Accuracy lost without single blocks",
        "Validation accuracy lost when one residual block is taken out of the trained network. All seeds together.",
    ),
    "regimes": (
        "AlterNet and ResNet on less data",
        "Test accuracy of ResNet, AlterNet and MSA first: mean over the seeds with its 95 % interval. MSA first, "
        "AlterNet with its MSA blocks at the beginning of the stages, was trained on all images alone.",
    ),
}
