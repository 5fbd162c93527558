"""Holds a model still for measuring, and puts it back exactly as it was: eval mode, full float32."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from archdsl.base.device import out_of_memory
from archdsl.base.errors import RunError, UsageError

RANGE = 2**64  # of PyTorch's seeds; beyond it a product of seed and batch would be an error
Batch = tuple[Tensor, Tensor]  # images (B, C, H, W) normalised, labels (B,)


@contextlib.contextmanager
def held_still(model: nn.Module) -> Iterator[None]:
    """Eval mode and honest float32 inside, every module's own mode and the global settings restored after.

    BatchNorm in train mode changes the Hessian ten-fold and its own buffers; TF32 and autocast are off by 0.1 to 1%,
    which is more than the differences looked for.
    """
    modes = [(module, module.training) for module in model.modules()]
    matmul, convolution = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        model.eval()
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        with torch.inference_mode(False), torch.autocast(device_of(model).type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = convolution
        for module, training in modes:
            module.training = training


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters are."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """Of the model's weights, and hence of the images it takes."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)


def check_batches(model: nn.Module, batches: Sequence[Batch]) -> None:
    """At least one batch, none empty, and a model whose weights are float32 (or float64).

    Raises:
        UsageError: otherwise.
    """
    if not batches:
        raise UsageError("no batches to measure on", "give at least one batch of at least one image")
    for number, (images, labels) in enumerate(batches, start=1):
        if len(images) == 0 or len(images) != len(labels):
            raise UsageError(f"batch {number} has {len(images)} images and {len(labels)} labels")
    check_precision(model)


def check_precision(model: nn.Module) -> None:
    """Raises UsageError where weights are neither float32 nor float64."""
    if any(p.dtype not in (torch.float32, torch.float64) for p in model.parameters() if p.is_floating_point()):
        raise UsageError(
            "the weights are neither float32 nor float64", "measure model.float(): half precision is off by 1%"
        )


def right(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    """How many images the model gets right.

    Raises:
        RunError: its outputs are not finite.
    """
    return hits(model(images), labels)


def hits(logits: Tensor, labels: Tensor) -> int:
    """How many rows of logits are largest where the label says.

    Raises:
        RunError: they are not finite.
    """
    if not bool(torch.isfinite(logits).all()):
        raise RunError("the network's outputs are not finite", "look for inf or nan in the weights")
    return int((logits.argmax(1) == labels).sum())


@contextlib.contextmanager
def memory_guard(what: str) -> Iterator[None]:
    """Turn running out of memory into an error that says what to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise RunError(f"memory ran out in {what}", "use smaller batches") from error


def generator(seed: int) -> torch.Generator:
    """The random numbers that any whole number stands for: on the CPU, so that a GPU gets the same draws.

    >>> bool(torch.rand(1, generator=generator(3)) == torch.rand(1, generator=generator(3 + 2**64)))
    True
    """
    return torch.Generator().manual_seed(seed % RANGE)
