"""What the zero-cost screens share: a network fresh from its seed and one minibatch in, a number out, a few times."""

from __future__ import annotations

import contextlib
import statistics
from abc import abstractmethod
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archdsl.analyses.exact import held_still, memory_guard
from archdsl.analyses.sample import batches
from archdsl.network import Architecture
from archdsl.study.candidate import seeded
from archdsl.study.screens import Screen

DRAWS = 3  # initialisations, each with a minibatch of its own
IMAGES = 128  # in a minibatch; fewer where the recipe trains on fewer


class Untrained(Screen):
    """A score of a network before any training, mean over `DRAWS` draws of its weights.

    All members see the same minibatches, drawn without repetition from the training split, not augmented. Weights are
    drawn as a training draws them, seeds `seed` to `seed + DRAWS - 1`; the first is the network a search would train.
    """

    def prepare(self) -> None:
        """Draw the minibatches."""
        setting = self.setting
        size = min(IMAGES, setting.recipe.batch)
        self.batches = batches(
            setting.data, count=DRAWS, size=size, seed=setting.seed, augment=False, device=setting.device
        )

    def score(self, architecture: Architecture) -> float:
        """The mean over draws."""
        found = []
        with memory_guard("a screen"):
            for draw in range(DRAWS):
                network = seeded(architecture, self.setting.seed + draw).to(self.setting.device)
                found.append(self.measure(network, *self.batches[draw % len(self.batches)]))
        return statistics.fmean(found)

    @abstractmethod
    def measure(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        """The number for one draw; the network is not used afterwards.

        Args:
            network: fresh from its initialisation.
            images: (B, C, H, W), normalised.
            labels: (B,).
        """


@contextlib.contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """As the first step of a training computes, but for dropout: BatchNorm takes the minibatch's own statistics.

    In eval mode an untrained BatchNorm does nothing, and signals grow with every residual unit. All else is in eval
    mode, in full float32.
    """
    with held_still(network):
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.train()
        yield


def weights_and_gradients(network: nn.Module, images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The weights of convolutions and linear layers with the gradient of the mean cross-entropy over the minibatch."""
    weights = [module.weight for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    weights = list(dict.fromkeys(weights))
    if not weights:
        return []
    with batch_statistics(network):
        loss = F.cross_entropy(network(images), labels)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    return [(w, torch.zeros_like(w) if g is None else g) for w, g in zip(weights, gradients, strict=True)]
