"""Measures batch by batch, so that what an interruption leaves behind is used again."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from archdsl.analyses.measuring.exact import Batch
from archdsl.analyses.results.result import Result
from archdsl.base.device import out_of_memory

R = TypeVar("R", bound=Result)


@dataclass
class Parts:
    """The results of the first batches, each of one batch.

    Attributes:
        done: those that are there.
        keep: is given all that are there each time one is added.
        chunk: images whose graph fits into memory, as far as has been found out; None before it ran out.
    """

    done: list[Any] = field(default_factory=list)
    keep: Callable[[Sequence[Any]], None] = lambda parts: None
    chunk: int | None = None


def batch_by_batch(
    batches: Sequence[Batch],
    one: Callable[[int, Batch, int], R],
    parts: Parts | None,
) -> R:
    """The result of all batches, measured one after the other but for those already there.

    Args:
        batches: images and labels.
        one: `(number from 1, batch, chunk) -> result of this batch alone`, with so many images' graph in memory; called
            with half as many after it ran out.
        parts: results of the first batches, and where further ones go; more than there are batches are left alone.
    """
    parts = parts or Parts()
    chunk = parts.chunk or max(len(images) for images, _ in batches)
    for number, batch in enumerate(batches, start=1):
        while number > len(parts.done):
            try:
                parts.done.append(one(number, batch, chunk))
            except (RuntimeError, MemoryError) as error:
                if chunk == 1 or not out_of_memory(error):
                    raise
                chunk = parts.chunk = (min(chunk, len(batch[0])) + 1) // 2
                continue
            parts.keep(parts.done)
    return typing.cast(R, joined(parts.done[: len(batches)]))


def joined(parts: Sequence[Any]) -> Any:
    """Results of single batches as one: arrays, whose first axis is that of the batches, behind each other.

    >>> joined([(np.array([1.0]), 16), (np.array([2.0]), 16)])
    (array([1., 2.]), 16)
    """
    first = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    if isinstance(first, tuple):
        return tuple(joined(entries) for entries in zip(*parts, strict=True))
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        names = [entry.name for entry in dataclasses.fields(first)]
        return type(first)(**{name: joined([getattr(part, name) for part in parts]) for name in names})
    return first


def single(whole: Any, index: int) -> Any:
    """The result of one batch out of that of all.

    >>> single((np.array([1.0, 2.0]), 16), 1)
    (array([2.]), 16)
    """
    if isinstance(whole, np.ndarray):
        return whole[index : index + 1]
    if isinstance(whole, tuple):
        return tuple(single(entry, index) for entry in whole)
    if dataclasses.is_dataclass(whole) and not isinstance(whole, type):
        names = [entry.name for entry in dataclasses.fields(whole)]
        return type(whole)(**{name: single(getattr(whole, name), index) for name in names})
    return whole


def apart(whole: Any) -> list[Any]:
    """The results of all single batches; `joined` is the way back."""
    return [single(whole, index) for index in range(_batches(whole))]


def _batches(whole: Any) -> int:
    """How many there are: the length of the first array."""
    if isinstance(whole, np.ndarray):
        return len(whole)
    entries: Sequence[Any] = whole if isinstance(whole, tuple) else ()
    if dataclasses.is_dataclass(whole):
        entries = [getattr(whole, entry.name) for entry in dataclasses.fields(whole)]
    return next((count for count in map(_batches, entries) if count), 0)
