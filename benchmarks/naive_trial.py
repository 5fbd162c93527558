"""One trial of a search as people write them today: a process of its own, PIL images, a DataLoader, eager float32 NCHW.

    python benchmarks/naive_trial.py NETWORK.py IMAGES.npz --seed 0 --epochs 3 --batch 64

NETWORK.py is plain PyTorch (`archdsl compile --export python`), IMAGES.npz holds x_train, y_train, x_val, y_val. Prints
the validation accuracy as JSON. The recipe is archdsl's default one, by timm's optimiser and schedule.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import timm.optim
import timm.scheduler
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Images
from torchvision import transforms


class Pictures(Images[tuple[Tensor, int]]):
    """PIL images with torchvision's transforms."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Any) -> None:
        self.images, self.labels, self.transform = [Image.fromarray(image) for image in images], labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def network(path: Path) -> nn.Module:
    """The one network class of a Python file that archdsl exported."""
    found = importlib.util.spec_from_file_location("network", path)
    if found is None or found.loader is None:
        raise SystemExit(f"cannot import {path}")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    model: nn.Module = module.Placement()
    return model


def train(model: nn.Module, path: Path, epochs: int, batch: int) -> float:
    """Train and give the validation accuracy."""
    data = np.load(path)
    mean, deviation = data["x_train"].mean() / 255, data["x_train"].std() / 255
    plain = [transforms.ToTensor(), transforms.Normalize((mean,), (deviation,))]
    moved = [transforms.RandomCrop(data["x_train"].shape[1], padding=2), transforms.RandomHorizontalFlip(), *plain]
    learnt = Pictures(data["x_train"], data["y_train"], transforms.Compose(moved))
    judged = Pictures(data["x_val"], data["y_val"], transforms.Compose(plain))
    loader = DataLoader(learnt, batch, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True)
    optimizer = timm.optim.create_optimizer_v2(model, "adamw", lr=2e-3, weight_decay=0.05)
    steps = epochs * len(loader)
    schedule = timm.scheduler.CosineLRScheduler(
        optimizer, t_initial=steps, warmup_t=steps // 10, t_in_epochs=False, warmup_prefix=True
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    done = 0
    for _ in range(epochs):
        model.train()
        for images, labels in loader:
            loss = loss_of(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            done += 1
            schedule.step_update(done)
        accuracy = validate(model, judged)
    return accuracy


@torch.no_grad()
def validate(model: nn.Module, judged: Pictures) -> float:
    """Share of the images that are classified rightly."""
    model.eval()
    right = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in DataLoader(judged, 512))
    return right / len(judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    accuracy = train(network(options.network), options.images, options.epochs, options.batch)
    print(json.dumps({"accuracy": accuracy}))


if __name__ == "__main__":
    main()
