"""Augmentation per image: tensors in memory against a torchvision PIL DataLoader, A/B interleaved; JSON comes out.

    python benchmarks/augment.py [--rounds 9] [--out benchmarks/results/augment.json]

Both sides draw a shift and a flip for every image and deliver normalised float32 batches of 128, on one thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision import transforms

from archdsl.data import Dataset, Split, load
from archdsl.data.augment import Normalise, augment, take
from archdsl.data.dataset import build

BATCH, IMAGES = 128, 2048


class Pictures(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """The naive side: one PIL image at a time through torchvision's transforms."""

    def __init__(self, data: Dataset, shift: int) -> None:
        self.arrays = [np.ascontiguousarray(i.permute(1, 2, 0).squeeze(-1)) for i in data.train.images[:IMAGES]]
        self.labels = data.train.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(data.input[1:], padding=shift, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(data.mean, data.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(PIL.Image.fromarray(self.arrays[index])), self.labels[index]


def ours(data: Dataset, shift: int) -> Callable[[], None]:
    """One epoch over `IMAGES` images as archdsl.training.loop draws them."""
    normalise, generator = Normalise(data), torch.Generator()
    images = data.train.to("cpu").images[:IMAGES]

    def epoch() -> None:
        for index in torch.randperm(IMAGES, generator=generator).view(-1, BATCH):
            batch = take(images, index)
            normalise(augment(batch, shift=shift, flip=True, generator=generator))

    return epoch


def naive(data: Dataset, shift: int) -> Callable[[], None]:
    """The same by a DataLoader in this process (with workers it takes more processor time, not less)."""
    loader = DataLoader(Pictures(data, shift), batch_size=BATCH, shuffle=True)

    def epoch() -> None:
        for _ in loader:
            pass

    return epoch


def colour() -> Dataset:
    """A stand-in for CIFAR-10: random pixels cost the same."""
    images = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8)
    split = Split(images, torch.arange(IMAGES) % 10)
    return build("random 3x32x32", split, validation=split, test=split, flip=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "augment.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results: list[dict[str, Any]] = []
    for data, shift in ((load("fashion"), 2), (colour(), 4)):
        sides = {"archdsl": ours(data, shift), "pil_dataloader": naive(data, shift)}
        times: dict[str, list[float]] = {name: [] for name in sides}
        for round_ in range(args.rounds + 1):
            for name, epoch in sides.items():
                start = time.perf_counter()
                epoch()
                if round_:  # the first one warms up
                    times[name].append((time.perf_counter() - start) / IMAGES * 1e6)
        entry: dict[str, Any] = {
            "data": data.name,
            "input": data.input,
            "shift": shift,
            "unit": "microseconds per image",
        }
        for name, values in times.items():
            entry[name] = {"median": round(statistics.median(values), 2), "minimum": round(min(values), 2)}
        for figure in ("median", "minimum"):
            entry[f"speedup_{figure}"] = round(entry["pil_dataloader"][figure] / entry["archdsl"][figure], 1)
        results.append(entry)
        print(json.dumps(entry, indent=1))
    machine = {
        "processor": getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name") or platform.processor(),
        "threads": 1,
    }
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    versions |= {"torchvision": torchvision.__version__, "pillow": PIL.__version__}
    document = {
        "benchmark": "augment",
        "rounds": args.rounds,
        "machine": machine,
        "versions": versions,
        "results": results,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
