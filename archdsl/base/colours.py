"""Holds the colours and markers of every figure: per kind of block, per network, per depth.

From Okabe and Ito's set, told apart under the common colour deficiencies; the block kinds differ in lightness as well
(L* about 35, 71 and 57), so that they survive a grey printer, and each has its own marker.
"""

from __future__ import annotations

from typing import Final

KINDS: Final[dict[str, str]] = {"conv": "#0b4f8a", "msa": "#e69f00", "mlp": "#009e73"}
MARKERS: Final[dict[str, str]] = {"conv": "o", "msa": "s", "mlp": "^"}
KIND_NAMES: Final[dict[str, str]] = {"conv": "Conv", "msa": "MSA", "mlp": "MLP"}

# Networks side by side. The first two are the ones that nearly every figure compares.
NETWORKS: Final[tuple[str, ...]] = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
# Their lightness is much the same, so markers, or dashes where there are none, tell them apart on a grey printer.
NETWORK_MARKERS: Final[tuple[str, ...]] = ("o", "D", "v", "P", "X", "s", "^")
_SOLID: Final = (0.0, None)
NETWORK_DASHES: Final[tuple[tuple[float, tuple[float, ...] | None], ...]] = (
    _SOLID, (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 1.2, 1, 1.2, 1, 1.2)),
    (0, (2, 2)),
)  # fmt: skip

DEPTH: Final = "viridis"  # matplotlib colour map, shallow to deep
DEPTH_RANGE: Final = (0.0, 0.88)  # its last, pale yellow part does not show on white
INK: Final = "#222222"
FAINT: Final = "#9a9a9a"
BAND: Final = "#f6dfae"  # msa, thinned out: the shading behind attention blocks


def network(index: int) -> str:
    """Colour of the index-th network of a comparison; they repeat after seven."""
    return NETWORKS[index % len(NETWORKS)]


def marker(index: int) -> str:
    """Marker of the same."""
    return NETWORK_MARKERS[index % len(NETWORK_MARKERS)]


def dashes(index: int) -> tuple[float, tuple[float, ...] | None]:
    """Line style of the same, where lines have no markers: as matplotlib takes it."""
    return NETWORK_DASHES[index % len(NETWORK_DASHES)]
