"""Adds up accuracy, NLL and calibration on the device, without waiting for it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 15
"""Bins of equal width in which the calibration error compares confidence with accuracy."""


@dataclass(frozen=True)
class Metrics:
    """How well a network predicts a split.

    Attributes:
        accuracy: share of images whose most probable class is right.
        nll: mean negative log-likelihood of the right class, nats.
        ece: expected calibration error (Guo et al., arXiv 1706.04599): mean |accuracy - confidence| over 15 bins of
            confidence, weighted by their images; 0 is perfect.
    """

    accuracy: float
    nll: float
    ece: float


def bin_of(confidence: Tensor) -> Tensor:
    """The bin, from 0, that a confidence falls into: i of (i/15, (i+1)/15]."""
    return (confidence * BINS).ceil().long().sub_(1).clamp_(0, BINS - 1)


class Tally:
    """Adds up what `Metrics` needs, batch by batch, in float64 on one device.

    Attributes:
        bins: (3, BINS): images, right answers and summed confidence per bin ((i/15, (i+1)/15]); what a reliability
            diagram shows.

    >>> tally = Tally("cpu")
    >>> tally.add(torch.tensor([[9.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    >>> tally.metrics().accuracy
    0.5
    """

    def __init__(self, device: torch.device | str) -> None:
        self.bins = torch.zeros(3, BINS, dtype=torch.float64, device=device)
        self.nll = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Counts a batch: logits (B, classes), labels int64 (B,)."""
        logits = logits.float()
        confidence, answers = logits.softmax(dim=1).max(dim=1)
        places = bin_of(confidence)
        values = torch.stack([torch.ones_like(confidence), (answers == labels).float(), confidence])
        self.bins.index_add_(1, places, values.double())
        self.nll += F.cross_entropy(logits, labels, reduction="sum")

    def values(self) -> Tensor:
        """Accuracy, NLL and ECE as a float64 tensor (3,), still on the device."""
        images, right, confidence = self.bins
        figures = torch.stack([right.sum(), self.nll, (right - confidence).abs().sum()])
        return figures.div_(images.sum())

    def metrics(self) -> Metrics:
        """The figures as numbers; waits for the device."""
        return Metrics(*self.values().tolist())
