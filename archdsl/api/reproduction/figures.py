"""Draws the figures of a rerun, by the analyses themselves: all seeds of a network as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archdsl.analyses import ANALYSES
from archdsl.api.reproduction.evidence import Record, Records
from archdsl.api.reproduction.pooling import pooled
from archdsl.api.reproduction.scale import NETWORKS
from archdsl.base import colours
from archdsl.base.statistics import mean_interval
from archdsl.report.wording import listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
    found = [
        _landscapes(records), _frequencies(records), _spectra(records, scarce), _fits(records), _constraints(records),
        _by_depth(records, "fourier"), _by_depth(records, "variance"), _by_depth(records, "lesion"), _regimes(records),
    ]  # fmt: skip
    return [plot for plot in found if plot is not None]


def _pool(records: Records, network: str, analysis: str, share: float = 1.0) -> Any:
    return pooled(analysis.removesuffix("_early"), records.results(network, analysis, share))


def _draw(analysis: str, result: Any, ax: Any, **options: Any) -> None:
    ANALYSES[analysis].plot(result, ax, **options)


def _landscapes(records: Records) -> Plot | None:
    both = {name: _pool(records, name, "landscape") for name in ("resnet", "vit")}
    if None in both.values():
        return None

    def draw(figure: Figure) -> None:
        for column, (name, result) in enumerate(both.items(), start=1):
            axes = figure.add_subplot(1, 3, column)
            _draw("landscape", result, axes)
            axes.set_title(NETWORKS[name], loc="left")
        _paths(records, figure.add_subplot(1, 3, 3, projection="polar"))

    return Plot(
        "landscapes", "Figure 1. Loss landscapes, and the ways to their centres",
        "Left and middle: the NLL around the trained weights along two random directions, mean over seeds and "
        "directions; each map has its own scale. Right: the way of the weights from the start (angle 0, radius 1) to "
        "the end (the centre), a line per seed: the length of what is left to go, and its angle to the whole way.",
        (12.5, 3.7), draw,
    )  # fmt: skip


def _paths(records: Records, axes: Any) -> None:
    for name in ("resnet", "vit"):
        for index, record in enumerate(records.of(name)):
            path = record.content.get("path")
            if path:
                label = NETWORKS[name] if index == 0 else None
                look = {"marker": MARKERS[name], "color": COLOURS[name], "ms": 2.5, "lw": 0.9}
                axes.plot(path["angle"], path["length"], label=label, **look)
    axes.set_thetamin(0)
    axes.set_thetamax(90)
    axes.set_xticks(np.deg2rad([0, 30, 60, 90]))
    axes.legend(frameon=False, loc="upper right", fontsize="small")


def _frequencies(records: Records) -> Plot | None:
    curves = {name: _pool(records, name, "fourier") for name in ("resnet", "vit")}
    noise = {name: _pool(records, name, "noise") for name in ("resnet", "vit", "alternet")}
    if None in curves.values() or not any(noise.values()):
        return None

    def draw(figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3)
        for axes, (name, result) in zip((left, middle), curves.items(), strict=True):
            _draw("fourier", result, axes)
            axes.set_title(NETWORKS[name], loc="left")
        for name, result in noise.items():
            if result is not None:
                drop = 100 * (result.accuracy - result.clean_accuracy)
                middle = result.frequency - 0.05  # of a band
                right.plot(middle, drop, MARKERS[name], ls="-", color=COLOURS[name], ms=4, lw=1.3, label=NETWORKS[name])
        right.set_xlim(0, 1)
        right.set_xlabel("frequency of the noise (π per pixel)")
        right.set_ylabel("change of accuracy (points)")
        right.legend(frameon=False)

    return Plot(
        "frequencies", "Figure 2. Feature maps and noise by frequency",
        "Left and middle: relative log amplitude of every block’s output, from the centre of the spectrum to its "
        "corner, from the first block to the last. Right: what noise of one band of frequencies, of the same strength "
        "in all bands, takes from the accuracy on validation images.",
        (12.5, 3.7), draw,
    )  # fmt: skip


def _spectra(records: Records, scarce: float) -> Plot | None:
    shown = [("resnet", 1.0, COLOURS["resnet"]), ("vit", 1.0, COLOURS["vit"]), ("vit", scarce, _SCARCE)]
    return _hessian(
        records, shown, "spectra", "Figure 4. Hessian eigenvalues of ResNet and ViT",
        "The five eigenvalues of largest magnitude of the loss Hessian of every batch, all seeds together",
    )  # fmt: skip


def _constraints(records: Records) -> Plot | None:
    shown = [(name, 1.0, COLOURS[name]) for name in ("vit", "vit_gap", "local_vit")]
    return _hessian(
        records, shown, "constraints", "Figure 6. Hessian eigenvalues under constraints",
        "The same for ViT, for ViT with global average pooling in place of its class token, and for that with "
        "attention to neighbourhoods of 3 × 3",
    )  # fmt: skip


def _hessian(
    records: Records, shown: Sequence[tuple[str, float, str]], name: str, title: str, caption: str
) -> Plot | None:
    """After the warm-up above, at the end below; negative ones left, positive ones right."""
    found = [(n, s, c, {w: _pool(records, n, w, s) for w in ("hessian_early", "hessian")}) for n, s, c in shown]
    found = [entry for entry in found if None not in entry[3].values()]
    if not found:
        return None

    def draw(figure: Figure) -> None:
        rows: Any = figure.subfigures(2, 1)
        for row, (when, said) in zip(
            rows, (("hessian_early", "after the warm-up"), ("hessian", "at the end")), strict=True
        ):
            axes = row.subplots(1, 2, width_ratios=(0.4, 0.6))
            for network, share, colour, results in found:
                label = NETWORKS[network] + ("" if share == 1 else f" on {share:.0%} of the images")
                _draw("hessian", results[when], axes, label=label, color=colour)
            axes[0].set_title(said, loc="left")

    said = f"{caption}: after the warm-up above, at the end of the training below. The areas of a network’s two parts "
    return Plot(name, title, f"{said}add up to 1, so the left one is the share of negative ones.", (10.5, 6.2), draw)


def _fit(record: Record) -> tuple[float, float]:
    """NLL on the training images, test error in per cent."""
    return record.content["train"]["nll"], 100 * (1 - record.content["test"]["accuracy"])


def _fits(records: Records) -> Plot | None:
    points = [
        (name, share, [_fit(record) for record in records.of(name, share)])
        for name in NETWORKS for share in records.shares(name)
    ]  # fmt: skip
    if not points:
        return None

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import LogLocator

        axes = figure.subplots()
        for name in NETWORKS:
            own = [(share, np.mean(pairs, 0)) for n, share, pairs in points if n == name]
            x, y = zip(*(mean for _, mean in own), strict=True)
            axes.plot(x, y, MARKERS[name], ls="-", color=COLOURS[name], ms=5, lw=0.9, label=NETWORKS[name])
            for share, (nll, error) in own:
                if len(own) > 1:
                    axes.annotate(
                        f"{share:.0%}", (nll, error), (0, 7), textcoords="offset points", fontsize="x-small",
                        color=colours.FAINT, ha="center",
                    )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 6, 8)))
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
        axes.minorticks_off()
        axes.set_xlabel("NLL on the training images (nats)")
        axes.set_ylabel("test error (%)")
        axes.legend(frameon=False, fontsize="small")

    return Plot(
        "fits", "Figure 5. How well networks fit what they are trained on, and how well they do elsewhere",
        "Means over the seeds; along a line the share of the training images. A network that overfits has a low NLL on "
        "its training images and a high test error.",
        (6.6, 4.2), draw,
    )  # fmt: skip


_DEPTH: Final = {
    "fourier": (
        "amplitudes", "Figure 8. High-frequency amplitude through the network", ("vit", "resnet", "alternet"),
        "Relative log amplitude at the highest frequency of each block’s map against depth; MSA blocks shaded, changes "
        "of resolution dashed. The paper finds that it falls over shaded blocks and rises over others.",
        {"view": "depth", "frequency": 1.0},
    ),
    "variance": (
        "variances", "Feature-map variance through the network", ("vit", "resnet", "alternet"),
        "Variance of each block’s output over its pixels against depth. The paper finds that it falls over MSA blocks "
        "and rises over others.", {},
    ),
    "lesion": (
        "lesions", "Accuracy lost without single blocks", ("resnet", "alternet"),
        "Validation accuracy lost when one residual block is taken out of the trained network.", {},
    ),
}  # fmt: skip


def _by_depth(records: Records, analysis: str) -> Plot | None:
    name, title, networks, caption, options = _DEPTH[analysis]
    found = {network: _pool(records, network, analysis) for network in networks}
    shown = {network: result for network, result in found.items() if result is not None}
    if not shown:
        return None

    def draw(figure: Figure) -> None:
        grid: Sequence[Axes] = figure.subplots(1, len(shown), squeeze=False, sharey=analysis == "lesion")[0]
        for index, (axes, (network, result)) in enumerate(zip(grid, shown.items(), strict=True)):
            _draw(analysis, result, axes, **options)
            axes.set_title(NETWORKS[network], loc="left")
            if index:
                axes.set_ylabel("")

    return Plot(name, title, f"{caption} All seeds together.", (4.2 * len(shown), 3.5), draw)


def _regimes(records: Records) -> Plot | None:
    shown = [name for name in ("resnet", "alternet", "alternet_front") if records.of(name)]
    if not shown:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name in shown:
            shares = records.shares(name)
            found = [mean_interval([100 * r.content["test"]["accuracy"] for r in records.of(name, s)]) for s in shares]
            half = [f.high - f.value if np.isfinite(f.high) else 0.0 for f in found]
            x = [100 * share for share in shares]
            axes.errorbar(
                x, [f.value for f in found], half, color=COLOURS[name], marker=MARKERS[name], ms=4.5, lw=1.3,
                capsize=2.5, label=NETWORKS[name],
            )  # fmt: skip
        axes.set_xscale("log")
        ticks = [100 * share for share in records.shares("resnet")]
        axes.set_xticks(ticks, [f"{tick:g} %" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("share of the training images")
        axes.set_ylabel("test accuracy (%)")
        axes.legend(frameon=False, loc="lower right")

    names = listing([NETWORKS[name] for name in shown])
    return Plot(
        "regimes", "AlterNet and ResNet on less data",
        f"Test accuracy of {names}: mean over the seeds with its 95 % interval. MSA first, AlterNet with its MSA "
        "blocks at the beginning of the stages, was trained on all images alone.",
        (6.6, 4.0), draw,
    )  # fmt: skip
