"""Trains a network on a data set by a recipe, and scores it after every epoch."""

from __future__ import annotations

import contextlib
import hashlib
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archdsl.base.device import Clock, computes_bf16, failures, out_of_memory, pick_device, with_index
from archdsl.base.errors import DataError, RunError
from archdsl.base.interrupts import ask
from archdsl.base.metrics import Metrics, Tally
from archdsl.data import Dataset, Split
from archdsl.data.augment import Normalise, augment, normalise, take
from archdsl.ir.recipe import Recipe
from archdsl.network.model import set_drop_path
from archdsl.training.optimizer import AdamW, Average, learning_rate
from archdsl.training.resume import Epoch, Resumable, identity

__all__ = ["Epoch", "Metrics", "TrainResult", "evaluate", "normalise", "pick_device", "steps_per_epoch", "train"]


@dataclass(frozen=True)
class TrainResult:
    """What a training came to.

    Attributes:
        metrics: on the validation split, after the last epoch.
        curve: all epochs, those before a resumption included.
        seconds: wall time of all epochs.
        stopped: `on_epoch` ended it before the recipe's last epoch.
        images_per_second: median over the epochs, of the training steps alone.
    """

    metrics: Metrics
    curve: tuple[Epoch, ...]
    seconds: float
    stopped: bool
    images_per_second: float


def train(
    model: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    on_epoch: Callable[[Epoch], bool] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    checkpoint: Path | None = None,
    metadata: Mapping[str, str] | None = None,
    keep_every: int | None = None,
) -> TrainResult:
    """Trains a network in place; it ends in eval mode, on the device, with the weights that were evaluated.

    The same network, seed, machine and number of threads give the same numbers to the bit on a CPU, whether or not
    the training was interrupted and resumed. The caller's random state is left as it was.

    Args:
        model: maps (B, C, H, W) float32 to logits (B, classes).
        data: whose training split is learnt and whose validation split is scored; moved to the device once.
        recipe: how. Without a full last batch, the rest of an epoch's images is left out (others every time).
        seed: of the order, the augmentation and the dropout.
        device: where.
        on_epoch: called after each epoch; False ends the training.
        on_step: called with (steps done, steps in all) for a progress bar; must not wait for the device.
        checkpoint: file that keeps the state after every epoch, and from which an interrupted or stopped training of
            the same network, data, recipe, seed and metadata goes on.
        metadata: text to keep in the checkpoint.
        keep_every: the weights after every so many epochs, and after the last, stay in files of their own beside the
            checkpoint (`model-epoch3.safetensors`).

    Raises:
        DataError: network and data do not fit together.
        RunError: the loss became NaN or infinite, memory ran out, or the checkpoint could not be written.
        StudyError: `checkpoint` belongs to another training.
    """
    device = with_index(torch.device(device))
    on_gpu = device.type == "cuda"
    with (
        failures(recipe.batch),
        torch.cuda.device(device) if on_gpu else contextlib.nullcontext(),
        torch.random.fork_rng(devices=[device] if on_gpu else []),
    ):
        run = _Run(model, data, recipe, seed, device)
        state = None
        curve: list[Epoch] = []
        if checkpoint is not None:
            name = identity(model, data, recipe, seed, metadata)
            state = Resumable(checkpoint, name, model, run.optimizer, run.average)
            curve = state.restore()
        going = True
        while going and len(curve) < recipe.epochs:
            epoch = run.epoch(len(curve) + 1, on_step)
            curve.append(epoch)
            last = epoch.number == recipe.epochs
            if state is not None:
                if keep_every and (last or epoch.number % keep_every == 0):
                    state.keep(curve)  # first: whoever is stopped in between trains this epoch again
                state.save(curve, last=last)
            going = on_epoch is None or on_epoch(epoch)
        if run.average is not None:
            run.average.copy_to(model)
        model.eval()
    rate = statistics.median(epoch.images_per_second for epoch in curve)
    seconds = sum(epoch.seconds for epoch in curve)
    return TrainResult(curve[-1].metrics, tuple(curve), seconds, len(curve) < recipe.epochs, rate)


def steps_per_epoch(data: Dataset, recipe: Recipe) -> int:
    """How many batches of a training make an epoch; what does not fill one is left out."""
    return len(data.train) // min(recipe.batch, len(data.train))


def evaluate(
    model: nn.Module, split: Split, data: Dataset, *, device: torch.device | str = "cpu", batch: int = 512
) -> Metrics:
    """Accuracy, NLL and ECE of a network on a split, in float32 and eval mode (its own mode is restored after).

    Raises:
        RunError: memory ran out.
    """
    device = torch.device(device)
    with failures(batch):
        return _tally(model.to(device), split.to(device), Normalise(data, device), batch).metrics()


