"""Draws the figures of the rerun: by the analyses' own plots, all seeds of a network as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archdsl.analyses import ANALYSES
from archdsl.api.reproduction.document import Plot
from archdsl.api.reproduction.plan import NETWORKS, SCARCE
from archdsl.api.reproduction.records import Record, Records
from archdsl.base import colours
from archdsl.base.numbers import listing
from archdsl.base.statistics import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = dict(zip(NETWORKS, ("#0072b2", "#d55e00", "#cc79a7", "#009e73", "#e69f00", "#56b4e9"), strict=True))
MARKERS: Final = dict(zip(NETWORKS, colours.NETWORK_MARKERS, strict=False))
_PAIR, _TRIO = ("resnet", "vit"), ("resnet", "vit", "alternet")


@dataclass(frozen=True)
class Panel:
    """One of the axes of a figure: what draws into it, its title, and its projection."""

    draw: Callable[[Any], None]
    title: str = ""
    projection: str | None = None


def figures(records: Records) -> list[Plot]:
    """All figures that can be drawn from the records, in the paper's order (the architectures are drawn elsewhere)."""
    found = [
        _landscapes(records), _frequencies(records), _eigenvalues(records, "spectra"), _fits(records),
        _eigenvalues(records, "constraints"),
        *(_by_depth(records, analysis) for analysis in _DEPTH), _regimes(records),
    ]  # fmt: skip
    return [plot for plot in found if plot is not None]


def _panel(records: Records, analysis: str, network: str, **options: Any) -> Panel | None:
    """A network's results as their analysis plots them; None where there are none."""
    result = records.pooled(network, analysis)
    if result is None:
        return None
    return Panel(lambda axes: ANALYSES[analysis].plot(result, axes, **options), NETWORKS[network])


def _row(
    name: str, title: str, caption: str, size: tuple[float, float], panels: Sequence[Panel | None], *,
    alike: bool = False, sharey: bool = False,
) -> Plot | None:  # fmt: skip
    """Panels side by side, those that are `alike` with one name of the y axis; no figure where one is missing."""
    shown = [panel for panel in panels if panel is not None]
    if not shown or len(shown) < len(panels):
        return None

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(1, len(shown))
        first: Any = None
        for column, panel in enumerate(shown):
            axes: Any = figure.add_subplot(grid[column], projection=panel.projection, sharey=first if sharey else None)
            panel.draw(axes)
            axes.set_title(panel.title, loc="left")
            if column and alike:
                axes.set_ylabel("")
            if column and sharey:
                axes.tick_params(labelleft=False)
            first = first or axes

    return Plot(name, title, caption, size, draw)


def _landscapes(records: Records) -> Plot | None:
    def paths(axes: Any) -> None:
        for name in _PAIR:
            ways = [record.content["path"] for record in records.of(name) if record.content.get("path")]
            for index, way in enumerate(ways):
                label = None if index else NETWORKS[name]
                axes.plot(
                    way["angle"], way["length"], label=label, marker=MARKERS[name], color=COLOURS[name], ms=2.5, lw=0.9
                )
        axes.set_thetamin(0)
        axes.set_thetamax(90)
        axes.set_xticks(np.deg2rad([0, 30, 60, 90]))
        axes.legend(frameon=False, loc="upper right", fontsize="small")

    return _row(
        "landscapes", "Figure 1. Loss landscapes, and the ways to their centres",
        "Left and middle: the NLL around the trained weights along two random directions, mean over seeds and "
        "directions; each map has its own scale. Right: the way of the weights from the start (angle 0, radius 1) to "
        "the end (the centre), a line per seed: the length of what is left to go, and its angle to the whole way.",
        (12.5, 3.7), [*(_panel(records, "landscape", name) for name in _PAIR), Panel(paths, projection="polar")],
    )  # fmt: skip


def _frequencies(records: Records) -> Plot | None:
    found = {name: records.pooled(name, "noise") for name in _TRIO}
    measured = {name: result for name, result in found.items() if result is not None}

    def noise(axes: Axes) -> None:
        for name, result in measured.items():
            drop = 100 * (result.accuracy - result.clean_accuracy)
            middle = result.frequency - 0.05  # of a band
            axes.plot(middle, drop, MARKERS[name], ls="-", color=COLOURS[name], ms=4, lw=1.3, label=NETWORKS[name])
        axes.set_xlim(0, 1)
        axes.set_xlabel("frequency of the noise (π per pixel)")
        axes.set_ylabel("change of accuracy (points)")
        axes.legend(frameon=False)

    return _row(
        "frequencies", "Figure 2. Feature maps and noise by frequency",
        "Left and middle: relative log amplitude of every block’s output, from the centre of the spectrum to its "
        "corner, from the first block to the last. Right: what noise of one band of frequencies, of the same strength "
        "in all bands, takes from the accuracy on validation images.",
        (12.5, 3.7), [*(_panel(records, "fourier", name) for name in _PAIR), Panel(noise) if measured else None],
    )  # fmt: skip


