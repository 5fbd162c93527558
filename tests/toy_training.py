"""A tiny network with everything that has state, images it learns in a moment, and what must repeat of a training."""

import torch
from torch import nn

from archdsl.base.metrics import Metrics
from archdsl.data import Dataset, Split
from archdsl.data.dataset import build
from archdsl.ir.recipe import Recipe
from archdsl.training.loop import Epoch

RECIPE = Recipe(epochs=4, batch=16, shift=1, precision="float32")


class Residual(nn.Module):
    """A residual unit with stochastic depth, as the compiled networks have."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.drop_path = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and self.drop_path:
            keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.drop_path
            return x + self.branch(x) * keep / (1 - self.drop_path)
        return x + self.branch(x)


class Net(nn.Module):
    """A tiny network with everything that has state: batch norm, dropout, a table."""

    def __init__(self, channels: int = 1, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, padding=1)
        self.blocks = nn.Sequential(Residual(8), Residual(8), Residual(8))
        self.table = nn.Parameter(torch.zeros(1, 8, 1, 1))
        self.drop = nn.Dropout(0.1)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.stem(x)) + self.table
        return self.head(self.norm(self.drop(x.mean(dim=(2, 3)))))


def net(channels: int = 1, classes: int = 4) -> Net:
    torch.manual_seed(0)
    return Net(channels, classes)


def toy(train: int = 104, channels: int = 1) -> Dataset:
    """Images of noise in which the class is a bright row."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        labels = torch.arange(count) % 4
        images = torch.randint(0, 90, (count, channels, 8, 8), generator=generator)
        images[torch.arange(count), :, 2 * labels] += 120
        return Split(images.to(torch.uint8), labels)

    return build("toy", split(train), validation=split(40), test=split(40), classes=4, flip=True)


def same(a: nn.Module, b: nn.Module) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in a.state_dict().items())


def numbers(curve: tuple[Epoch, ...]) -> list[tuple[float, Metrics]]:
    """The part of a curve that must repeat."""
    return [(epoch.train_loss, epoch.metrics) for epoch in curve]