class _Run:
    """One training: the network and all data on the device, and the steps over them."""

    def __init__(self, model: nn.Module, data: Dataset, recipe: Recipe, seed: int, device: torch.device) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        # Convolutions compute fastest on channels-last weights and images (1.3x on a CPU in float32).
        self.model = model.to(device).to(memory_format=torch.channels_last)
        self.normalise = Normalise(data, device)
        _check_fit(model, data, recipe, self.normalise)
        self.train, self.validation = data.train.to(device), data.validation.to(device)
        self.flip = recipe.flip and data.flip
        self.batch = min(recipe.batch, len(self.train))
        self.steps = steps_per_epoch(data, recipe)
        self.bf16 = computes_bf16(recipe.precision, device)
        set_drop_path(model, recipe.drop_path)
        self.optimizer = AdamW(model, recipe)
        self.parameters = self.optimizer.parameters()
        self.average = Average(model, recipe.ema) if recipe.ema else None
        self.generator = torch.Generator(device)

    def epoch(self, number: int, on_step: Callable[[int, int], None] | None) -> Epoch:
        """One pass over the training split and one over the validation split; waits for the device once, at the end."""
        start = time.perf_counter()
        self._reseed(number)
        self.model.train()
        clock = Clock(self.device)
        order = torch.randperm(len(self.train), generator=self.generator, device=self.device)
        losses = torch.zeros((), dtype=torch.float64, device=self.device)
        done, total = (number - 1) * self.steps, self.recipe.epochs * self.steps
        for index in order[: self.steps * self.batch].view(self.steps, self.batch):
            ask()
            losses += self._step(index, done, total)
            done += 1
            if on_step is not None:
                on_step(done, total)
        clock.stop()
        tally = _tally(self.average.model if self.average else self.model, self.validation, self.normalise)
        loss, *figures = torch.cat([losses[None] / self.steps, tally.values()]).tolist()  # the one wait
        if not math.isfinite(loss) or not math.isfinite(figures[1]):
            raise RunError(
                f"the loss became {'NaN' if math.isnan(loss + figures[1]) else 'infinite'} in epoch {number}",
                f"lower the learning rate (lr={self.recipe.lr:g}) or "
                + (
                    "clip the gradient (clip=1)" if not self.recipe.clip else f"clip harder (clip={self.recipe.clip:g})"
                ),
            )
        rate = self.steps * self.batch / max(clock.seconds(), 1e-9)
        return Epoch(number, loss, Metrics(*figures), time.perf_counter() - start, rate)

    def _step(self, index: Tensor, done: int, total: int) -> Tensor:
        """Learns the images at `index`, the loss stays on the device."""
        recipe = self.recipe
        images = take(self.train.images, index)
        images = self.normalise(augment(images, shift=recipe.shift, flip=self.flip, generator=self.generator))
        labels = self.train.labels.index_select(0, index)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = self.model(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if recipe.clip:
            nn.utils.clip_grad_norm_(self.parameters, recipe.clip)
        self.optimizer.lr = learning_rate(done, total, recipe)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(done)
        return loss.detach()

    def _reseed(self, number: int) -> None:
        """Seeds the epoch's order, augmentation and dropout, so that no random state needs to be kept."""
        digest = hashlib.sha256(f"archdsl train {self.seed} {number}".encode()).digest()
        order, dropout = (int.from_bytes(digest[i : i + 8]) >> 1 for i in (0, 8))
        self.generator.manual_seed(order)
        torch.default_generator.manual_seed(dropout)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(dropout)


@torch.no_grad()
def _tally(model: nn.Module, split: Split, normalise: Normalise, batch: int = 512) -> Tally:
    tally = Tally(split.images.device)
    was_training = model.training
    model.eval()
    for start in range(0, len(split), batch):
        stop = start + batch
        tally.add(model(normalise(split.images[start:stop])), split.labels[start:stop])
    model.train(was_training)
    return tally


def _check_fit(model: nn.Module, data: Dataset, recipe: Recipe, normalise: Normalise) -> None:
    """Raises DataError before any training where network, recipe and data do not belong together."""
    shape = "x".join(map(str, data.input))
    if recipe.shift >= min(data.input[1:]):
        raise DataError(f"shift={recipe.shift} moves the {shape} images of '{data.name}' out of view", "lower shift")
    device = normalise.scale.device
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = model(normalise(data.train.images[:2].to(device)))
    except (RuntimeError, ValueError, AssertionError) as error:
        if out_of_memory(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        remedy = f"the network must take {shape}: write 'input {shape}', or train on other data"
        raise DataError(f"the network does not take the images of '{data.name}', {shape}: {reason}", remedy) from error
    finally:
        model.train(was_training)
    if logits.shape != (min(2, len(data.train)), data.classes):
        found = f"{logits.shape[1]} classes" if logits.dim() == 2 else f"an output of shape {tuple(logits.shape)}"
        raise DataError(
            f"the network has {found}, the data set '{data.name}' {data.classes} classes",
            f"write 'classes {data.classes}'",
        )
