"""Holds the words of the analyses' figures: headings, groups of the table of findings, and how to read each view."""

from __future__ import annotations

from typing import Final

# The heading of each analysis's figures, and its group in the table of findings; in the order of the page.
TITLES: Final[dict[str, tuple[str, str]]] = {
    "hessian": ("Hessian spectrum", "Loss landscape"),
    "hessian_density": ("Density of the Hessian’s eigenvalues", "Loss landscape"),
    "hessian_blocks": ("Hessian spectrum by block", "Loss landscape"),
    "landscape": ("Loss landscape", "Loss landscape"),
    "fourier": ("Frequencies", "Fourier behaviour"),
    "variance": ("Feature-map variance", "Fourier behaviour"),
    "noise": ("Noise of one frequency band", "Fourier behaviour"),
    "lesion": ("Lesions", "Where each kind of block belongs"),
    "cka": ("Likeness of blocks", "Others"),
    "quality": ("Calibration", "Others"),
    "corruption": ("Common corruptions", "Robustness"),
}
GROUPS: Final = {"training": "Quality", **{name: group for name, (_, group) in TITLES.items()}}
ORDER: Final = (*dict.fromkeys(group for group in GROUPS.values() if group != "Others"), "Others")
_SHADED = "attention blocks shaded, changes of resolution dashed."
# How to read each figure, by analysis and view.
CAPTIONS: Final[dict[tuple[str, str], str]] = {
    ("hessian", ""): "Top eigenvalues of the loss Hessian of each batch, as densities per decade, a tick for each one. "
    "Large positive eigenvalues mean a sharp loss, negative ones a loss that is not convex there.",
    ("hessian_density", ""): "Density of all eigenvalues of the Hessian of the NLL, weight decay left out, "
    "logarithmic, mean over batches and random vectors. Hills apart from the bulk are few eigenvalues; what lies left "
    "of 0 is not convex.",
    ("hessian_blocks", ""): "Largest eigenvalue of the loss Hessian restricted to each block’s own weights, with its "
    "standard error, and to each stage’s as a bar; hollow, the magnitude of the most negative one. Attention blocks "
    "shaded, changes of resolution dashed.",
    ("landscape", "contour"): "The loss around the weights along two random directions with the filters’ norms; levels "
    "in equal ratios, a cross where the network is.",
    ("landscape", "line"): "The loss along both directions through the weights.",
    ("landscape", "surface"): "The same square in perspective.",
    ("fourier", "frequency"): "Relative log amplitude of each block’s output, from the centre of the spectrum "
    "(frequency 0) to its corner, first block to last. Lower to the right: high frequencies are weaker.",
    ("fourier", "depth"): f"The highest frequency that all maps have against depth; {_SHADED} A block that smooths "
    "lowers the line.",
    ("variance", ""): f"Variance of the feature maps over their pixels against depth, logarithmic; {_SHADED} A block "
    "that averages lowers it.",
    ("noise", ""): "Accuracy with noise of one band of frequencies, bars of one standard error; without noise dashed.",
    ("lesion", ""): "Accuracy lost when one block is taken out, with its standard error; attention blocks shaded.",
    ("cka", ""): "How alike any two blocks represent the images: 1 for the same up to rotation and scale.",
    ("corruption", "corruption"): "Wrong answers with each corruption: the mean over the severities, and a line from "
    "the mildest to the strongest.",
    ("corruption", "severity"): "Accuracy by severity, mean over the corruptions; 0 is the clean image.",
    ("quality", ""): "How often the network is right against how sure it is; on the diagonal it knows. The area of a "
    "point is the number of its images.",
}