# Title, caption, and the networks with the share of the images that they were trained on, and their colours.
_SPECTRA: Final[dict[str, tuple[str, str, tuple[tuple[str, float, str], ...]]]] = {
    "spectra": (
        "Figure 4. Hessian eigenvalues of ResNet and ViT",
        "The five eigenvalues of largest magnitude of the loss Hessian of every batch, all seeds together",
        (("resnet", 1.0, COLOURS["resnet"]), ("vit", 1.0, COLOURS["vit"]), ("vit", SCARCE, "#009e73")),
    ),
    "constraints": (
        "Figure 6. Hessian eigenvalues under constraints",
        "The same for ViT, for ViT with global average pooling in place of its class token, and for that with "
        "attention to neighbourhoods of 3 × 3",
        tuple((name, 1.0, COLOURS[name]) for name in ("vit", "vit_gap", "local_vit")),
    ),
}


def _eigenvalues(records: Records, name: str) -> Plot | None:
    """After the warm-up above, at the end below; negative ones left, positive ones right."""
    title, caption, shown = _SPECTRA[name]
    whens = {"hessian_early": "after the warm-up", "hessian": "at the end"}
    found = [(n, s, c, {when: records.pooled(n, when, s) for when in whens}) for n, s, c in shown]
    found = [entry for entry in found if None not in entry[3].values()]
    if not found:
        return None

    def draw(figure: Figure) -> None:
        rows: Any = figure.subfigures(2, 1)
        for row, (when, said) in zip(rows, whens.items(), strict=True):
            axes = row.subplots(1, 2, width_ratios=(0.4, 0.6))
            for network, share, colour, results in found:
                label = NETWORKS[network] + ("" if share == 1 else f" on {share:.0%} of the images")
                ANALYSES["hessian"].plot(results[when], axes, label=label, color=colour)
            axes[0].set_title(said, loc="left")

    said = f"{caption}: after the warm-up above, at the end of the training below. The areas of a network’s two parts "
    return Plot(name, title, f"{said}add up to 1, so the left one is the share of negative ones.", (10.5, 6.2), draw)


def _fits(records: Records) -> Plot | None:
    """Test error in per cent against NLL on the training images: per network a point for every share of them."""

    def fit(record: Record) -> tuple[float, float]:
        return record.content["train"]["nll"], 100 * (1 - record.content["test"]["accuracy"])

    points = {
        name: [(share, *np.mean([fit(r) for r in records.of(name, share)], 0)) for share in records.shares(name)]
        for name in NETWORKS
    }

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import LogLocator

        for name, own in points.items():
            _, x, y = zip(*own, strict=True) if own else ((), (), ())
            axes.plot(x, y, MARKERS[name], ls="-", color=COLOURS[name], ms=5, lw=0.9, label=NETWORKS[name])
            for share, nll, error in own if len(own) > 1 else ():
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

    return _row(
        "fits", "Figure 5. How well networks fit what they are trained on, and how well they do elsewhere",
        "Means over the seeds; along a line the share of the training images. A network that overfits has a low NLL on "
        "its training images and a high test error.",
        (6.6, 4.2), [Panel(draw) if any(points.values()) else None],
    )  # fmt: skip


_DEPTH: Final[dict[str, tuple[str, str, tuple[str, ...], str, dict[str, Any]]]] = {
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
    panels = [panel for network in networks if (panel := _panel(records, analysis, network, **options))]
    size = (4.2 * len(panels), 3.5)
    said = f"{caption} All seeds together."
    return _row(name, title, said, size, panels, alike=True, sharey=analysis == "lesion")


def _regimes(records: Records) -> Plot | None:
    shown = [name for name in ("resnet", "alternet", "alternet_front") if records.of(name)]

    def draw(axes: Axes) -> None:
        for name in shown:
            shares = records.shares(name)
            found = [mean_interval([100 * r.content["test"]["accuracy"] for r in records.of(name, s)]) for s in shares]
            axes.errorbar(
                [100 * share for share in shares], [f.value for f in found],
                [f.high - f.value if f.known else 0.0 for f in found],
                color=COLOURS[name], marker=MARKERS[name], ms=4.5, lw=1.3, capsize=2.5, label=NETWORKS[name],
            )  # fmt: skip
        axes.set_xscale("log")
        ticks = [100 * share for share in records.shares("resnet")]
        axes.set_xticks(ticks, [f"{tick:g} %" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("share of the training images")
        axes.set_ylabel("test accuracy (%)")
        axes.legend(frameon=False, loc="lower right")

    return _row(
        "regimes", "AlterNet and ResNet on less data",
        f"Test accuracy of {listing([NETWORKS[name] for name in shown])}: mean over the seeds with its 95 % interval. "
        "MSA first, AlterNet with its MSA blocks at the beginning of the stages, was trained on all images alone.",
        (6.6, 4.0), [Panel(draw) if shown else None],
    )  # fmt: skip
